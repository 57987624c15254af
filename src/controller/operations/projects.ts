import { CloudError } from '../../base/errors.ts';
import { randomBelow } from '../../base/random.ts';
import type { DirectoryChange } from '../../domain/directory.ts';
import { FIRST_NAME } from '../../domain/directory-records.ts';
import { KEYS } from '../../domain/keys.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { bucketsOfProject } from '../objects/buckets-of-project.ts';
import { BUCKETS_HOLD_MS } from '../objects/project-gate.ts';
import { changesDirectory } from '../users/change-directory.ts';
import type { DirectoryView } from '../users/directory-view.ts';
import { noProject, noUser, projectView } from '../users/directory-views.ts';
import { dropLeft, dropOwnRecords, leftOfProject, type LeftOfKind } from '../users/left-of-project.ts';
import { dropRestOfProject } from '../users/rest-of-project.ts';
import type { Principal, ReadContext, ReadHandler } from './handler.ts';
import { isAdmin, mayUse } from './handler.ts';

/** What one transaction takes beside the rest of it. */
const CHANGES_MAX = 30;

export const createProject = changesDirectory<'CreateProject'>({
  // Who deleted one of that name may have died before all of it was gone: images of others would be this one's to start.
  async look({ cloud }, { ProjectId: id }) {
    if ((await cloud.directory.project(id)) === undefined) await dropRestOfProject(cloud, id);
    return undefined;
  },

  plan(view, input, context) {
    const { ProjectId: id, Description, Members = [] } = input;
    const manager = input.Manager ?? context.principal.userName ?? FIRST_NAME;
    if (view.user(manager) === undefined) throw noUser(manager, 'Manager');
    for (const name of Members) if (view.user(name) === undefined) throw noUser(name, 'Members');
    const project = {
      ...{ id, manager, members: [...new Set([manager, ...Members])], roles: {}, createdAtMs: context.nowMs },
      ...(Description === undefined ? {} : { description: Description }),
      accountId: accountIdFor(view, input, context),
    };
    return { changes: [{ kind: 'create-project', project }], targets: [id] };
  },
  output: (view, input, { operationId }) => ({ project: shown(view, input.ProjectId), operationId }),
});

/** Whoever is faster with the same is found out in the transaction. */
function accountIdFor(
  view: DirectoryView,
  { ProjectId, AccountId: wanted }: Pick<OperationParsed<'CreateProject'>, 'ProjectId' | 'AccountId'>,
  { cloud }: ReadContext,
): string {
  const taken = new Map(view.projects().map(({ accountId, id }) => [accountId, id]));
  const holder = wanted === undefined ? undefined : taken.get(wanted);
  if (holder !== undefined && holder !== ProjectId) {
    throw new CloudError('InvalidProject.Duplicate', `AccountId: project ${holder} has this account; name another`, {
      details: { parameter: 'AccountId', project: holder },
    });
  }
  // One that is there keeps its own: it may be what this very call made before its process died.
  const known = wanted ?? view.project(ProjectId)?.accountId;
  if (known !== undefined) return known;
  for (;;) {
    const id = String(randomBelow(cloud.random, 9e11) + 1e11);
    if (!taken.has(id)) return id;
  }
}

export const modifyProject = changesDirectory<'ModifyProject'>({
  plan(view, input, { principal }) {
    const { ProjectId: id, Description, Manager } = input;
    requireProject(view, principal, id);
    if (Manager !== undefined && view.user(Manager) === undefined) throw noUser(Manager, 'Manager');
    const change: DirectoryChange = {
      ...{ kind: 'modify-project', id },
      ...(Description === undefined ? {} : { description: Description }),
      ...(Manager === undefined ? {} : { manager: Manager }),
    };
    return { changes: [change], targets: [id] };
  },
  output: (view, input, { operationId }) => ({ project: shown(view, input.ProjectId), operationId }),
});

interface SeenBuckets {
  readonly buckets: readonly string[];
  readonly untilMs: number;
}

