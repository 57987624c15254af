import type { HostKeyPin } from './ssh-host-key.ts';

/** How we prove who we are. A key file must be readable by its owner alone, and not be protected by a passphrase. */
export type SshIdentity =
  | { readonly kind: 'key'; readonly path: string }
  | { readonly kind: 'key'; readonly pem: string }
  /** `socket` is the path of the agent's UNIX socket (SSH_AUTH_SOCK). The agent itself is never forwarded. */
  | { readonly kind: 'agent'; readonly socket: string };

/** One SSH server and how to log in there. */
export interface SshEndpoint {
  /** Name or address. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The only host key that is accepted. */
  readonly hostKey: HostKeyPin;
  readonly identity: SshIdentity;
  /** A server to go through: the connection to `host` is made by it. */
  readonly jump?: SshEndpoint;
}

export interface SshTarget extends SshEndpoint {
  /** Commands and file operations run by `sudo -n`. Connections to UNIX sockets are the user's own in any case. */
  readonly sudo: boolean;
}

export interface SshLimits {
  /** TCP, jump host, key exchange and login together. */
  readonly connectTimeoutMs: number;
  /** A ping goes out so often; after `keepaliveCount` unanswered ones the connection is dead. */
  readonly keepaliveMs: number;
  readonly keepaliveCount: number;
  /** Commands and file operations at a time; sshd's MaxSessions is 10 unless told otherwise. */
  readonly sessions: number;
  /** How many may wait for one of them, and how long. */
  readonly queue: number;
  readonly queueWaitMs: number;
  /** Of the sessions, so many may be uploads: they last. */
  readonly uploads: number;
  /** Connections to UNIX sockets at a time. */
  readonly streams: number;
  /** Connections through all reverse forwards at a time; more are refused. */
  readonly forwarded: number;
  /** Opening a channel, asking for a forward. */
  readonly openTimeoutMs: number;
  /** How long a command that was told to die may take to do so before we say that it is not sure. */
  readonly killWaitMs: number;
  /** The host's own deadline for a command comes so much later than ours. */
  readonly backstopMs: number;
  /** A command has ended, but its output is held open by what it left running, and its end is not marked. */
  readonly drainMs: number;
  /** A file write that moves no byte for so long is given up. */
  readonly stallMs: number;
  /** From the last byte of a file to its name: sync and rename. */
  readonly finishMs: number;
  /** After a failed attempt to connect the next comes after so long, doubling, with jitter. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** At least so long after a refused login or host key: sshd counts them as attacks. */
  readonly refusedBackoffMs: number;
  /** An operation waits so long for the next attempt; when that is further away it fails at once. */
  readonly patienceMs: number;
  /** Largest input of a command. More is a file: upload it. */
  readonly stdinBytes: number;
}

export const SSH_LIMITS: SshLimits = {
  connectTimeoutMs: 15_000,
  keepaliveMs: 5_000,
  keepaliveCount: 3,
  sessions: 8,
  queue: 256,
  queueWaitMs: 120_000,
  uploads: 2,
  streams: 64,
  forwarded: 64,
  openTimeoutMs: 15_000,
  killWaitMs: 2_000,
  backstopMs: 5_000,
  drainMs: 2_000,
  stallMs: 30_000,
  finishMs: 600_000,
  backoffMinMs: 250,
  backoffMaxMs: 30_000,
  refusedBackoffMs: 5_000,
  patienceMs: 3_000,
  stdinBytes: 16 * 1024 * 1024,
};
