import type { Clock, Timer } from '../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../base/errors.ts';
import { toJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import { ImageCapture, type ImageCaptured } from '../messages/image-capture.ts';
import type { HandlerTable } from '../ports/bus.ts';
import { captureDisk, mendCaptures, type CapturedDisk } from './capture-disk.ts';
import type { HostSession } from './host-session.ts';

/** Nobody asked for so long: nobody wants it. An answer is kept as long, for whoever asks once more. */
const ASKED_MS = 60_000;

interface Capture {
  readonly session: HostSession;
  /** Who asked for it, by the keys they gave. */
  readonly askers: Set<string>;
  readonly abort: AbortController;
  answer: ImageCaptured;
  forgotten: Timer;
}

export interface ImageCapturesParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Throws for a host that is not open here, or not with that epoch. */
  readonly session: (hostId: string, epoch: number) => HostSession;
}

/** The images of instances that are being made on the hosts of a worker. */
export class ImageCaptures {
  readonly #parts: ImageCapturesParts;
  readonly #captures = new Map<string, Capture>();

  constructor(parts: ImageCapturesParts) {
    this.#parts = parts;
  }

  handlers(): HandlerTable {
    return {
      'image-capture': (body) => {
        const wish = ImageCapture.parse(body);
        return Promise.resolve(toJson(this.#ask(this.#parts.session(wish.hostId, wish.epoch), wish)));
      },
    };
  }

  /** The host has just become ours: guests that are still paused for an image go on. */
  claimed(host: HostSession): void {
    const { captures } = host.drivers;
    if (captures === undefined) return;
    const mending = host.besides((hostSignal) =>
      mendCaptures({ ...this.#parts, ...around(host), captures, hostSignal }),
    );
    // It goes on until it is done; only the loss of the host ends it, which the session then knows.
    mending.catch(() => undefined);
  }

  #ask(session: HostSession, wish: ImageCapture): ImageCaptured {
    const key = `${wish.hostId}/${wish.imageId}`;
    const known = this.#captures.get(key);
    if (wish.cancel) {
      if (known !== undefined) this.#cancel(known, wish.blobKey);
      return { state: 'failed', code: 'Conflict', message: 'it is not wanted any more' };
    }
    const isRunning = known?.answer.state === 'running' && known.session === session;
    if (known !== undefined && (isRunning || known.askers.has(wish.blobKey))) {
      known.askers.add(wish.blobKey);
      this.#forgetLater(key, known);
      return known.answer;
    }
    return this.#begin(key, session, wish).answer;
  }

  #cancel(capture: Capture, asker: string): void {
    capture.askers.delete(asker);
    if (capture.askers.size === 0) capture.abort.abort(new CloudError('Conflict', 'it is not wanted any more'));
  }

  #begin(key: string, session: HostSession, wish: ImageCapture): Capture {
    const { captures } = session.drivers;
    if (captures === undefined) {
      throw new CloudError('UnsupportedOperation', `host ${wish.hostId} makes no images of its disks`);
    }
    const capture: Capture = {
      session,
      askers: new Set([wish.blobKey]),
      abort: new AbortController(),
      answer: { state: 'running', step: 'waiting', doneBytes: 0 },
      forgotten: { cancel: () => undefined },
    };
    this.#captures.set(key, capture);
    this.#forgetLater(key, capture);
    const { imageId, instanceId, domainUuid, blobKey } = wish;
    const tell = (step: string, doneBytes: number, totalBytes?: number): void => {
      if (capture.answer.state !== 'running') return;
      capture.answer = { state: 'running', step, doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) };
    };
    const work = session.besides((hostSignal) => {
      const signal = AbortSignal.any([hostSignal, capture.abort.signal]);
      const context = { ...this.#parts, ...around(session), captures, signal, hostSignal, tell };
      return captureDisk(context, { imageId, instanceId, domainUuid, blobKey });
    });
    work.then(
      (disk) => this.#ended(capture, wish, done(disk)),
      (error: unknown) => this.#ended(capture, wish, failed(error)),
    );
    return capture;
  }

  #ended(capture: Capture, { imageId, instanceId, hostId }: ImageCapture, answer: ImageCaptured): void {
    capture.answer = answer;
    const how = answer.state === 'failed' ? { error: answer.message, code: answer.code } : {};
    this.#parts.logger.info('image of an instance', { imageId, instanceId, hostId, state: answer.state, ...how });
  }

  #forgetLater(key: string, capture: Capture): void {
    capture.forgotten.cancel();
    capture.forgotten = this.#parts.clock.after(
      ASKED_MS,
      () => {
        if (this.#captures.get(key) === capture) this.#captures.delete(key);
        capture.abort.abort(new CloudError('Timeout', 'nobody asked for it any more'));
      },
      { unref: true },
    );
  }
}

const around = (
  host: HostSession,
): {
  drivers: HostSession['drivers'];
  alone: <T>(instanceId: string, work: () => Promise<T>) => Promise<T>;
} => ({ drivers: host.drivers, alone: (instanceId, work) => host.alone(instanceId, work) });

function done({ blob, virtualSizeBytes, format, pausedMs }: CapturedDisk): ImageCaptured {
  const { key, sizeBytes, sha256 } = blob;
  const paused = pausedMs === undefined ? {} : { pausedMs: Math.round(pausedMs) };
  return { state: 'done', blob: { key, sizeBytes, sha256 }, virtualSizeBytes, format, ...paused };
}

function failed(error: unknown): ImageCaptured {
  return { state: 'failed', code: asCloudError(error).code, message: errorText(error) };
}
