import { CloudError } from '../base/errors.ts';

export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';
/** What the instance shall become; the reconciler works until state says so. */
export type DesiredState = 'running' | 'stopped' | 'terminated';

/** The one table of legal transitions (EC2's life cycle). */
export const INSTANCE_TRANSITIONS: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  pending: ['running', 'stopping', 'stopped', 'shutting-down'],
  running: ['stopping', 'shutting-down'],
  stopping: ['stopped', 'shutting-down'],
  stopped: ['pending', 'shutting-down'],
  'shutting-down': ['terminated'],
  terminated: [],
};

/** EC2's numbers for the states. Source: EC2 API reference, InstanceState. */
export const INSTANCE_STATE_CODE: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export interface StateReason {
  readonly code: string;
  readonly message: string;
  readonly step?: string;
}

/** What a worker is asked to do for an instance. */
export type InstanceVerb = 'run' | 'stop' | 'reboot' | 'remove';

/** The command that is to be done now; written before it is sent. */
export interface InstanceWork {
  readonly verb: InstanceVerb;
  /** Names the command: repeated sends carry the same id and have one effect. */
  readonly commandId: string;
  readonly attempt: number;
  readonly sinceMs: number;
  /** Not before this time (back-off after a failed attempt). */
  readonly notBeforeMs?: number;
  readonly lastError?: { readonly code: string; readonly message: string; readonly step?: string };
  /** stop, reboot: do not ask the guest first. */
  readonly force?: boolean;
}

export interface InstanceNic {
  readonly networkId: string;
  readonly address: string;
  readonly mac: string;
  readonly tap: string;
}

export interface InstanceRecord {
  readonly v: 1;
  readonly id: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly projectId: string;
  /** Who started it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  readonly name?: string;
  readonly imageId: string;
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly typeName: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly rootDiskBytes: number;
  /** What is claimed of the host for it, rounded up. */
  readonly diskGib: number;
  readonly keyName?: string;
  /** OpenSSH public key line, as it was when the instance was started. */
  readonly publicKey?: string;
  readonly hasUserData?: boolean;
  /** What its image said when it was started; absent in records of before that was kept. */
  readonly architecture?: 'x86_64' | 'arm64';
  readonly platform?: string;
  readonly rootDeviceName?: string;
  readonly virtualizationType?: 'hvm' | 'paravirtual';
  /** The ClientToken of its reservation. */
  readonly clientToken?: string;
  /** TerminateInstances, StopInstances refuse it. */
  readonly disableApiTermination?: boolean;
  readonly disableApiStop?: boolean;
  /** What becomes of it when its guest switches itself off; absent: it is stopped. */
  readonly shutdownBehavior?: 'stop' | 'terminate';
  readonly hostId: string;
  readonly zone: string;
  readonly nic: InstanceNic;
  /** Its security groups; absent: it was started without any being named, so it has the default one where there are groups. */
  readonly groupIds?: readonly string[];
  readonly state: InstanceState;
  readonly desired: DesiredState;
  /** Raised by every change of intent; a worker drops commands of an older one. */
  readonly generation: number;
  readonly stateReason?: StateReason;
  readonly work?: InstanceWork;
  readonly createdAtMs: number;
  /** When it first ran; absent: never, so its disk may still be made from the image. */
  readonly launchedAtMs?: number;
  readonly stateChangedAtMs: number;
  /** A reboot was given up then that may have asked the guest to switch off: a power-off soon after may be for that. */
  readonly offAskedAtMs?: number;
  /** The operation whose intent this is. */
  readonly operationId?: string;
  /** That operation is done for this instance. */
  readonly operationDone?: boolean;
}

/** The record in another state; an illegal step is an error of ours, named. */
export function transition(
  record: InstanceRecord,
  to: InstanceState,
  nowMs: number,
  patch: Partial<InstanceRecord> = {},
): InstanceRecord {
  if (record.state === to) return { ...record, ...patch };
  if (!INSTANCE_TRANSITIONS[record.state].includes(to)) {
    throw new CloudError('InternalError', `instance ${record.id} can't go from ${record.state} to ${to}`);
  }
  return { ...record, ...patch, state: to, stateChangedAtMs: nowMs };
}

/**
 * A command's name: the same intent and attempt give the same name, whoever asks and however often. The moment of the intent is in it, because a state that
 * is restored from a backup counts its generations again, and hosts remember what was done for those that are lost.
 */
export function commandId(work: {
  readonly instanceId: string;
  readonly generation: number;
  readonly verb: InstanceVerb;
  readonly attempt: number;
  readonly sinceMs: number;
}): string {
  const { instanceId, generation, verb, attempt, sinceMs } = work;
  return `${instanceId}.${generation}.${verb}.${attempt}.${sinceMs.toString(36)}`;
}

/**
 * What a command's name says of its work: `work` is the same for all attempts at one intent. Numbers are NaN, and so neither more nor less than any other,
 * where the name was not made by commandId.
 */
export function readCommandId(name: string): {
  readonly work: string;
  readonly generation: number;
  readonly sinceMs: number;
} {
  const [instanceId, generation = '', verb, , since = ''] = name.split('.');
  return {
    work: [instanceId, generation, verb, since].join('.'),
    generation: Number.parseInt(generation, 10),
    sinceMs: Number.parseInt(since, 36),
  };
}

/** A fresh piece of work, first attempt. */
export function newWork(
  instanceId: string,
  generation: number,
  verb: InstanceVerb,
  nowMs: number,
  force?: boolean,
): InstanceWork {
  return {
    verb,
    commandId: commandId({ instanceId, generation, verb, attempt: 1, sinceMs: nowMs }),
    attempt: 1,
    sinceMs: nowMs,
    ...(force === true ? { force } : {}),
  };
}

/** The record without one of its optional fields. */
export function without<K extends keyof InstanceRecord>(
  record: InstanceRecord,
  ...fields: K[]
): Omit<InstanceRecord, K> {
  const copy: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(record)) {
    if (!(fields as readonly string[]).includes(field)) copy[field] = value;
  }
  return copy as unknown as Omit<InstanceRecord, K>;
}
