import type { InstanceRecord, InstanceState } from '../../src/domain/instance.ts';
import type {
  CapacityRecord,
  ClaimRecord,
  ImageRecord,
  OperationRecord,
  ReservationRecord,
  TokenRecord,
} from '../../src/domain/records.ts';
import type { UsageRecord } from '../../src/domain/quota.ts';
import { Violation } from './history.ts';
import type { Committed, Records } from './store-model.ts';

/** EC2's life cycle, written down a second time. */
const MAY_BECOME: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  pending: ['running', 'stopping', 'stopped', 'shutting-down'],
  running: ['stopping', 'shutting-down'],
  stopping: ['stopped', 'shutting-down'],
  stopped: ['pending', 'shutting-down'],
  'shutting-down': ['terminated'],
  terminated: [],
};

const QUARANTINE_MS = 120_000;
const TOKEN_KEEP_MS = 24 * 3_600_000;
const OWN = '4 nothing is owned twice, and nothing without an owner';
const SUM = '4 capacity is the sum of the instances';
const USAGE = '4 what is used of a quota is the sum of what there is';

/** What was ever true of an instance. */
export interface Past {
  readonly hostId: string;
  /** Verbs that its record had as work, or 'remove' when it was shutting down or terminated. */
  readonly wanted: Set<string>;
  launched: boolean;
  /** How often the cloud found it off and called that the guest's or an administrator's doing. */
  foundOff: number;
  /** How often the cloud found its domain lost, and started it again. */
  restarted: number;
}

/** Judges every transaction by the records that it leaves, in the order of revisions. */
export class RecordChecker {
  readonly past = new Map<string, Past>();
  /** That were ever made. */
  reservations = 0;
  readonly #nowMs: () => number;
  readonly #skewMs: () => number;
  /** Of each key, before the change that is being judged. */
  readonly #texts = new Map<string, string>();
  readonly #deletedAtMs = new Map<string, number>();

  /** `skewMs`: so much the clocks of those who write may differ. */
  constructor(nowMs: () => number, skewMs: () => number = () => 0) {
    this.#nowMs = nowMs;
    this.#skewMs = skewMs;
  }

  /** Another state was put in the place of the one that is known. */
  forget(model: Records): void {
    this.#texts.clear();
    this.#deletedAtMs.clear();
    for (const past of this.past.values()) past.launched = false;
    for (const { key, value } of model.range('')) this.#texts.set(key, JSON.stringify(value));
    for (const { value } of model.range<InstanceRecord>('instance/')) this.#note(value);
  }

  check(change: Committed, model: Records): void {
    let sums = false;
    for (const [key, text] of change.ops) {
      const before = this.#texts.get(key);
      if (text === undefined) this.#gone(key, before);
      else this.#put(key, before, text, change);
      sums ||= /^(instance|capacity|reservation|usage|image)\//.test(key);
      if (text === undefined) this.#texts.delete(key);
      else this.#texts.set(key, text);
    }
    for (const [key, text] of change.ops) {
      if (key.startsWith('instance/') && text !== undefined) checkHoldings(JSON.parse(text) as InstanceRecord, model);
    }
    if (sums) {
      checkSums(model);
      checkUsage(model);
    }
  }

