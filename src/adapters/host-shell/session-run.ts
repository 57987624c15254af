import { constants } from 'node:os';
import type { ClientChannel } from 'ssh2';
import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { MarkedOutput } from './marked-output.ts';
import { lostUnderWay } from './ssh-problems.ts';
import type { SshLimits } from './ssh-target.ts';

export interface RunOutcome {
  /** Undefined when our script never began. */
  readonly exitCode: number | undefined;
  readonly began: boolean;
  readonly stdout: Buffer;
  /** When the script never began: all that was said instead. */
  readonly stderr: Buffer;
}

export interface SessionRunParts {
  readonly channel: ClientChannel;
  readonly clock: Clock;
  readonly limits: SshLimits;
  readonly token: string;
  /** For messages. */
  readonly what: string;
  readonly place: string;
  readonly outputBytes: number;
}

function exitCodeOf(code: number | null | undefined, signal: string | undefined): number {
  if (typeof code === 'number') return code;
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** One script on its session channel: collects output, ends once. */
export class SessionRun {
  /** Rejects with CloudError 'Timeout', 'HostError' (output too large), 'Unavailable' (lost), or what `fail` was given. */
  readonly outcome: Promise<RunOutcome>;
  readonly #parts: SessionRunParts;
  readonly #stdout: MarkedOutput;
  readonly #stderr: MarkedOutput;
  readonly #settled = Promise.withResolvers<RunOutcome>();
  #over = false;
  #sent = false;
  #failure: { readonly error: unknown; readonly unsure: () => unknown } | undefined;
  #exit: number | undefined;
  #deadline: Timer | undefined;
  #drain: Timer | undefined;
  #kill: Timer | undefined;

  constructor(parts: SessionRunParts) {
    this.#parts = parts;
    this.#stdout = new MarkedOutput(parts.token);
    this.#stderr = new MarkedOutput(parts.token);
    this.outcome = this.#settled.promise;
    const { channel } = parts;
    channel.on('data', (chunk: Buffer) => this.#take(this.#stdout, chunk));
    channel.stderr.on('data', (chunk: Buffer) => this.#take(this.#stderr, chunk));
    // Writing to a program that has ended is no failure: its exit code says what it is.
    channel.on('error', () => undefined);
    channel.on('exit', (code: number | null, signal?: string) => this.#exited(exitCodeOf(code, signal)));
    channel.on('close', () => this.#closed());
  }

  /** True when the run is decided, whatever still comes. */
  get over(): boolean {
    return this.#over || this.#failure !== undefined;
  }

  /** Sends the script; from here on the command may have run. */
  send(script: string): void {
    this.#sent = true;
    this.#parts.channel.write(script);
  }

  /** (Re)starts the deadline: CloudError 'Timeout' unless the run is over, or the deadline is moved, before. */
  expectWithin(timeoutMs: number, problem: string): void {
    this.#deadline?.cancel();
    if (this.over) return;
    const text = `${this.#parts.what} on ${this.#parts.place} ${problem}`;
    const timeout = (tail: string, killed: boolean): CloudError =>
      new CloudError('Timeout', `${text} and ${tail}`, {
        details: { timeoutMs, killed, outcome: 'unknown', stderr: this.#stderr.body().toString('utf8').slice(-1000) },
      });
    this.#deadline = this.#parts.clock.after(timeoutMs, () => {
      this.fail(timeout('was killed', true), () =>
        timeout('was told to die; the host did not say that it is dead', false),
      );
    });
  }

  /** Ends the command; the outcome rejects with `error` when it is dead, or with `unsure()` when the host does not say so in time. */
  fail(error: unknown, unsure: () => unknown = () => error): void {
    if (this.over) return;
    this.#failure = { error, unsure };
    this.#deadline?.cancel();
    this.#drain?.cancel();
    if (this.#exit !== undefined) {
      this.#reject(error);
      return;
    }
    // The lifeline: the script's watcher kills the group when its standard input ends.
    this.#parts.channel.end();
    this.#kill = this.#parts.clock.after(this.#parts.limits.killWaitMs, () => this.#reject(unsure()));
  }

  /** The connection is gone, or is taken away. */
  lost(problem: CloudError): void {
    if (this.#failure !== undefined) this.#reject(this.#failure.unsure());
    else this.#reject(lostUnderWay(this.#parts.what, problem, this.#sent));
  }

  #take(stream: MarkedOutput, chunk: Buffer): void {
    if (this.over) return;
    stream.push(chunk);
    const { outputBytes, what, place } = this.#parts;
    if (this.#stdout.bodyBytes + this.#stderr.bodyBytes > outputBytes) {
      this.fail(new CloudError('HostError', `${what} on ${place} wrote more than ${outputBytes} bytes; killed`));
      return;
    }
    const code = this.#stdout.exitCode;
    if (code !== undefined && this.#stderr.exitCode !== undefined) this.#finish(code);
    else if (this.#exit !== undefined) this.#awaitQuiet();
  }

  #exited(code: number): void {
    this.#exit = code;
    if (this.#failure !== undefined) this.#reject(this.#failure.error);
    else if (!this.#over) this.#awaitQuiet();
  }

  /** Ended without the end marks: the script itself was killed. Its output is whole when the channel closes, which others may hold open. */
  #awaitQuiet(): void {
    this.#drain?.cancel();
    this.#drain = this.#parts.clock.after(this.#parts.limits.drainMs, () => this.#finish(this.#exit));
  }

  #closed(): void {
    if (this.#failure !== undefined) {
      this.#reject(this.#exit === undefined && this.#sent ? this.#failure.unsure() : this.#failure.error);
    } else if (this.#exit !== undefined) {
      this.#finish(this.#exit);
    } else {
      const text = `the SSH session of ${this.#parts.what} on ${this.#parts.place} ended without an exit code`;
      this.#reject(
        lostUnderWay(
          this.#parts.what,
          new CloudError('Unavailable', text, { details: { reason: 'lost' } }),
          this.#sent,
        ),
      );
    }
  }

  #finish(code: number | undefined): void {
    if (!this.#endOnce()) return;
    const began = this.#stdout.began || this.#stderr.began;
    // nologin says on its standard output why it refuses.
    const stderr = began ? this.#stderr.body() : Buffer.concat([this.#stdout.noise(), this.#stderr.noise()]);
    this.#settled.resolve({ exitCode: code, began, stdout: this.#stdout.body(), stderr });
  }

  #reject(error: unknown): void {
    if (this.#endOnce()) this.#settled.reject(error);
  }

  #endOnce(): boolean {
    if (this.#over) return false;
    this.#over = true;
    for (const timer of [this.#deadline, this.#drain, this.#kill]) timer?.cancel();
    const { channel } = this.#parts;
    channel.end();
    channel.close();
    // A channel that nobody reads is not reported as closed.
    channel.resume();
    channel.stderr.resume();
    return true;
  }
}
