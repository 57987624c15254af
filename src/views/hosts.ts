import { humanBytes, GIB, MIB } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import { statePaint } from './paint.ts';

export type HostView = OperationOutput<'DescribeHosts'>['hosts'][number];

const of = (used: number, all: number): string => `${used}/${all}`;
const memory = (row: HostView): string =>
  `${humanBytes(row.usage.memoryMib * MIB)}/${humanBytes(row.capacity.memoryMib * MIB)}`;
const disk = (row: HostView): string =>
  `${humanBytes(row.usage.diskGib * GIB)}/${humanBytes(row.capacity.diskGib * GIB)}`;

/** `up`, or `recorded up` where nobody has looked. */
const stateText = (row: HostView): string => (row.unseen === true ? `recorded ${row.state}` : row.state);

const COLUMNS: readonly Column<HostView>[] = [
  { name: 'name', fixed: true, text: (row) => row.name },
  {
    name: 'state',
    text: stateText,
    paint: (row) => (row.unseen === true ? undefined : statePaint(row.state)),
    raw: { name: 'state', text: (row) => row.state },
  },
  { name: 'zone', text: (row) => row.zone },
  { name: 'instances', right: true, text: (row) => String(row.usage.instances) },
  { name: 'vcpus', right: true, text: (row) => of(row.usage.vcpus, row.capacity.vcpus) },
  {
    name: 'memory',
    right: true,
    text: memory,
    raw: { name: 'memoryMib', text: (row) => of(row.usage.memoryMib, row.capacity.memoryMib) },
  },
  { name: 'virt', text: (row) => row.facts.virtType },
  {
    name: 'seen',
    right: true,
    text: (row, nowMs) => age(row.lastReportMs, nowMs),
    raw: { name: 'lastReport', text: (row) => iso(row.lastReportMs) },
  },
  {
    name: 'problem',
    text: (row) => row.problem ?? (row.unseen === true ? 'not looked at' : '-'),
    paint: (row) => (row.problem === undefined ? undefined : 'bad'),
  },
  { name: 'id', wide: true, fixed: true, text: (row) => row.hostId },
  {
    name: 'disk',
    wide: true,
    right: true,
    text: disk,
    raw: { name: 'diskGib', text: (row) => of(row.usage.diskGib, row.capacity.diskGib) },
  },
  { name: 'transport', wide: true, text: (row) => row.transport },
  { name: 'libvirt', wide: true, text: (row) => row.facts.libvirtVersion },
  { name: 'orphans', wide: true, right: true, text: (row) => String(row.orphans.length) },
];

const base = { columns: COLUMNS, id: (row: HostView) => row.hostId };

export function hostListing(rows: readonly HostView[], extra: Record<string, unknown> = {}): Listing<HostView> {
  return {
    ...base,
    rows,
    data: (kept) => ({ hosts: kept, ...extra }),
    empty: 'no hosts; add this machine by: novactl host add --local, another by: novactl host add root@NAME',
  };
}

function sshFields({ ssh }: HostView): (readonly [string, { text: string }])[] {
  if (ssh === undefined) return [];
  const via = ssh.jump === undefined ? '' : `, by way of ${ssh.jump}`;
  return [
    ['host key', { text: ssh.fingerprint }],
    ['login', { text: `${ssh.login}${ssh.sudo ? ', sudo -n' : ''}${via}` }],
  ];
}

export function hostDetails(row: HostView, nowMs: number): Details<HostView> {
  const { facts, usage, capacity } = row;
  const kvm = facts.virtReason === '' ? facts.virtType : `${facts.virtType} (${facts.virtReason})`;
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['id', { text: row.hostId }],
      ['name', { text: row.name }],
      ['state', { text: stateText(row), paint: row.unseen === true ? undefined : statePaint(row.state) }],
      ...(row.problem === undefined ? [] : [['problem', { text: row.problem, paint: 'bad' }] as const]),
      ['zone', { text: row.zone }],
      ['roles', { text: row.roles.join(', ') }],
      ['transport', { text: row.transport }],
      ...sshFields(row),
      ['host name', { text: facts.hostname }],
      [
        'hardware',
        {
          text: `${facts.architecture}, ${facts.cpus} CPUs, ${humanBytes(facts.memoryMib * MIB)}, ${facts.diskGib} GiB disk`,
        },
      ],
      ['virtualisation', { text: kvm }],
      ['hypervisor', { text: `${facts.hypervisor} ${facts.hypervisorVersion}, libvirt ${facts.libvirtVersion}` }],
      ['instances', { text: String(usage.instances) }],
      ['vCPUs', { text: of(usage.vcpus, capacity.vcpus) }],
      ['memory', { text: memory(row) }],
      ['disk', { text: disk(row) }],
      ['orphans', { text: row.orphans.length === 0 ? 'none' : row.orphans.join(', ') }],
      ['last report', { text: row.lastReportMs === undefined ? 'never' : `${age(row.lastReportMs, nowMs)} ago` }],
      ['added', { text: `${iso(row.addedAtMs)} (${age(row.addedAtMs, nowMs)} ago)` }],
    ],
  };
}
