import ssh2 from 'ssh2';
import type { Clock } from '../../base/clock.ts';
import { CloudError, isCode } from '../../base/errors.ts';
import { connectTcp, connectThrough, dialSsh, SSH_ALGORITHMS, type DialledSession } from './ssh-dial.ts';
import {
  HOST_KEY_TYPES,
  hostKeyAlgorithms,
  hostKeyAlgorithmsOnly,
  hostKeyOf,
  isPinned,
  type HostKey,
} from './ssh-host-key.ts';
import { handshakeProblem, noConnection, tooSlow } from './ssh-problems.ts';
import { SSH_LIMITS, type SshEndpoint } from './ssh-target.ts';

export interface FetchHostKeyOptions {
  readonly host: string;
  readonly port: number;
  /** For each connection; there is one unless `fingerprint` is given, then up to three. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** SHA256:... as the administrator was told: a host has several keys, and this says which is meant. */
  readonly fingerprint?: string;
  /** A server to go through: it is logged in there. */
  readonly via?: SshEndpoint;
  readonly signal?: AbortSignal;
}

async function fetchOne(
  options: FetchHostKeyOptions,
  algorithms: ReturnType<typeof hostKeyAlgorithms>,
): Promise<HostKey> {
  const { host, port, timeoutMs, clock } = options;
  const place = `${host} port ${port}`;
  const attempt = new AbortController();
  const timer = clock.after(timeoutMs, () => attempt.abort(tooSlow(place, timeoutMs)));
  const signal = options.signal === undefined ? attempt.signal : AbortSignal.any([attempt.signal, options.signal]);
  const client = new ssh2.Client();
  let via: DialledSession | undefined;
  try {
    if (options.via !== undefined) {
      via = await dialSsh(options.via, { name: `the jump host of ${host}`, clock, limits: SSH_LIMITS, signal });
    }
    const sock =
      via === undefined
        ? await connectTcp(place, { host, port }, signal)
        : await connectThrough(via, place, { host, port }, signal);
    try {
      return await new Promise<HostKey>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        client.on('error', (error: Error) => reject(handshakeProblem(place, error)));
        client.on('close', () => reject(handshakeProblem(place, new Error('Connection lost before handshake'))));
        client.connect({
          sock,
          username: 'novactl',
          readyTimeout: 0,
          algorithms: { ...SSH_ALGORITHMS, serverHostKey: algorithms },
          // The key is all we came for; nobody logs in.
          hostVerifier: (blob: Buffer): boolean => {
            resolve(hostKeyOf(blob));
            return false;
          },
        });
      });
    } finally {
      sock.destroy();
    }
  } finally {
    timer.cancel();
    via?.end();
  }
}

/**
 * The key by which a host answers, for an administrator to look at, or to compare with `fingerprint`. The server has proved that it holds the key,
 * but not that it is the right host.
 * CloudError 'Unavailable' (details.reason as for a connection; 'host-key' when none of its keys has the fingerprint).
 */
export async function fetchHostKey(options: FetchHostKeyOptions): Promise<HostKey> {
  const { fingerprint } = options;
  if (fingerprint === undefined) return fetchOne(options, hostKeyAlgorithms());
  const seen: HostKey[] = [];
  for (const type of HOST_KEY_TYPES) {
    const key = await fetchOne(options, hostKeyAlgorithmsOnly(type)).catch((error: unknown) => {
      if (isCode(error, 'Unavailable') && error.details?.['reason'] === 'no-common-algorithm') return undefined;
      throw error;
    });
    if (key === undefined) continue;
    if (isPinned({ fingerprint }, key)) return key;
    seen.push(key);
  }
  const keys = seen.map((key) => `${key.type} ${key.fingerprint}`).join(', ') || 'none that we can use';
  const error = noConnection(
    'host-key',
    `${options.host} port ${options.port} has no host key ${fingerprint}; it has ${keys}`,
  );
  throw new CloudError(error.code, error.message, {
    details: { ...error.details, wanted: fingerprint, offered: keys },
  });
}
