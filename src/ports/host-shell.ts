import type { Duplex, Readable } from 'node:stream';

export interface ExecOptions {
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
  /** Octal mode; default 0o600. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * One host. Commands are argv arrays and never pass a shell of ours unquoted. Output is bounded (SHELL_LIMITS).
 * Errors: CloudError 'HostError' (connection, spawn, output too large), 'Timeout', 'NotFound' (readFile of an absent file).
 */
export interface HostShell {
  readonly name: string;
  /** Resolves whatever the exit code is. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  readFile(path: string, options?: { maxBytes?: number; fromByte?: number }): Promise<Buffer>;
  /** Atomic: written beside, synced, renamed. */
  writeFile(path: string, body: string | Buffer, options?: WriteOptions): Promise<void>;
  /** Streams bytes to a file, atomically; the digest of what arrived is checked before it becomes visible. */
  upload(path: string, body: Readable, options: WriteOptions & { sha256: string }): Promise<void>;
  /** A connection to a UNIX socket on the host. */
  connectUnix(path: string): Promise<Duplex>;
  close(): Promise<void>;
}

export const SHELL_LIMITS = { outputBytes: 4 * 1024 * 1024, timeoutMs: 60_000 } as const;
