import type { Clock } from '../../base/clock.ts';
import { asCloudError, CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { isSteady } from '../../base/steady.ts';
import { SshConnection } from './ssh-connection.ts';
import { dialSsh } from './ssh-dial.ts';
import { isLasting, placeOf } from './ssh-problems.ts';
import type { SshLimits, SshTarget } from './ssh-target.ts';

export interface LinkParts {
  readonly target: SshTarget;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: SshLimits;
}

/** Keeps at most one connection to a host: dials when one is wanted, and after a failure waits longer each time. */
export class SshLink {
  readonly #parts: LinkParts;
  readonly #closing = new AbortController();
  readonly #onUp = new Set<(connection: SshConnection) => void>();
  readonly #onDown = new Set<() => void>();
  #connection: SshConnection | undefined;
  #dialling: Promise<SshConnection> | undefined;
  #failures = 0;
  #lastFailure: CloudError | undefined;
  #notBeforeMs = -Infinity;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Milliseconds until the next attempt may be made. */
  get waitMs(): number {
    return Math.max(0, this.#notBeforeMs - this.#parts.clock.monotonicMs());
  }

  /** The open connection; dials when there is none. CloudError 'Unavailable', at once when the next attempt is further away than limits.patienceMs. */
  get(): Promise<SshConnection> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason as Error);
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    if (this.#dialling !== undefined) return this.#dialling;
    const { waitMs } = this;
    if (waitMs > this.#parts.limits.patienceMs) return Promise.reject(this.#postponed(waitMs));
    this.#dialling = this.#dial(waitMs).finally(() => (this.#dialling = undefined));
    return this.#dialling;
  }

  /** Told of every new connection, before anybody uses it. */
  onUp(handler: (connection: SshConnection) => void): void {
    this.#onUp.add(handler);
  }

  onDown(handler: () => void): void {
    this.#onDown.add(handler);
  }

  /** Ends the connection for good: what is under way and what comes fails with the error. */
  close(error: CloudError): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(error);
    this.#connection?.end(error);
  }

  async #dial(waitMs: number): Promise<SshConnection> {
    const { target, name, clock, limits, logger } = this.#parts;
    const { signal } = this.#closing;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    try {
      const session = await dialSsh(target, { name, clock, limits, signal });
      if (signal.aborted) {
        session.end();
        throw signal.reason;
      }
      const connection = new SshConnection({ session, place: placeOf(name, target), clock, limits });
      this.#up(connection);
      return connection;
    } catch (error) {
      const failure = asCloudError(error);
      if (!signal.aborted) {
        this.#failed(failure);
        logger.warn('ssh: no connection', {
          host: name,
          reason: failure.message,
          nextAttemptInMs: Math.round(this.waitMs),
        });
      }
      throw failure;
    }
  }

  #up(connection: SshConnection): void {
    const { clock, logger, name } = this.#parts;
    this.#connection = connection;
    logger.info('ssh: connected', { host: name });
    for (const handler of this.#onUp) handler(connection);
    connection.onLost((problem) => {
      this.#connection = undefined;
      if (this.#closing.signal.aborted) return;
      if (isSteady(clock.monotonicMs() - connection.openedAtMs, this.#pauseMs)) this.#failures = 0;
      this.#failed(problem);
      logger.warn('ssh: connection lost', { host: name, reason: problem.message });
      for (const handler of this.#onDown) handler();
    });
  }

  /** The pause after the next failure, before chance. */
  get #pauseMs(): number {
    const { backoffMinMs, backoffMaxMs } = this.#parts.limits;
    return Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures, 30));
  }

  /** The next attempt: doubling from the least to the most, and between half and all of that, so that many hosts do not come at once. */
  #failed(failure: CloudError): void {
    const { limits, clock, random } = this.#parts;
    this.#lastFailure = failure;
    const pauseMs = this.#pauseMs * (0.5 + random.unit() / 2);
    const floor = isLasting(failure) ? limits.refusedBackoffMs : 0;
    this.#failures += 1;
    this.#notBeforeMs = clock.monotonicMs() + Math.max(floor, pauseMs);
  }

  #postponed(waitMs: number): CloudError {
    const last = this.#lastFailure;
    const why = last?.message ?? `no connection to ${this.#parts.name}`;
    const details = { ...last?.details, outcome: 'not-sent', nextAttemptInMs: Math.round(waitMs) };
    return new CloudError('Unavailable', `${why} (next attempt in ${Math.ceil(waitMs / 1000)} s)`, { details });
  }
}
