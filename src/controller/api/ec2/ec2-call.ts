import { CloudError } from '../../../base/errors.ts';
import { sha256Hex } from '../../../base/ids.ts';
import { projectWithoutRegion, type RegionZones } from '../../../domain/project-region.ts';
import type { OperationOutput, UnaryName } from '../../../messages/operations/index.ts';
import { definitionOf } from '../../operations/executor.ts';
import type { CallMeta, Principal } from '../../operations/handler.ts';
import type { Accounts } from '../../users/directory-memo.ts';
import type { Gateway } from '../gateway.ts';
import type { Ec2Call } from './ec2-action.ts';
import type { Params } from './params.ts';

export interface Ec2CallParts {
  readonly params: Params;
  readonly version: string;
  readonly region: RegionZones;
  readonly regions: Ec2Call['regions'];
  readonly nowMs: number;
  readonly requestId: string;
  readonly principal: Principal;
  readonly dryRun: boolean;
  readonly gateway: Pick<Gateway, 'unary'>;
  readonly accounts: Accounts;
}

/** A parameter that nothing would have come of is never passed over. */
export function refuseUnread(params: Params): void {
  const names = params.unread();
  const [parameter] = names;
  if (parameter === undefined) return;
  const some = names.slice(0, 5).map((name) => name.slice(0, 128));
  const more = names.length > some.length ? ` and ${names.length - some.length} more` : '';
  throw new CloudError('UnknownParameter', `${some.join(', ')}${more}: not known to this action; leave it out`, {
    details: { parameter: some[0] },
  });
}

/**
 * What an action is given of one request. Before the first change it makes, every parameter must have been read; DryRun ends it there. Several changes
 * of one name have tokens of their own, made of the request's.
 */
export function ec2Call(parts: Ec2CallParts): Ec2Call {
  const { params, version, region, regions, nowMs, principal, accounts } = parts;
  const done = new Map<string, number>();
  const tokenFor = (name: string): { clientToken?: string } => {
    const token = params.text('ClientToken');
    if (token === undefined || token === '') return {};
    const count = done.get(name) ?? 0;
    done.set(name, count + 1);
    return { clientToken: count === 0 ? token : sha256Hex(`${token}\0${count}`) };
  };
  return {
    ...{ params, version, regions, nowMs },
    region: region.name,
    get zones() {
      return region.zones;
    },
    projectId: principal.projectId,
    accountOf: (id) => {
      const projectId = projectWithoutRegion(id);
      return accounts.accountOf(projectId) ?? projectId;
    },
    projectOf: (accountId) => accounts.projectOf(accountId),
    async run<N extends UnaryName>(name: N, input: Parameters<Ec2Call['run']>[1]) {
      const meta: CallMeta = { requestId: parts.requestId, principal };
      if (!definitionOf(name).changes) return (await parts.gateway.unary(name, input, meta)) as OperationOutput<N>;
      const token = tokenFor(name);
      refuseUnread(params);
      const whole = { ...meta, ...token, ...(parts.dryRun ? { dryRun: true } : {}) };
      return (await parts.gateway.unary(name, input, whole)) as OperationOutput<N>;
    },
  };
}
