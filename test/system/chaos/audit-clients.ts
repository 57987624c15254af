import type { Asked, Facts } from './facts.ts';
import { below, instancesIn, type KnownInstance, type KnownReservation, tokensOf } from './known-records.ts';

/** What an operation means for the instances that it names. */
const INTENT: Readonly<Record<string, string>> = {
  RunInstances: 'running',
  StartInstances: 'running',
  StopInstances: 'stopped',
  TerminateInstances: 'terminated',
};
/** The cloud ended what was asked for, and says why: what its hosts did not let it do after many attempts, or what the guest did. */
const CLOUDS_OWN: readonly string[] = ['Server.InternalError', 'Server.InstanceShutdown'];

/** Each acknowledged change has its token, and the operation that its answer named; what was refused has neither. */
function tokenFindings({ records, asked }: Facts): string[] {
  const operations = new Set(below<{ id: string }>(records, 'operation/').map(([, { id }]) => id));
  return asked.flatMap(({ token, operation, outcome, operationId }) => {
    const kept = tokensOf(records, operation).get(token);
    if (outcome === 'refused') {
      return kept === undefined
        ? []
        : [`token: ${operation} ${token} was refused, and was done as ${kept.operationId}`];
    }
    if (outcome === 'unknown') return [];
    if (kept === undefined) return [`missing: ${operation} ${token} was acknowledged, and its token is not known`];
    const isSame = operationId === undefined || operationId === kept.operationId;
    return [
      ...(isSame ? [] : [`twice: ${operation} ${token} was answered as ${operationId} and is ${kept.operationId}`]),
      ...(operations.has(kept.operationId) ? [] : [`missing: operation ${kept.operationId} of ${operation} ${token}`]),
    ];
  });
}

/** One token, one reservation, with the instances that were answered. */
function runFindings({ records, asked }: Facts): string[] {
  const reservations = new Map(below<KnownReservation>(records, 'reservation/'));
  const tokens = tokensOf(records, 'RunInstances');
  const answered = [...tokens.values()].map(
    ({ answer }) => (JSON.parse(answer ?? '{}') as { reservationId?: string }).reservationId,
  );
  const ownerless = [...reservations.keys()].flatMap((id) => {
    const times = answered.filter((one) => one === id).length;
    return times === 1 ? [] : [`twice: reservation ${id} belongs to ${times} tokens`];
  });
  const strange = [...tokens.keys()].flatMap((token) =>
    asked.some((one) => one.operation === 'RunInstances' && one.token === token) ? [] : [`twice: nobody used ${token}`],
  );
  const missing = asked.flatMap(({ token, outcome, instanceIds = [], reservationId = '' }) => {
    if (outcome !== 'done' || instanceIds.length === 0) return [];
    const kept = reservations.get(reservationId)?.instanceIds ?? [];
    return instanceIds.every((id) => kept.includes(id)) && kept.length === instanceIds.length
      ? []
      : [`missing: ${token} was answered ${instanceIds.join(' ')}, reservation ${reservationId} has ${kept.join(' ')}`];
  });
  return [...ownerless, ...strange, ...missing];
}

/** What may have become of an instance: what its client was told last, and what came after that and is not known. */
function allowed(changes: readonly Asked[], id: string): Set<string> {
  let states = new Set<string>();
  for (const { operation, outcome, targets, instanceIds } of changes) {
    const intent = INTENT[operation];
    if (intent === undefined || outcome === 'refused') continue;
    if (!targets.includes(id) && instanceIds?.includes(id) !== true) continue;
    states = outcome === 'done' ? new Set([intent]) : new Set([...states, intent]);
  }
  return states;
}

/** The last word of a client is what its instances are. */
function intentFindings({ records, asked }: Facts): string[] {
  const known = new Map(instancesIn(records).map((record): [string, KnownInstance] => [record.id, record]));
  const ids = new Set(asked.flatMap(({ instanceIds = [] }) => instanceIds));
  return [...ids].flatMap((id) => {
    const record = known.get(id);
    if (record === undefined) return [`missing: ${id} was acknowledged and has no record`];
    const states = allowed(asked, id);
    const { state, stateReason } = record;
    if (states.has(state) || (stateReason !== undefined && CLOUDS_OWN.includes(stateReason.code))) return [];
    const why = JSON.stringify(stateReason ?? 'no reason');
    return [`intent: ${id} is ${state} (${why}), and its client was told ${[...states].join(' or ')}`];
  });
}

function keyFindings({ records, asked }: Facts): string[] {
  const kept = new Set(below<{ name: string }>(records, 'keypair/').map(([, { name }]) => name));
  const names = new Set(asked.flatMap(({ operation, targets }) => (operation.endsWith('KeyPair') ? targets : [])));
  const strange = [...kept].flatMap((name) => (names.has(name) ? [] : [`key: nobody asked for ${name}`]));
  const wrong = [...names].flatMap((name) => {
    const mine = asked.filter(({ targets, outcome }) => targets.includes(name) && outcome !== 'refused');
    const last = mine.at(-1);
    if (last === undefined) return kept.has(name) ? [`key: ${name} was refused and is there`] : [];
    if (last.outcome === 'unknown') return [];
    const wanted = last.operation === 'CreateKeyPair';
    return kept.has(name) === wanted ? [] : [`key: ${last.operation} ${name} was acknowledged and is not so`];
  });
  return [...strange, ...wrong];
}

/** What clients were told, in the order in which they were told it, against what is there. */
export function auditClients(facts: Facts): string[] {
  return [
    ...tokenFindings(facts),
    ...runFindings(facts),
    ...intentFindings(facts),
    ...keyFindings(facts),
    ...facts.wrong.map((text) => `answer: ${text}`),
  ];
}
