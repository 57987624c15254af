import { unreachable } from '../../base/assert.ts';
import type { InstanceRecord, InstanceVerb, StateReason } from '../../domain/instance.ts';
import { commandId, newWork, transition, without } from '../../domain/instance.ts';
import type { Outcome } from '../../messages/worker.ts';

/** All that a decision about one instance is made of. */
export interface ReconcileInput {
  readonly record: InstanceRecord;
  /** Why its host can't be worked with now; absent: it answers. */
  readonly hostProblem?: string;
  /** Its host was given up, by this operation. */
  readonly hostLost?: { readonly operationId: string };
  /** What its host last said of its domain; absent: nobody knows. */
  readonly observed?: { readonly power: string; readonly reason?: string };
  /** The outcome of record.work, if it has one. */
  readonly outcome?: Outcome;
  /** Of an instance that never ran: its volumes are not made yet, or (`problem`) never will be. */
  readonly launch?: { readonly waits: boolean; readonly problem?: string };
  /** When the records were put back from an older copy; absent: never. */
  readonly restoredAtMs?: number;
  readonly nowMs: number;
  readonly maxAttempts: number;
  readonly terminatedKeepMs: number;
}

/** What to do: at most one of `next` (write this record) and `send` (the record's work is to be sent, again). */
export interface Decision {
  readonly next?: InstanceRecord;
  readonly send?: boolean;
  /** Address, MAC, interface name and capacity are given back together with `next`. */
  readonly release?: boolean;
  /** The record itself has had its time. */
  readonly forget?: boolean;
  /** The record's operation is done for this instance. */
  readonly finished?: { readonly error?: { readonly code: string; readonly message: string } };
  readonly wakeInMs?: number;
}

const NOTHING: Decision = {};

/**
 * The whole of an instance's life as one function: `(record, last report, now) -> next record, or work to send`. It is called after every change and
 * report and may be called at any other time: called twice it decides the same. No I/O, no clock.
 */
export function reconcileInstance(input: ReconcileInput): Decision {
  const { record } = input;
  if (input.hostLost !== undefined && record.state !== 'terminated') return endLost(input, input.hostLost.operationId);
  if (record.work !== undefined) return advanceWork(input, record.work);
  switch (record.state) {
    case 'pending':
      return begin(input, 'run');
    case 'running':
      return keepRunning(input);
    case 'stopping':
      return begin(input, 'stop');
    case 'stopped':
      return keepStopped(input);
    case 'shutting-down':
      return begin(input, 'remove');
    case 'terminated':
      return expire(input);
    default:
      return unreachable(record.state);
  }
}

/** The host is gone for good, by an administrator's word: nothing is asked of it any more. */
function endLost({ record, nowMs }: ReconcileInput, operationId: string): Decision {
  const message = `its host was removed as lost (${operationId})`;
  const idle = without(record, 'work');
  const ending = transition(idle, 'shutting-down', nowMs, {
    desired: 'terminated',
    generation: record.generation + 1,
    stateReason: { code: 'Server.HostLost', message },
  });
  return {
    next: transition(ending, 'terminated', nowMs),
    release: true,
    finished: record.desired === 'terminated' ? {} : { error: { code: 'Unreachable', message } },
  };
}

/** Writes new work of a new generation into the record; it is sent at the next look. */
function begin({ record, nowMs }: ReconcileInput, verb: InstanceVerb, patch: Partial<InstanceRecord> = {}): Decision {
  const generation = record.generation + 1;
  return { next: { ...record, ...patch, generation, work: newWork(record.id, generation, verb, nowMs) } };
}

function keepRunning(input: ReconcileInput): Decision {
  const { record, observed, hostProblem, nowMs } = input;
  if (observed === undefined || hostProblem !== undefined) return NOTHING;
  // A guest that begins anew was not asked to switch off.
  const anew = { ...input, record: without(record, 'offAskedAtMs') };
  if (observed.power === 'absent') return begin(anew, 'run', { stateReason: lost('its domain was no longer defined') });
  if (observed.power !== 'shutoff' && observed.power !== 'crashed') return NOTHING;
  // Our own doing must not stop the instance, let alone end it.
  const isLate = record.offAskedAtMs !== undefined && nowMs - record.offAskedAtMs <= LATE_OFF_MS;
  if (observed.reason === 'shutdown' && isLate) return begin(anew, 'run', { stateReason: LATE_OFF });
  if (observed.reason === 'shutdown') return end(input, ownEnd(input), SWITCHED_ITSELF_OFF);
  if (observed.reason === 'destroyed') return end(input, 'stop', DESTROYED_BY_OTHERS);
  return begin(anew, 'run', { stateReason: lost(`its domain was found off (${observed.reason ?? observed.power})`) });
}

const SWITCHED_ITSELF_OFF: StateReason = {
  code: 'Client.InstanceInitiatedShutdown',
  message: 'the guest powered itself off',
};
const DESTROYED_BY_OTHERS: StateReason = {
  code: 'Server.InstanceShutdown',
  message: 'the domain was destroyed on its host, not by this cloud',
};
/** A guest that has not switched off by then did not listen, and does it by itself later. */
const LATE_OFF_MS = 15 * 60_000;
const LATE_OFF: StateReason = {
  code: 'Server.InternalError',
  message: 'its guest switched off for a reboot that had failed by then, so it is started again',
};
const ENDS = {
  stop: { state: 'stopping', desired: 'stopped' },
  remove: { state: 'shutting-down', desired: 'terminated' },
} as const;

