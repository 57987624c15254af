import type { Facts } from './facts.ts';
import {
  below,
  differences,
  doubled,
  instancesIn,
  type KnownInstance,
  type KnownOperation,
  type KnownReservation,
  liveIn,
} from './known-records.ts';

type Records = Facts['records'];

interface KnownClaim {
  readonly owner: string;
  readonly releasedAtMs?: number;
}

const AT_REST: readonly string[] = ['running', 'stopped', 'terminated'];

/** What is still under way, or half done. Empty: the cloud is at rest. */
export function stuckIn(records: Records): string[] {
  const instances = instancesIn(records).flatMap((record) => {
    const what = [
      ...(AT_REST.includes(record.state) ? [] : [`is ${record.state}`]),
      ...(record.work === undefined ? [] : [`has work ${JSON.stringify(record.work)}`]),
      ...(AT_REST.includes(record.state) && record.state !== record.desired
        ? [`is ${record.state} and shall be ${record.desired}`]
        : []),
    ];
    return what.map((text) => `stuck: ${record.id} ${text}`);
  });
  const operations = below<KnownOperation>(records, 'operation/').flatMap(([, { id, name, status, pending }]) =>
    status === 'running' ? [`stuck: operation ${id} ${name} runs, for ${pending.join(' ')}`] : [],
  );
  const reservations = below<KnownReservation>(records, 'reservation/').flatMap(([, { id, remaining }]) =>
    remaining === undefined ? [] : [`stuck: reservation ${id} is half made`],
  );
  const held = records['held'] === undefined ? [] : ['stuck: the cloud waits for an adoption'];
  return [...instances, ...operations, ...reservations, ...held];
}

function capacityFindings(records: Records): string[] {
  const live = liveIn(records);
  return below<{ name: string }>(records, 'host/').flatMap(([hostId, { name }]) => {
    const mine = live.filter((record) => record.hostId === hostId);
    const sum = (of: (record: KnownInstance) => number): number => mine.reduce((total, one) => total + of(one), 0);
    const wanted = {
      instances: mine.length,
      vcpus: sum(({ vcpus }) => vcpus),
      memoryMib: sum(({ memoryMib }) => memoryMib),
      diskGib: sum(({ diskGib }) => diskGib),
    };
    const counted = records[`capacity/${hostId}`] ?? { instances: 0, vcpus: 0, memoryMib: 0, diskGib: 0 };
    return Object.entries(wanted).flatMap(([key, value]) =>
      counted[key] === value ? [] : [`capacity: ${name} counts ${String(counted[key])} ${key}, its instances ${value}`],
    );
  });
}

/** Each thing that an instance has is its own, is claimed by it, and is claimed by nobody who is gone. */
function claimFindings(records: Records): string[] {
  const live = liveIn(records);
  const kinds: readonly (readonly [prefix: string, of: (record: KnownInstance) => string])[] = [
    ['address/', ({ nic }) => `${nic.networkId}/${nic.address}`],
    ['mac/', ({ nic }) => nic.mac],
    ['ifname/', ({ nic }) => nic.tap],
  ];
  return kinds.flatMap(([prefix, of]) => {
    const wanted = live.map((record) => `${prefix}${of(record)} of ${record.id}`);
    const claimed = below<KnownClaim>(records, prefix).flatMap(([rest, { owner, releasedAtMs }]) =>
      // A bridge's MAC and name belong to its project.
      releasedAtMs === undefined && owner.startsWith('i-') ? [`${prefix}${rest} of ${owner}`] : [],
    );
    const twice = doubled(live.map(of)).map((one) => `claim: ${prefix}${one} has two owners`);
    return [...differences('claim', wanted, claimed), ...twice];
  });
}

/** Instances and reservations say the same of each other. */
function reservationFindings(records: Records): string[] {
  const made = below<KnownReservation>(records, 'reservation/').flatMap(([, { id, instanceIds }]) =>
    instanceIds.map((instanceId) => `${instanceId} of ${id}`),
  );
  const found = instancesIn(records).map(({ id, reservationId }) => `${id} of ${reservationId}`);
  return differences('reservation', made, found);
}

export function auditRecords({ records }: Facts): string[] {
  return [
    ...stuckIn(records),
    ...capacityFindings(records),
    ...claimFindings(records),
    ...reservationFindings(records),
  ];
}
