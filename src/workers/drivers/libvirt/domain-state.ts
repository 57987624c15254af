import type { HypervisorEvent, PowerState, ShutoffReason } from '../../../ports/hypervisor.ts';
import type { LifecycleMessage } from './procedures.ts';

/** virDomainState -> ours. 4 stands while QEMU ends; 7 is a guest asleep in S3. */
const POWER: Readonly<Record<number, PowerState>> = {
  1: 'running',
  2: 'running',
  3: 'paused',
  4: 'shutting-down',
  5: 'shutoff',
  6: 'crashed',
  7: 'paused',
};

const PAUSED = 3;
const SHUTOFF = 5;
/** virDomainPausedReason: QEMU is up, the start has not ended. Neither running nor paused by anyone: look again. */
const PAUSED_STARTING_UP = 11;

/** virDomainShutoffReason by number. */
const SHUTOFF_REASON: readonly ShutoffReason[] = [
  'unknown',
  'shutdown',
  'destroyed',
  'crashed',
  'migrated',
  'saved',
  'failed',
  'snapshot',
  'daemon',
];

export interface Power {
  readonly power: PowerState;
  readonly reason?: ShutoffReason;
}

/** What DOMAIN_GET_STATE and the statistics say. A domain that is starting up is 'unknown'. */
export function powerOf(state: number, reason: number): Power {
  if (state === PAUSED && reason === PAUSED_STARTING_UP) return { power: 'unknown' };
  const power = POWER[state] ?? 'unknown';
  return state === SHUTOFF ? { power, reason: SHUTOFF_REASON[reason] ?? 'unknown' } : { power };
}

interface EventRow {
  readonly name: string;
  readonly power: PowerState;
  readonly details: readonly string[];
}

/** virDomainEventType by number, each with its details by number. */
const EVENTS: readonly EventRow[] = [
  { name: 'defined', power: 'unknown', details: ['added', 'updated', 'renamed', 'snapshot'] },
  { name: 'undefined', power: 'unknown', details: ['removed', 'renamed'] },
  { name: 'started', power: 'running', details: ['booted', 'migrated', 'restored', 'snapshot', 'wakeup'] },
  {
    name: 'suspended',
    power: 'paused',
    details: [
      'paused',
      'migrated',
      'ioerror',
      'watchdog',
      'restored',
      'snapshot',
      'api-error',
      'postcopy',
      'postcopy-failed',
    ],
  },
  { name: 'resumed', power: 'running', details: ['unpaused', 'migrated', 'snapshot', 'postcopy'] },
  {
    name: 'stopped',
    power: 'shutoff',
    details: ['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'snapshot'],
  },
  { name: 'shutdown', power: 'shutting-down', details: ['finished', 'guest', 'host'] },
  { name: 'pmsuspended', power: 'paused', details: ['memory', 'disk'] },
  { name: 'crashed', power: 'crashed', details: ['panicked', 'crashloaded'] },
];

const STOPPED = 5;
/** The details of a stop, in the words of ShutoffReason. */
const isShutoffReason = (word: string): word is ShutoffReason => (SHUTOFF_REASON as readonly string[]).includes(word);

/** A lifecycle message as the port's event; `detail` is for instance 'stopped/crashed'. */
export function lifecycleEvent(message: LifecycleMessage): HypervisorEvent {
  const row = EVENTS[message.event];
  const word = row?.details[message.detail] ?? String(message.detail);
  const base = {
    kind: 'domain',
    name: message.dom.name,
    uuid: message.dom.uuid,
    power: row?.power ?? 'unknown',
    detail: `${row?.name ?? String(message.event)}/${word}`,
  } as const;
  if (message.event !== STOPPED) return base;
  return { ...base, reason: isShutoffReason(word) ? word : 'unknown' };
}
