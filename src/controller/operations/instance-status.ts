import type { InstanceRecord } from '../../domain/instance.ts';
import { INSTANCE_STATE_CODE } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { type FilterFields, matchesFilters, requireFilters } from './filters.ts';
import type { ReadHandler } from './handler.ts';
import { mayUseInstance } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';
import { pageOf } from './pages.ts';

type Row = OperationOutput<'DescribeInstanceStatus'>['statuses'][number];

const PAGE_DEFAULT = 1000;
const nothing = (): undefined => undefined;
const reachability = { ok: 'passed', impaired: 'failed', initializing: 'initializing' } as const;
const reachable = (status: Row['system']): string | undefined =>
  Object.hasOwn(reachability, status) ? reachability[status as keyof typeof reachability] : 'insufficient-data';

const FIELDS: FilterFields<Row> = {
  'availability-zone': (row) => row.availabilityZone,
  'event.code': nothing,
  'event.description': nothing,
  'event.instance-event-id': nothing,
  'event.not-after': nothing,
  'event.not-before': nothing,
  'event.not-before-deadline': nothing,
  'instance-state-code': (row) => String(INSTANCE_STATE_CODE[row.state]),
  'instance-state-name': (row) => row.state,
  'instance-status.reachability': (row) => reachable(row.instance),
  'instance-status.status': (row) => row.instance,
  'system-status.reachability': (row) => reachable(row.system),
  'system-status.status': (row) => row.system,
};

/** Nobody looks into a guest: `ok` is that the host answers and that the domain runs on it. */
export const describeInstanceStatus: ReadHandler<'DescribeInstanceStatus'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const { Filters = [], IncludeAllInstances: all } = input;
  requireFilters(Filters, FIELDS);
  const pick = (record: InstanceRecord): Row | undefined => {
    if (all !== true && record.state !== 'running') return undefined;
    const row = statusOf(cloud, record);
    return matchesFilters(row, Filters, FIELDS) ? row : undefined;
  };
  if (input.InstanceIds !== undefined) {
    const records = [...new Set(input.InstanceIds)].map((id) =>
      instanceOf((key) => store.get<InstanceRecord>(key)?.value, principal, id),
    );
    return { statuses: records.flatMap((record) => pick(record) ?? []), rev: store.rev };
  }
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<InstanceRecord, Row>(store, PREFIX.instance, ask, ({ value }) =>
    mayUseInstance(principal, value) ? pick(value) : undefined,
  );
  return { statuses: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

function statusOf(cloud: ControllerContext, record: InstanceRecord): Row {
  const host = cloud.store.get<HostRecord>(KEYS.host(record.hostId))?.value;
  const problem = hostProblem(cloud, host, record.hostId);
  const row = { instanceId: record.id, availabilityZone: record.zone, state: record.state };
  if (record.state === 'pending') return { ...row, system: 'initializing', instance: 'initializing' };
  if (record.state !== 'running') return { ...row, system: 'not-applicable', instance: 'not-applicable' };
  if (problem !== undefined) return { ...row, system: 'impaired', instance: 'insufficient-data', problem };
  const power = cloud.observations.domain(record.hostId, record.id)?.power;
  const isOff = power !== undefined && power !== 'running';
  return { ...row, system: 'ok', instance: isOff ? 'impaired' : 'ok' };
}
