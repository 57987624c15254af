import type { Duplex, Readable } from 'node:stream';

/**
 * What the host compares before a command starts, or before a file takes its name: with the lock shared, which the command keeps as long as it lives,
 * the first line of the claim must begin with `expect`. Else nothing is done: CloudError 'StaleEpoch', details.holder is the line that was there.
 */
export interface ShellGuard {
  readonly lockPath: string;
  readonly claimPath: string;
  readonly expect: string;
  /** Set as GUARD_VARIABLE in the command's environment, so that the next owner finds it. */
  readonly tag: string;
}

export const GUARD_VARIABLE = 'NOVACTL_SESSION';

export interface ExecOptions {
  readonly guard?: ShellGuard | undefined;
  readonly stdin?: string | Buffer;
  /** Default 60 s. At the deadline the command is killed: CloudError 'Timeout'. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WriteOptions {
  readonly guard?: ShellGuard | undefined;
  /** Octal mode; default 0o600. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A port of a host whose connections come here. */
export interface RemoteForward {
  /** False while the connection to the host is lost. */
  isUp(): boolean;
  close(): Promise<void>;
}

/**
 * One host. Commands are argv arrays and never pass a shell of ours unquoted. Output is bounded (SHELL_LIMITS).
 * They run with LC_ALL=C and no input but `stdin`. A program that is absent is exit code 127, death by signal n is 128 + n, as in a shell.
 * Errors: CloudError 'HostError' (spawn, output too large, a digest that differs, nobody behind a socket, a closed shell), 'Timeout',
 * 'NotFound' (readFile of an absent file). An aborted exec rejects with the signal's reason. After 'Timeout' and abort the command is dead.
 * Of a host that is elsewhere also: 'Unavailable' (no connection: details.outcome is 'not-sent', or 'unknown' for what was under way; details.reason
 * says why) and 'Busy' (too many wait already; not sent). A host that hangs cannot confirm a death: 'Timeout' then has details.killed false.
 */
export interface HostShell {
  readonly name: string;
  /** Resolves whatever the exit code is, when the command has ended (what it left running may go on). */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** From `fromByte` (default 0) on; at most `maxBytes`. Without maxBytes more than SHELL_LIMITS.outputBytes is 'HostError'. */
  readFile(path: string, options?: { maxBytes?: number; fromByte?: number }): Promise<Buffer>;
  /** Atomic: written beside, synced, renamed. */
  writeFile(path: string, body: string | Buffer, options?: WriteOptions): Promise<void>;
  /** Streams bytes to a file, atomically; the digest of what arrived is checked before it becomes visible. */
  upload(path: string, body: Readable, options: WriteOptions & { sha256: string }): Promise<void>;
  /**
   * The bytes of a file of any size, in bounded memory; errors come out of the stream: those of readFile. The caller compares their digest with what the
   * host says, since a file that is written meanwhile is read as it then is.
   */
  download(path: string): Readable;
  /** A connection to a UNIX socket on the host. */
  connectUnix(path: string): Promise<Duplex>;
  /**
   * Listens on a TCP port of the host's loopback address; connections to it come here, with the address they came from on the host (a guest's own,
   * where a rule of the host's firewall sends it there). Kept until closed: after a lost connection it is asked for again. Only hosts that are
   * elsewhere have it; on this machine one listens. 'HostError' when the host refuses the port.
   */
  forwardIn?(remotePort: number, onConnection: (socket: Duplex, sourceAddress: string) => void): Promise<RemoteForward>;
  close(): Promise<void>;
}

export const SHELL_LIMITS = { outputBytes: 4 * 1024 * 1024, timeoutMs: 60_000 } as const;

/** Names of the files that writeFile and upload gather bytes in, beside the target: a host that dies leaves them. */
export const SHELL_TMP = { prefix: '.novactl-', suffix: '.tmp' } as const;