export const deleteProject = changesDirectory<'DeleteProject', SeenBuckets | undefined>({
  async look({ cloud }, { ProjectId: id, Purge }) {
    const project = id === FIRST_NAME ? undefined : await cloud.directory.project(id);
    if (project === undefined) return undefined;
    // What is refused anyway must not keep others from making buckets.
    refuseLeft(id, leftOfProject(cloud.store, id), Purge === true);
    const untilMs = cloud.clock.monotonicMs() + BUCKETS_HOLD_MS;
    const { accountId } = project;
    return { untilMs, buckets: await bucketsOfProject(cloud, { projectId: id, accountId }) };
  },

  plan(view, input, { principal, cloud }, seen) {
    const { ProjectId: id, Purge } = input;
    requireProject(view, principal, id);
    if (id === FIRST_NAME) throw new CloudError('OperationNotPermitted', `the project ${id} can't be deleted`);
    const { buckets, untilMs } = seen ?? { buckets: [], untilMs: 0 };
    if (cloud.clock.monotonicMs() > untilMs)
      throw new CloudError('Unavailable', `deleting project ${id} took too long, nothing was done; try again`);
    const left = [...leftOfProject(view.replica, id), ...leftBuckets(buckets)];
    refuseLeft(id, left, Purge === true);
    return {
      changes: [{ kind: 'delete-project', id }],
      targets: [id, ...left.flatMap(({ ids }) => ids)],
      records(draft) {
        dropLeft(draft, left);
        dropOwnRecords(draft, id);
      },
    };
  },
  output: (_view, { ProjectId }, { operationId, plan }) => ({
    projectId: ProjectId,
    deleted: plan.targets.slice(1),
    operationId,
  }),
  after: ({ cloud }, { ProjectId }) => dropRestOfProject(cloud, ProjectId),
});

/** They would be those of the next project of that name. */
const leftBuckets = (names: readonly string[]): LeftOfKind[] =>
  names.length === 0 ? [] : [{ what: 'buckets', ids: names, keys: [], goesAlong: false }];

const SHOWN = 5;

function refuseLeft(id: string, left: readonly LeftOfKind[], purge: boolean): void {
  const inTheWay = purge ? left.filter(({ goesAlong }) => !goesAlong) : left;
  const tooMany = left.reduce((sum, { keys }) => sum + keys.length, 0) > CHANGES_MAX;
  if (inTheWay.length === 0 && !tooMany) return;
  const kinds = inTheWay.length === 0 ? left : inTheWay;
  const text = kinds.map(({ what, ids }) => {
    const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
    return `${what} ${ids.slice(0, SHOWN).join(', ')}${more}`;
  });
  const advice = purge ? 'delete these first' : '"novactl project delete --purge" deletes what can be deleted with it';
  throw new CloudError('InvalidProject.InUse', `project ${id} has things left: ${text.join('; ')}; ${advice}`, {
    details: { parameter: 'ProjectId', left: Object.fromEntries(kinds.map(({ what, ids }) => [what, ids])) },
  });
}

interface Membership {
  readonly ProjectId?: string | undefined;
  readonly UserName: string;
}

function planMember(kind: 'add-member' | 'remove-member') {
  return (view: DirectoryView, { ProjectId, UserName: user }: Membership, { principal }: ReadContext) => {
    const projectId = ProjectId ?? principal.projectId;
    requireProject(view, principal, projectId);
    if (view.user(user) === undefined) throw noUser(user);
    return { changes: [{ kind, projectId, user }], targets: [projectId, user] };
  };
}

export const addProjectMember = changesDirectory<'AddProjectMember'>({
  plan: planMember('add-member'),
  output: (view, _input, { operationId, plan }) => ({ project: shown(view, plan.targets[0] ?? ''), operationId }),
});

const planLeaving = planMember('remove-member');

export const removeProjectMember = changesDirectory<'RemoveProjectMember'>({
  plan(view, input, context) {
    const plan = planLeaving(view, input, context);
    const [projectId = '', user = ''] = plan.targets;
    const limits = KEYS.quota(projectId, user);
    // Limits are the member's. What they have there stays, and is still counted.
    return { ...plan, records: (draft) => draft.get(limits) !== undefined && draft.del(limits) };
  },
  output: (view, _input, { operationId, plan }) => ({ project: shown(view, plan.targets[0] ?? ''), operationId }),
});

export const describeProjects: ReadHandler<'DescribeProjects'> = async ({ cloud, principal }, input) => {
  const { directory, store } = cloud;
  const { userName = '', projectId } = principal;
  const sees = isAdmin(principal)
    ? await directory.projects()
    : (await directory.projects()).filter(({ id, members }) => id === projectId || members.includes(userName));
  const wanted = input.ProjectIds?.map((id) => {
    const found = sees.find((project) => project.id === id);
    if (found === undefined) throw noProject(id, 'ProjectIds');
    return found;
  });
  return { projects: (wanted ?? sees.toSorted((a, b) => (a.id < b.id ? -1 : 1))).map(projectView), rev: store.rev };
};

/** One of another project finds none. */
export function requireProject(view: DirectoryView, principal: Principal, id: string): void {
  if (!mayUse(principal, id) || view.project(id) === undefined) throw noProject(id);
}

function shown(view: DirectoryView, id: string): ReturnType<typeof projectView> {
  const project = view.project(id);
  if (project === undefined) throw noProject(id);
  return projectView(project);
}
