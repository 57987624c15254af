import type { Client, ClientChannel, TcpConnectionDetails } from 'ssh2';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import { Gate } from './ssh-gate.ts';
import type { DialledSession } from './ssh-dial.ts';
import { lostUnderWay, noConnection } from './ssh-problems.ts';
import type { SshLimits } from './ssh-target.ts';

export interface ConnectionParts {
  readonly session: DialledSession;
  /** `h1 (root@10.0.0.5:22)`. */
  readonly place: string;
  readonly clock: Clock;
  readonly limits: SshLimits;
}

/** RFC 4254 §5.1. */
const OPEN_FAILURE = { unknownType: 3 } as const;

/** The server refused to open a channel; `reason` is one of RFC 4254 §5.1. */
export class ChannelRefused extends Error {
  readonly reason: number;

  constructor(reason: number, message: string) {
    super(message);
    this.name = 'ChannelRefused';
    this.reason = reason;
  }
}

type Opened = (error: Error | undefined, channel: ClientChannel) => void;
type Forwarded = (details: TcpConnectionDetails, accept: () => ClientChannel, reject: () => void) => void;

/** One SSH connection from login to loss. It never reconnects: a lost one stays lost. */
export class SshConnection {
  readonly place: string;
  readonly openedAtMs: number;
  /** Places for commands and file operations, and of those for uploads. */
  readonly sessions: Gate;
  readonly uploads: Gate;
  readonly #client: Client;
  readonly #session: DialledSession;
  readonly #clock: Clock;
  readonly #limits: SshLimits;
  readonly #onLost = new Set<(problem: CloudError) => void>();
  #problem: CloudError | undefined;
  #lastError: Error | undefined;

  constructor(parts: ConnectionParts) {
    const { session, place, clock, limits } = parts;
    this.place = place;
    this.openedAtMs = clock.monotonicMs();
    this.#session = session;
    this.#client = session.client;
    this.#clock = clock;
    this.#limits = limits;
    const gate = { clock, queue: limits.queue, waitMs: limits.queueWaitMs };
    this.sessions = new Gate({ ...gate, what: `sessions on ${place}`, places: limits.sessions });
    this.uploads = new Gate({ ...gate, what: `uploads to ${place}`, places: limits.uploads });
    this.#client.on('error', (error: Error) => {
      this.#lastError = error;
      this.end(this.#lostBy());
    });
    this.#client.once('end', () => this.end(this.#lostBy()));
    this.#client.once('close', () => this.end(this.#lostBy()));
  }

  /** Why there is no connection any more; undefined while it stands. */
  get problem(): CloudError | undefined {
    return this.#problem;
  }

  /** Calls `handler` once when the connection goes (at once if it is gone). The result takes the handler back. */
  onLost(handler: (problem: CloudError) => void): () => void {
    if (this.#problem !== undefined) {
      handler(this.#problem);
      return () => undefined;
    }
    this.#onLost.add(handler);
    return () => this.#onLost.delete(handler);
  }

  /** Ends it, whoever wants that; all that is under way fails with the problem. */
  end(problem: CloudError): void {
    if (this.#problem !== undefined) return;
    this.#problem = problem;
    const handlers = [...this.#onLost];
    this.#onLost.clear();
    this.sessions.close(problem);
    this.uploads.close(problem);
    for (const handler of handlers) handler(problem);
    this.#session.end();
  }

  /** A session channel on which the server runs `command` by the login shell. */
  openExec(what: string, command: string): Promise<ClientChannel> {
    return this.#open(what, (done) => this.#client.exec(command, done));
  }

  /** CloudError 'HostError' when nobody listens there or the server does not allow it. */
  async openUnix(path: string): Promise<ClientChannel> {
    const what = `connect to ${path}`;
    try {
      return await this.#open(what, (done) => this.#client.openssh_forwardOutStreamLocal(path, done));
    } catch (error) {
      if (!(error instanceof ChannelRefused)) throw error;
      // OpenSSH gives one and the same reason to a socket that is not there and to a setting that forbids it.
      const advice =
        error.reason === OPEN_FAILURE.unknownType
          ? 'its SSH server cannot forward to UNIX sockets: OpenSSH 6.7 or later is needed'
          : 'nobody listens there, the user of the login may not use it, or sshd does not let them (`AllowStreamLocalForwarding yes` in its sshd_config; no `restrict` without `port-forwarding` for the key)';
      throw new CloudError('HostError', `could not ${what} on ${this.place}: ${advice}`, {
        details: { path, reason: error.reason },
        cause: error,
      });
    }
  }

  /** Asks the server to listen on a TCP port of its loopback address. CloudError 'HostError' when it does not. */
  listen(port: number): Promise<void> {
    const what = `listen on port ${port}`;
    return this.#ask(
      what,
      (done) => this.#client.forwardIn('127.0.0.1', port, (error) => done(error ?? undefined, undefined)),
      () => undefined,
    );
  }

  /** Takes `listen` back. */
  unlisten(port: number): Promise<void> {
    const what = `stop listening on port ${port}`;
    return this.#ask(
      what,
      (done) => this.#client.unforwardIn('127.0.0.1', port, (error) => done(error ?? undefined, undefined)),
      () => undefined,
    );
  }

  onForwarded(handler: Forwarded): void {
    this.#client.on('tcp connection', handler);
  }

  #lostBy(): CloudError {
    const why = this.#lastError === undefined ? 'the host closed it' : errorText(this.#lastError);
    return noConnection('lost', `the SSH connection to ${this.place} was lost (${why})`, this.#lastError);
  }

  #open(what: string, start: (done: Opened) => void): Promise<ClientChannel> {
    return this.#ask<ClientChannel>(what, start, (late) => late.close());
  }

  /** One request and its answer, within limits.openTimeoutMs. An answer that comes too late is given to `discard`. */
  #ask<T>(
    what: string,
    start: (done: (error: Error | undefined, answer: T) => void) => void,
    discard: (late: T) => void,
  ): Promise<T> {
    if (this.#problem !== undefined) return Promise.reject(lostUnderWay(what, this.#problem, false));
    const { openTimeoutMs } = this.#limits;
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (): boolean => {
        const first = !settled;
        settled = true;
        timer.cancel();
        off();
        return first;
      };
      const fail = (error: Error): void => {
        if (settle()) reject(error);
      };
      const timer = this.#clock.after(openTimeoutMs, () => {
        const details = { outcome: 'not-sent', timeoutMs: openTimeoutMs };
        fail(
          new CloudError('Timeout', `${this.place} did not ${what} within ${openTimeoutMs} ms: is it overloaded?`, {
            details,
          }),
        );
      });
      // A connection that is lost right now calls back before there is a result.
      let off = (): void => undefined;
      off = this.onLost((problem) => fail(lostUnderWay(what, problem, false)));
      try {
        start((error, answer) => {
          if (error !== undefined) fail(this.#refusal(what, error));
          else if (settle()) resolve(answer);
          else discard(answer);
        });
      } catch (error) {
        // ssh2 throws when its socket is not writable any more. Its 'close' is yet to come, but nothing can be sent on it again.
        this.#lastError ??= error as Error;
        this.end(this.#lostBy());
      }
    });
  }

  #refusal(what: string, error: Error & { reason?: unknown }): Error {
    if (typeof error.reason === 'number') return new ChannelRefused(error.reason, error.message);
    if (this.#problem !== undefined) return lostUnderWay(what, this.#problem, false);
    if (/^No response from server/.test(error.message)) return lostUnderWay(what, this.#lostBy(), false);
    return new CloudError('HostError', `${this.place} refused to ${what}: ${error.message}`, { cause: error });
  }
}
