import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Algorithms, type Client, type ClientChannel, type ConnectConfig } from 'ssh2';
import type { Clock } from '../../base/clock.ts';
import { errorText, type CloudError } from '../../base/errors.ts';
import { ChannelSocket } from './channel-socket.ts';
import { hostKeyAlgorithms, hostKeyOf, isPinned, type HostKey } from './ssh-host-key.ts';
import { loadIdentity, type LoadedIdentity } from './ssh-identity.ts';
import {
  changedHostKey,
  handshakeProblem,
  noConnection,
  placeOf,
  refusedLogin,
  tcpProblem,
  tooSlow,
} from './ssh-problems.ts';
import type { SshEndpoint, SshLimits } from './ssh-target.ts';

/** A login that stands. `end` is at once and never fails. */
export interface DialledSession {
  readonly client: Client;
  end(): void;
}

export interface DialContext {
  readonly name: string;
  readonly clock: Clock;
  readonly limits: SshLimits;
  /** Ends the attempt; it then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Authenticated encryption first. CBC, RC4, SHA-1 and compression are not offered at all. */
export const SSH_ALGORITHMS = {
  cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} satisfies Algorithms;

/** Settles once: with what `start` answers, or with the reason of the signal, after which `undo` cleans up. */
function untilAborted<T>(
  signal: AbortSignal,
  undo: () => void,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      undo();
      reject(signal.reason as Error);
    };
    const off = (): void => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    start(
      (value) => {
        off();
        resolve(value);
      },
      (error) => {
        off();
        undo();
        reject(error as Error);
      },
    );
  });
}

/** A TCP connection without Nagle's algorithm: two writes a packet would else wait 40 ms for each other. */
export function connectTcp(
  place: string,
  endpoint: { host: string; port: number },
  signal: AbortSignal,
): Promise<Duplex> {
  const socket = createConnection({ host: endpoint.host, port: endpoint.port, noDelay: true });
  return untilAborted(
    signal,
    () => socket.destroy(),
    (resolve, reject) => {
      const onError = (error: Error): void => reject(tcpProblem(place, error));
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.off('error', onError);
        resolve(socket);
      });
    },
  );
}

/** A connection made by the jump host. */
export function connectThrough(
  via: DialledSession,
  place: string,
  endpoint: { host: string; port: number },
  signal: AbortSignal,
): Promise<Duplex> {
  return untilAborted(
    signal,
    () => undefined,
    (resolve, reject) => {
      const done = (error: Error | undefined, channel: ClientChannel): void => {
        if (error === undefined) resolve(new ChannelSocket(channel));
        else reject(noConnection('jump', `the jump host cannot connect to ${place}: ${errorText(error)}`, error));
      };
      try {
        via.client.forwardOut('127.0.0.1', 0, endpoint.host, endpoint.port, done);
      } catch (error) {
        // ssh2 throws where its socket is gone already.
        reject(noConnection('jump', `the jump host of ${place} went away: ${errorText(error)}`, error));
      }
    },
  );
}

/** The settings that tell one login from another, and what is learned on the way. */
class Login {
  readonly #endpoint: SshEndpoint;
  readonly #place: string;
  readonly #identity: LoadedIdentity;
  #wrongKey: HostKey | undefined;
  #methods: readonly string[] | undefined;
  #partial = false;
  #asked = false;

  constructor(endpoint: SshEndpoint, place: string, identity: LoadedIdentity) {
    this.#endpoint = endpoint;
    this.#place = place;
    this.#identity = identity;
  }

  config(sock: Duplex, limits: SshLimits): ConnectConfig {
    const { user, hostKey } = this.#endpoint;
    return {
      sock,
      username: user,
      ...this.#identity.config,
      // Ours is the only deadline: this one would not hold for the time before the socket stands.
      readyTimeout: 0,
      keepaliveInterval: limits.keepaliveMs,
      keepaliveCountMax: limits.keepaliveCount,
      agentForward: false,
      strictVendor: false,
      algorithms: { ...SSH_ALGORITHMS, serverHostKey: hostKeyAlgorithms('type' in hostKey ? hostKey.type : undefined) },
      hostVerifier: (blob: Buffer): boolean => {
        const key = hostKeyOf(blob);
        if (isPinned(hostKey, key)) return true;
        this.#wrongKey = key;
        return false;
      },
      authHandler: (left, partial, next) => {
        // With an agent ssh2 does not say what the server still takes, so the count tells the first time from the next.
        if (this.#asked) this.#methods = (left as readonly string[] | null) ?? undefined;
        this.#partial = partial;
        next(this.#asked ? (false as unknown as 'none') : this.#identity.method);
        this.#asked = true;
      },
    };
  }

  problem(error: Error & { level?: string }): CloudError {
    if (this.#wrongKey !== undefined) return changedHostKey(this.#place, this.#endpoint.hostKey, this.#wrongKey);
    if (error.level === 'client-authentication') {
      const refusal = { tried: this.#identity.publicLines, methods: this.#methods, partial: this.#partial };
      return refusedLogin(this.#place, this.#endpoint.user, refusal);
    }
    return handshakeProblem(this.#place, error);
  }
}

function logIn(login: Login, sock: Duplex, limits: SshLimits, signal: AbortSignal): Promise<DialledSession> {
  const client = new ssh2.Client();
  const end = (): void => {
    client.end();
    // A server that hangs would never answer the goodbye.
    sock.destroy();
  };
  // Errors after the login are followed by 'close', which the owner of the session listens to.
  client.on('error', () => undefined);
  return untilAborted(signal, end, (resolve, reject) => {
    let keyTrouble: Error | undefined;
    client.on('error', (error: Error & { level?: string }) => {
      // The next key of the agent is still tried.
      if (error.level === 'agent') keyTrouble = error;
      else reject(login.problem(keyTrouble === undefined ? error : Object.assign(error, { cause: keyTrouble })));
    });
    client.once('close', () => reject(login.problem(new Error('Connection lost before handshake'))));
    client.once('ready', () => resolve({ client, end }));
    client.connect(login.config(sock, limits));
  });
}

async function dialWithin(endpoint: SshEndpoint, context: DialContext): Promise<DialledSession> {
  const { limits, signal } = context;
  const place = placeOf(context.name, endpoint);
  const login = new Login(endpoint, place, await loadIdentity(endpoint.identity));
  if (endpoint.jump === undefined) return logIn(login, await connectTcp(place, endpoint, signal), limits, signal);
  const via = await dialWithin(endpoint.jump, { ...context, name: `the jump host of ${context.name}` });
  try {
    const session = await logIn(login, await connectThrough(via, place, endpoint, signal), limits, signal);
    // The one without the other is of no use.
    session.client.once('close', () => via.end());
    via.client.once('close', () => session.end());
    return session;
  } catch (error) {
    via.end();
    throw error;
  }
}

/** One attempt to log in, within limits.connectTimeoutMs. CloudError 'Unavailable' with details.reason (SshReason). */
export async function dialSsh(endpoint: SshEndpoint, context: DialContext): Promise<DialledSession> {
  const attempt = new AbortController();
  const { connectTimeoutMs } = context.limits;
  const late = (): void => attempt.abort(tooSlow(placeOf(context.name, endpoint), connectTimeoutMs));
  const timer = context.clock.after(connectTimeoutMs, late);
  const signal = AbortSignal.any([attempt.signal, context.signal]);
  try {
    return await dialWithin(endpoint, { ...context, signal });
  } finally {
    timer.cancel();
  }
}
