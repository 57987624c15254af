import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import { projectInRegion } from '../../domain/project-region.ts';
import { QUOTA_KINDS, type QuotaRecord, UNLIMITED } from '../../domain/quota.ts';
import type { QuotaOwner, Used } from '../../domain/usage.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import type { ControllerPolicy } from '../controller-context.ts';
import { limitsOf, usageOf } from '../users/quota.ts';
import type { ChangeHandler, Principal, ReadContext, ReadHandler } from './handler.ts';
import { badParameter, mayUse } from './handler.ts';

type Row = OperationOutput<'DescribeQuotas'>['quotas'][number];

export const describeQuotas: ReadHandler<'DescribeQuotas'> = async ({ cloud, principal }, input) => {
  const { store } = cloud;
  const owner = ownerIn(input, principal);
  const get = <T>(key: string): T | undefined => store.get<T>(key)?.value;
  const region = regionIn(input.Region, cloud.policy);
  await requireOwner(cloud, owner);
  // The limits are the same in each region, and each counts for itself.
  const there = { ...owner, projectId: projectInRegion(owner.projectId, region, cloud.policy.region) };
  return {
    ...shownOwner(owner),
    ...(region === cloud.policy.region ? {} : { region }),
    quotas: rows(usageOf(get, store, there), limitsOf(get, there)),
    rev: store.rev,
  };
};

function regionIn(asked: string | undefined, { region, regions }: ControllerPolicy): string {
  if (asked === undefined || regions.includes(asked)) return asked ?? region;
  throw badParameter('Region', `must be one of ${regions.join(', ')}`);
}

/** Below what is in use is allowed: what is there stays, and nothing more is made. */
export const setQuota: ChangeHandler<'SetQuota', QuotaOwner> = {
  async prepare({ cloud, principal }, input) {
    const owner = ownerIn(input, principal);
    await requireOwner(cloud, owner);
    return owner;
  },

  decide(draft, input, context, owner) {
    const get = <T>(key: string): T | undefined => draft.get<T>(key);
    const key = KEYS.quota(owner.projectId, owner.user);
    const limits = nextLimits(get<QuotaRecord>(key)?.limits ?? {}, input.Limits);
    if (Object.keys(limits).length === 0) draft.del(key);
    else draft.put(key, { v: 1, limits } satisfies QuotaRecord);
    return {
      output: {
        ...shownOwner(owner),
        quotas: rows(usageOf(get, draft.replica, owner), limitsOf(get, owner)),
        operationId: context.operationId,
      },
      targets: [owner.projectId, ...(owner.user === undefined ? [] : [owner.user])],
    };
  },
};

function nextLimits(
  known: QuotaRecord['limits'],
  wanted: OperationParsed<'SetQuota'>['Limits'],
): QuotaRecord['limits'] {
  const kept = QUOTA_KINDS.flatMap((kind): [string, number][] => {
    const limit = wanted[kind] ?? known[kind] ?? 'default';
    if (limit === 'default') return [];
    return [[kind, limit === 'unlimited' ? UNLIMITED : limit]];
  });
  return Object.fromEntries(kept);
}

function ownerIn(input: { ProjectId?: string | undefined; UserName?: string | undefined }, who: Principal): QuotaOwner {
  const projectId = input.ProjectId ?? who.projectId;
  if (!mayUse(who, projectId)) throw noProject(projectId);
  return { projectId, ...(input.UserName === undefined ? {} : { user: input.UserName }) };
}

const noProject = (id: string): CloudError =>
  new CloudError('InvalidProject.NotFound', `ProjectId: there is no project ${id}; see "novactl project list"`, {
    details: { parameter: 'ProjectId' },
  });

async function requireOwner({ directory }: ReadContext['cloud'], { projectId, user }: QuotaOwner): Promise<void> {
  if ((await directory.project(projectId)) === undefined) throw noProject(projectId);
  if (user === undefined || (await directory.user(user)) !== undefined) return;
  throw new CloudError('InvalidUser.NotFound', `UserName: there is no user ${user}; see "novactl user list"`, {
    details: { parameter: 'UserName' },
  });
}

const shownOwner = ({ projectId, user }: QuotaOwner): { projectId: string; userName?: string } => ({
  projectId,
  ...(user === undefined ? {} : { userName: user }),
});

const rows = (used: Used, limits: Used): Row[] =>
  QUOTA_KINDS.map((kind) => ({
    kind,
    used: used[kind],
    ...(limits[kind] === UNLIMITED ? {} : { limit: limits[kind] }),
  }));