  #put(key: string, before: string | undefined, text: string, change: Committed): void {
    const kind = key.slice(0, key.indexOf('/'));
    if (kind === 'instance') this.#instance(before, JSON.parse(text) as InstanceRecord);
    else if (kind === 'address' || kind === 'mac' || kind === 'ifname') this.#claim(key, before, text, change);
    else if (kind === 'reservation') this.reservations += before === undefined ? 1 : 0;
    else if (kind === 'token') this.#token(key, before, text);
    else if (kind === 'operation') this.#operation(before, text);
  }

  #instance(beforeText: string | undefined, record: InstanceRecord): void {
    const before = beforeText === undefined ? undefined : (JSON.parse(beforeText) as InstanceRecord);
    this.#note(record);
    if (before === undefined) return;
    if (before.state !== record.state && !MAY_BECOME[before.state].includes(record.state)) {
      throw new Violation('3 states follow the table', `${record.id} went from ${before.state} to ${record.state}`);
    }
    if (record.generation < before.generation) {
      throw new Violation(
        '3 intent never goes back',
        `${record.id} went from generation ${before.generation} to ${record.generation}`,
      );
    }
    if (before.hostId !== record.hostId || JSON.stringify(before.nic) !== JSON.stringify(record.nic)) {
      throw new Violation(OWN, `${record.id} changed its host or its address`);
    }
    this.#causes(before, record);
  }

  /** What the cloud calls somebody else's doing, to be compared with what others did. */
  #causes(before: InstanceRecord, record: InstanceRecord): void {
    const code = record.stateReason?.code;
    const begins = before.work === undefined && record.work?.verb === 'run' && before.state === 'running';
    if (begins && code === 'Server.InstanceRestarted') this.#of(record.id).restarted += 1;
    const stops = before.state === 'running' && record.state === 'stopping';
    if (stops && (code === 'Client.InstanceInitiatedShutdown' || code === 'Server.InstanceShutdown')) {
      this.#of(record.id).foundOff += 1;
    }
  }

  #of(id: string): Past {
    const past = this.past.get(id);
    if (past === undefined) throw new Error(`${id} was never noted`);
    return past;
  }

  #note({ id, hostId, work, state, launchedAtMs }: InstanceRecord): void {
    const past = this.past.get(id) ?? { hostId, wanted: new Set<string>(), launched: false, foundOff: 0, restarted: 0 };
    this.past.set(id, past);
    if (work !== undefined) past.wanted.add(work.verb);
    if (state === 'shutting-down' || state === 'terminated') past.wanted.add('remove');
    past.launched ||= launchedAtMs !== undefined;
  }

  #claim(key: string, before: string | undefined, text: string, change: Committed): void {
    const now = JSON.parse(text) as ClaimRecord;
    const was = before === undefined ? undefined : (JSON.parse(before) as ClaimRecord);
    if (now.releasedAtMs === undefined && now.owner.startsWith('i-') && was?.owner !== now.owner) {
      if (!change.ops.has(`instance/${now.owner}`))
        throw new Violation(OWN, `${key} was given to ${now.owner}, which has no record`);
    }
    if (was === undefined || was.owner === now.owner) return;
    if (was.releasedAtMs === undefined)
      throw new Violation(OWN, `${key} was taken from ${was.owner} and given to ${now.owner}`);
    const restedMs = this.#nowMs() - was.releasedAtMs;
    if (restedMs < QUARANTINE_MS - this.#skewMs()) {
      throw new Violation(
        '4 an address rests before it is given again',
        `${key} was given to ${now.owner} after ${restedMs} ms`,
      );
    }
  }

  #gone(key: string, before: string | undefined): void {
    if (before === undefined) return;
    if (key.startsWith('token/')) this.#deletedAtMs.set(key, (JSON.parse(before) as TokenRecord).atMs);
    if (key.startsWith('instance/')) {
      const { state, id } = JSON.parse(before) as InstanceRecord;
      if (state !== 'terminated')
        throw new Violation('2 a record goes when the thing is gone', `${id} was deleted in state ${state}`);
    }
    if (!key.startsWith('address/')) return;
    const { releasedAtMs, owner } = JSON.parse(before) as ClaimRecord;
    if (releasedAtMs === undefined) throw new Violation(OWN, `${key} was deleted, and ${owner} has it`);
    if (this.#nowMs() - releasedAtMs < QUARANTINE_MS) {
      throw new Violation('4 an address rests before it is given again', `${key} was forgotten too early`);
    }
  }

  #token(key: string, before: string | undefined, text: string): void {
    if (before !== undefined)
      throw new Violation('5 the same token twice has one effect', `${key} was used for a second operation`);
    const deleted = this.#deletedAtMs.get(key);
    const { atMs } = JSON.parse(text) as TokenRecord;
    if (deleted !== undefined && atMs - deleted < TOKEN_KEEP_MS) {
      throw new Violation('5 the same token twice has one effect', `${key} was forgotten too early`);
    }
  }

  #operation(before: string | undefined, text: string): void {
    if (before === undefined) return;
    const was = JSON.parse(before) as OperationRecord;
    if (was.endedAtMs !== undefined && before !== text) {
      throw new Violation('8 an operation that has ended stays as it is', `${was.id} was changed after its end`);
    }
  }
}

