import type { Facts } from './facts.ts';
import { below, differences, instancesIn } from './known-records.ts';

interface KnownOwn {
  readonly controllerId: string;
  readonly session: string;
}

/** Errors that a fault brings about rightly, with why. What a process logs as an error and is not here is a finding. */
const EXPLAINED_ERRORS: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  {
    pattern: /"message":"host lost to another owner"/,
    why: 'a worker that stood still or was cut off was overtaken, and is told so by the host: the administrator shall know',
  },
];

/** Dead letters that may be there, with why. */
const EXPLAINED_DEAD: readonly { readonly type: RegExp; readonly reason: RegExp; readonly why: string }[] = [
  {
    type: /^(open-host|instance-command)$/,
    reason: /^delivery_limit$/,
    why: 'process after process was killed while it had it; the owner sends it again by itself',
  },
];

/** Every host belongs to a controller that lives, in its present session, and to a worker that lives. */
function ownershipFindings({ records, processes }: Facts): string[] {
  const alive = new Map(below<{ session: string }>(records, 'alive/controller/'));
  const controllers = processes.filter((name) => name.startsWith('c'));
  const workers = processes.filter((name) => name.startsWith('w'));
  return [
    ...differences('alive', controllers, [...alive.keys()]),
    ...below<{ name: string }>(records, 'host/').flatMap(([hostId, { name }]) => {
      const own = records[`own/${hostId}`] as KnownOwn | undefined;
      const isOwned = own !== undefined && alive.get(own.controllerId)?.session === own.session;
      const assigned = records[`assign/compute/${hostId}`] as { workerId: string } | undefined;
      return [
        ...(isOwned ? [] : [`owner: ${name} belongs to ${JSON.stringify(own)}, which does not live`]),
        ...(assigned !== undefined && workers.includes(assigned.workerId)
          ? []
          : [`owner: ${name} is assigned to ${JSON.stringify(assigned)}, which does not live`]),
      ];
    }),
  ];
}

/** Both apis answer what the records say. */
function readFindings({ records, reads }: Facts): string[] {
  const wanted = instancesIn(records).map(({ id, state, hostId, nic }) => `${id} ${state} ${hostId} ${nic.address}`);
  return Object.entries(reads).flatMap(([api, rows]) =>
    differences(
      `read of ${api}`,
      wanted,
      Object.entries(rows).map(([id, rest]) => `${id} ${rest}`),
    ),
  );
}

function deadFindings({ deadLetters }: Facts): string[] {
  return deadLetters.flatMap(({ topic, type, reason }) =>
    EXPLAINED_DEAD.some((row) => row.type.test(type) && row.reason.test(reason))
      ? []
      : [`dead letter: ${type} for ${topic}: ${reason}`],
  );
}

function logFindings({ logs }: Facts): string[] {
  const strange = logs.flatMap(({ process, line }) => {
    let level: unknown;
    try {
      level = (JSON.parse(line) as { level?: unknown }).level;
    } catch {
      return EXPLAINED_ERRORS.some(({ pattern }) => pattern.test(line)) ? [] : [`log: ${process}: ${line}`];
    }
    const isFine = level !== 'error' || EXPLAINED_ERRORS.some(({ pattern }) => pattern.test(line));
    return isFine ? [] : [`log: ${process}: ${line}`];
  });
  return strange;
}

export function auditProcesses(facts: Facts): string[] {
  return [...ownershipFindings(facts), ...readFindings(facts), ...deadFindings(facts), ...logFindings(facts)];
}