function end({ record, nowMs }: ReconcileInput, verb: keyof typeof ENDS, stateReason: StateReason): Decision {
  const { state, desired } = ENDS[verb];
  const generation = record.generation + 1;
  const work = newWork(record.id, generation, verb, nowMs);
  return { next: transition(record, state, nowMs, { desired, generation, stateReason, work }) };
}

/** What becomes of an instance whose guest powers itself off. */
function ownEnd(input: ReconcileInput): keyof typeof ENDS {
  return input.record.shutdownBehavior === 'terminate' && !isOfThePast(input) ? 'remove' : 'stop';
}

/**
 * The record is older than the copy that was put back. What happened to the instance after it was written nobody knows: it may have been stopped by its user,
 * or have run for long. So nothing of it is destroyed by inference; a user may still do so.
 */
function isOfThePast({ record, restoredAtMs }: ReconcileInput): boolean {
  return restoredAtMs !== undefined && record.stateChangedAtMs <= restoredAtMs;
}

function lost(what: string): StateReason {
  return { code: 'Server.InstanceRestarted', message: `${what}, so it is started again` };
}

function keepStopped(input: ReconcileInput): Decision {
  const { record, observed, hostProblem } = input;
  if (hostProblem !== undefined || observed?.power !== 'running') return NOTHING;
  return begin(input, 'stop', {
    stateReason: {
      code: 'Server.InstanceShutdown',
      message: `its domain was started on its host, not by this cloud, and is stopped again; use "novactl instance start ${record.id}"`,
    },
  });
}

function expire({ record, nowMs, terminatedKeepMs }: ReconcileInput): Decision {
  const ageMs = nowMs - record.stateChangedAtMs;
  return ageMs >= terminatedKeepMs ? { forget: true } : { wakeInMs: terminatedKeepMs - ageMs };
}

function advanceWork(input: ReconcileInput, work: NonNullable<InstanceRecord['work']>): Decision {
  const { outcome, nowMs, hostProblem, launch } = input;
  if (launch?.problem !== undefined) return giveUp(input, { code: 'HostError', message: launch.problem });
  if (launch?.waits === true) return NOTHING;
  if (outcome !== undefined) return outcome.ok ? succeeded(input, work.verb) : failed(input, outcome);
  const waitMs = (work.notBeforeMs ?? nowMs) - nowMs;
  // More than any back-off: the wall clock was set back meanwhile.
  if (waitMs > 0 && waitMs <= MAX_BACKOFF_MS) return { wakeInMs: waitMs };
  return hostProblem === undefined ? { send: true } : NOTHING;
}

function succeeded({ record, nowMs }: ReconcileInput, verb: InstanceVerb): Decision {
  const idle = without(record, 'work');
  const rested = without(idle, 'offAskedAtMs');
  const finished = {};
  switch (verb) {
    case 'run': {
      const next = transition(idle, 'running', nowMs, { launchedAtMs: record.launchedAtMs ?? nowMs });
      // A restart that the cloud itself decided keeps its reason visible; a start that was asked for has none.
      return { next: record.state === 'pending' ? without(next, 'stateReason') : next, finished };
    }
    case 'stop':
      return { next: transition(rested, 'stopped', nowMs), finished };
    case 'reboot':
      return { next: rested, finished };
    case 'remove':
      return { next: transition(idle, 'terminated', nowMs), release: true, finished };
    default:
      return unreachable(verb);
  }
}

const MAX_BACKOFF_MS = 60_000;

/** Doubling from 1 s to 60 s. */
export function backoffMs(attempt: number): number {
  return Math.min(MAX_BACKOFF_MS, 1000 * 2 ** (attempt - 1));
}

function failed(input: ReconcileInput, outcome: Outcome): Decision {
  const { record, nowMs, maxAttempts } = input;
  const work = record.work;
  if (work === undefined) return NOTHING;
  const error = outcome.error ?? { code: 'InternalError', message: 'the worker gave no reason', retryable: true };
  // Stopping and removing are never given up, and a host that can't be reached is waited for: the intent stands.
  const patient = work.verb === 'stop' || work.verb === 'remove' || error.code === 'Unavailable';
  if (!patient && (!error.retryable || work.attempt >= maxAttempts)) return giveUp(input, error);
  const attempt = work.attempt + 1;
  const { code, message, step } = error;
  return {
    next: {
      ...record,
      work: {
        ...work,
        attempt,
        commandId: commandId({ ...work, instanceId: record.id, generation: record.generation, attempt }),
        notBeforeMs: nowMs + backoffMs(work.attempt),
        lastError: { code, message, ...(step === undefined ? {} : { step }) },
      },
    },
  };
}

function giveUp(input: ReconcileInput, error: { code: string; message: string; step?: string | undefined }): Decision {
  const { record, nowMs } = input;
  const finished = { error: { code: error.code, message: error.message } };
  const stateReason: StateReason = {
    code: 'Server.InternalError',
    message: error.message,
    ...(error.step === undefined ? {} : { step: error.step }),
  };
  const generation = record.generation + 1;
  // It shall run all the same, and the reboot may have left it off.
  if (record.work?.verb === 'reboot') {
    const asked = record.work.force === true ? {} : { offAskedAtMs: nowMs };
    return { ...begin(input, 'run', { stateReason, ...asked }), finished };
  }
  if (record.launchedAtMs === undefined && !isOfThePast(input)) {
    const work = newWork(record.id, generation, 'remove', nowMs);
    return {
      next: transition(record, 'shutting-down', nowMs, { desired: 'terminated', generation, stateReason, work }),
      finished,
    };
  }
  const work = newWork(record.id, generation, 'stop', nowMs, true);
  return {
    next: transition(record, 'stopping', nowMs, { desired: 'stopped', generation, stateReason, work }),
    finished,
  };
}