/** A live instance owns its address, MAC and interface name; one that is terminated owns nothing. */
function checkHoldings({ id, nic, state }: InstanceRecord, model: Records): void {
  const keys = [`address/${nic.networkId}/${nic.address}`, `mac/${nic.mac}`, `ifname/${nic.tap}`];
  for (const key of keys) {
    const claim = model.get<ClaimRecord>(key);
    const mine = claim?.owner === id && claim.releasedAtMs === undefined;
    if (mine !== (state !== 'terminated')) {
      throw new Violation(
        OWN,
        `${id} is ${state}, and ${key} is ${mine ? 'its' : `not its (${JSON.stringify(claim)})`}`,
      );
    }
  }
}

function checkSums(model: Records): void {
  const live = model.range<InstanceRecord>('instance/').filter(({ value }) => value.state !== 'terminated');
  const coming = model
    .range<ReservationRecord>('reservation/')
    .flatMap(({ value: { remaining } }) =>
      (remaining?.placements ?? []).map(({ hostId }) => ({ ...remaining?.template, hostId })),
    );
  const all = [...live.map(({ value }) => value), ...coming];
  for (const { key, value } of model.range<CapacityRecord>('capacity/')) {
    const mine = all.filter(({ hostId }) => `capacity/${hostId}` === key);
    const sum = (what: 'vcpus' | 'memoryMib' | 'diskGib'): number =>
      mine.reduce((total, one) => total + (one[what] ?? 0), 0);
    const right = [mine.length, sum('vcpus'), sum('memoryMib'), sum('diskGib')].join(' ');
    const said = [value.instances, value.vcpus, value.memoryMib, value.diskGib].join(' ');
    if (said !== right) throw new Violation(SUM, `${key} says ${said}, and its instances have ${right}`);
  }
}

/** Of each project: instances that live or are to come, what they take, and images. */
function checkUsage(model: Records): void {
  for (const { key, value } of model.range<UsageRecord>('usage/')) {
    const [, projectId, user] = key.split('/');
    const isMine = (one: { projectId: string; user?: string }): boolean =>
      one.projectId === projectId && (user === '' || one.user === user);
    const live = model.range<InstanceRecord>('instance/').map((entry) => entry.value);
    const coming = model.range<ReservationRecord>('reservation/').flatMap(({ value: { remaining } }) => {
      const { template, placements } = remaining ?? {};
      return template === undefined ? [] : (placements ?? []).map(() => template);
    });
    const takers = [...live.filter(({ state }) => state !== 'terminated'), ...coming].filter(isMine);
    const right = {
      instances: takers.length,
      vcpus: takers.reduce((sum, one) => sum + one.vcpus, 0),
      memoryMib: takers.reduce((sum, one) => sum + one.memoryMib, 0),
      images: model.range<ImageRecord>('image/').filter((entry) => isMine(entry.value)).length,
    };
    for (const [kind, count] of Object.entries(right)) {
      const said = value.used[kind as keyof typeof right] ?? 0;
      if (said !== count) throw new Violation(USAGE, `${key} says ${said} ${kind}, and there are ${count}`);
    }
  }
}
