import { humanBytes, MIB } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import { statePaint } from './paint.ts';

export type InstanceView = OperationOutput<'DescribeInstances'>['instances'][number];
export type StateChangeView = OperationOutput<'StopInstances'>['instances'][number];

export const INSTANCE_COLUMNS: readonly Column<InstanceView>[] = [
  { name: 'id', fixed: true, text: (row) => row.instanceId },
  { name: 'name', text: (row) => row.name ?? '-' },
  { name: 'state', fixed: true, text: (row) => row.state, paint: (row) => statePaint(row.state) },
  { name: 'type', text: (row) => row.instanceType },
  { name: 'ip', fixed: true, text: (row) => row.privateIpAddress },
  { name: 'host', text: (row) => row.hostName },
  ageColumn('launched', (row) => row.launchTimeMs),
  { name: 'image', wide: true, text: (row) => row.imageId },
  { name: 'key', wide: true, text: (row) => row.keyName ?? '-' },
  { name: 'zone', wide: true, text: (row) => row.availabilityZone },
  { name: 'mac', wide: true, text: (row) => row.macAddress },
  { name: 'vcpus', wide: true, right: true, text: (row) => String(row.vcpus) },
  {
    name: 'memory',
    wide: true,
    right: true,
    text: (row) => humanBytes(row.memoryMib * MIB),
    raw: { name: 'memoryMib', text: (row) => String(row.memoryMib) },
  },
  { name: 'reservation', wide: true, text: (row) => row.reservationId },
  { name: 'reason', wide: true, text: (row) => row.stateReason?.message ?? '-' },
];

const base = {
  columns: INSTANCE_COLUMNS,
  id: (row: InstanceView) => row.instanceId,
};

export function instanceListing(
  rows: readonly InstanceView[],
  extra: Record<string, unknown> = {},
): Listing<InstanceView> {
  return {
    ...base,
    rows,
    data: (kept) => ({ instances: kept, ...extra }),
    empty: 'no instances; start one by: novactl instance run --image tiny --type m1.nano',
  };
}

export function instanceDetails(row: InstanceView, nowMs: number): Details<InstanceView> {
  const optional = (label: string, text: string | undefined): [string, { text: string }][] =>
    text === undefined ? [] : [[label, { text }]];
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['id', { text: row.instanceId }],
      ...optional('name', row.name),
      ['state', { text: row.state, paint: statePaint(row.state) }],
      ...optional('reason', row.stateReason && `${row.stateReason.message} (${row.stateReason.code})`),
      ['since', { text: `${age(row.stateChangedAtMs, nowMs)} ago` }],
      ['type', { text: `${row.instanceType} (${row.vcpus} vCPU, ${row.memoryMib} MiB, ${row.diskGib} GiB)` }],
      ['image', { text: row.imageId }],
      ...optional('kernel', row.kernelId),
      ...optional('ramdisk', row.ramdiskId),
      ...optional('key', row.keyName),
      ['host', { text: `${row.hostName} (${row.hostId})` }],
      ['zone', { text: row.availabilityZone }],
      ['address', { text: `${row.privateIpAddress} (${row.macAddress})` }],
      ['host name', { text: row.privateDnsName }],
      ['network', { text: row.networkId }],
      ['reservation', { text: `${row.reservationId} #${row.launchIndex}` }],
      ['project', { text: row.projectId }],
      ['launched', { text: `${iso(row.launchTimeMs)} (${age(row.launchTimeMs, nowMs)} ago)` }],
      ...optional('operation', row.operationId),
    ],
  };
}

const CHANGE_COLUMNS: readonly Column<StateChangeView>[] = [
  { name: 'id', fixed: true, text: (row) => row.instanceId },
  { name: 'was', text: (row) => row.previousState, paint: (row) => statePaint(row.previousState) },
  { name: 'is', text: (row) => row.currentState, paint: (row) => statePaint(row.currentState) },
];

export function stateChangeListing(output: OperationOutput<'StopInstances'>): Listing<StateChangeView> {
  return {
    columns: CHANGE_COLUMNS,
    rows: output.instances,
    id: (row) => row.instanceId,
    data: (rows) => ({ ...output, instances: rows }),
    empty: '',
  };
}
