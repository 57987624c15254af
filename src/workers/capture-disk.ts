import type { Clock } from '../base/clock.ts';
import { CloudError, errorText, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { humanDuration } from '../base/units.ts';
import type { DiskCaptures, FlatDisk, PausedGuest } from '../ports/disk-captures.ts';
import type { HostDrivers } from '../ports/host-drivers.ts';

/** Longer a guest is never paused: then its image fails, and it goes on. */
const PAUSE_MAX_MS = 5 * 60_000;
/** A disk that nobody writes to may take its time. */
const COPY_MAX_MS = 3_600_000;
const RESUME_AGAIN_MS = 1000;

export interface CaptureWish {
  readonly imageId: string;
  readonly instanceId: string;
  readonly domainUuid: string;
  readonly blobKey: string;
}

export interface CaptureContext {
  readonly drivers: HostDrivers;
  readonly captures: DiskCaptures;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The work is to end: the host is lost or closed, or nobody wants the image any more. */
  readonly signal: AbortSignal;
  /** The host is lost or closed: nothing more may be tried there. */
  readonly hostSignal: AbortSignal;
  /** While it lasts the instance's commands wait. */
  readonly alone: <T>(instanceId: string, work: () => Promise<T>) => Promise<T>;
  readonly tell: (step: string, doneBytes: number, totalBytes?: number) => void;
}

export interface CapturedDisk extends FlatDisk {
  readonly pausedMs?: number;
}

/**
 * The disk of an instance as an image of its own. What stands still for it is the shortest that can be: commands of the instance wait while its overlay is copied, and
 * a running guest is paused for as long; then the copy is flattened and sent, whatever becomes of the instance. Nothing is left on the host but what a crash leaves.
 */
export async function captureDisk(context: CaptureContext, wish: CaptureWish): Promise<CapturedDisk> {
  const { captures, drivers, signal, tell, logger } = context;
  const { imageId, blobKey } = wish;
  tell('waiting', 0);
  const owner = await drivers.qemuOwner();
  try {
    const pausedMs = await context.alone(wish.instanceId, () => copyDisk(context, wish, owner));
    const flat = await captures.flatten({ imageId, blobKey, owner, signal, onProgress: tell });
    return pausedMs === undefined ? flat : { ...flat, pausedMs };
  } finally {
    // What stays is found by whoever opens the host next, and by the collector.
    await captures.drop(imageId).catch((error: unknown) => {
      logger.warn('the copy of a disk stays on its host', { imageId, error: errorText(error) });
    });
  }
}

async function copyDisk(
  context: CaptureContext,
  wish: CaptureWish,
  owner: { readonly uid: number; readonly gid: number },
): Promise<number | undefined> {
  const { drivers, captures, signal, tell } = context;
  const { imageId, instanceId, domainUuid } = wish;
  signal.throwIfAborted();
  const fact = await drivers.hypervisor.lookup(domainUuid);
  tell('copying', 0);
  const copy = (timeoutMs: number): Promise<void> => captures.copy({ imageId, instanceId, owner, timeoutMs, signal });
  switch (fact?.power) {
    case 'running':
      return whilePaused(context, { instanceId, domainUuid }, () => copyInTime(instanceId, copy));
    case 'shutting-down':
    case 'unknown':
      throw new CloudError(
        'IncorrectInstanceState',
        `${instanceId} is just being started or ends by itself; make its image when it is running or stopped`,
      );
    default:
      // Off, or paused by somebody else: nobody writes to it, and it stays as it is.
      await copy(COPY_MAX_MS);
      return undefined;
  }
}

async function copyInTime(instanceId: string, copy: (timeoutMs: number) => Promise<void>): Promise<void> {
  try {
    await copy(PAUSE_MAX_MS);
  } catch (error) {
    if (!isCode(error, 'Timeout')) throw error;
    throw new CloudError(
      'Timeout',
      `${instanceId} was not paused for longer than ${humanDuration(PAUSE_MAX_MS)}, and its disk was not copied by then; stop the instance and make the image again`,
      { cause: error },
    );
  }
}

/** Resolves with how long the guest was paused. However the work ends the guest goes on; if we die first, the note on the host says so to the next owner. */
async function whilePaused(context: CaptureContext, guest: PausedGuest, work: () => Promise<void>): Promise<number> {
  const { captures, drivers, clock, logger } = context;
  await captures.notePaused(guest);
  const beganMs = clock.monotonicMs();
  try {
    await drivers.hypervisor.suspend(guest.domainUuid);
    await work();
  } finally {
    await resumeGuest(context, guest);
    logger.info('guest paused for an image', { ...guest, pausedMs: clock.monotonicMs() - beganMs });
  }
  return clock.monotonicMs() - beganMs;
}

type Resuming = Pick<CaptureContext, 'captures' | 'drivers' | 'clock' | 'logger' | 'hostSignal'>;

/** Tried until it is done, or the host is somebody else's; at least once even when we are closing. */
async function resumeGuest(context: Resuming, guest: PausedGuest): Promise<void> {
  const { drivers, captures, clock, logger, hostSignal } = context;
  for (;;) {
    try {
      const fact = await drivers.hypervisor.lookup(guest.domainUuid);
      if (fact?.power === 'paused') await drivers.hypervisor.resume(guest.domainUuid);
      await captures.forgetPaused(guest.instanceId);
      return;
    } catch (error) {
      if (isCode(error, 'StaleEpoch')) throw error;
      logger.error('a guest that was paused for an image is not resumed yet', { ...guest, error: errorText(error) });
      if (hostSignal.aborted) return;
    }
    await clock.sleep(RESUME_AGAIN_MS, hostSignal).catch(() => undefined);
  }
}

/** What captures of sessions before us left: guests that are paused for one are resumed, copies are removed. Tried until it is done or the host is lost. */
export async function mendCaptures(context: Resuming & Pick<CaptureContext, 'alone'>): Promise<void> {
  const { captures, clock, logger, hostSignal, alone } = context;
  while (!hostSignal.aborted) {
    try {
      for (const guest of await captures.listPaused()) {
        await alone(guest.instanceId, () => resumeGuest(context, guest));
        logger.warn('a guest that was paused for an image that was never made goes on', { ...guest });
      }
      await captures.leftovers({ remove: true });
      return;
    } catch (error) {
      if (isCode(error, 'StaleEpoch')) throw error;
      logger.warn('what images left on the host is looked for again', { error: errorText(error) });
    }
    await clock.sleep(RESUME_AGAIN_MS, hostSignal).catch(() => undefined);
  }
}
