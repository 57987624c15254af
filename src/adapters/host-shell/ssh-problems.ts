import { CloudError } from '../../base/errors.ts';
import { hostKeyText, type HostKey, type HostKeyPin } from './ssh-host-key.ts';
import type { SshEndpoint } from './ssh-target.ts';

/** Why there is no connection; `details.reason` of the 'Unavailable' errors. */
export type SshReason =
  | 'refused'
  | 'no-answer'
  | 'unknown-name'
  | 'no-route'
  | 'no-ssh'
  | 'no-common-algorithm'
  | 'host-key'
  | 'identity'
  | 'login'
  | 'lost'
  | 'jump';

/** Reasons that time alone does not mend. */
const LASTING = new Set<SshReason>(['host-key', 'identity', 'login', 'no-common-algorithm']);

export const isLasting = (error: CloudError): boolean => LASTING.has(error.details?.['reason'] as SshReason);

/** `h1 (root@10.0.0.5:22)`: what messages call a host. */
export function placeOf(name: string, endpoint: Pick<SshEndpoint, 'host' | 'port' | 'user'>): string {
  const address = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${name} (${endpoint.user}@${address}:${endpoint.port})`;
}

/** No connection could be had: nothing was sent. */
export function noConnection(reason: SshReason, message: string, cause?: unknown): CloudError {
  return new CloudError('Unavailable', message, {
    details: { reason, outcome: 'not-sent' },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The connection went while `what` was under way; one that we closed ourselves is its own reason. */
export function lostUnderWay(what: string, problem: CloudError, sent: boolean): CloudError {
  if (problem.code !== 'Unavailable') return problem;
  const outcome = sent ? 'unknown' : 'not-sent';
  const tail = sent ? ' Whether it was done is unknown: look before trying again.' : ' It was not begun.';
  return new CloudError('Unavailable', `${what}: ${problem.message}.${tail}`, {
    details: { ...problem.details, outcome },
    cause: problem,
  });
}

const ERRNO: Readonly<Record<string, { reason: SshReason; text: string }>> = {
  ECONNREFUSED: { reason: 'refused', text: 'nothing listens on that port: is sshd running there?' },
  ENOTFOUND: { reason: 'unknown-name', text: 'that name is not known (DNS): correct it, or give an address' },
  EAI_AGAIN: { reason: 'unknown-name', text: 'the name server does not answer: try again, or give an address' },
  EHOSTUNREACH: { reason: 'no-route', text: 'there is no way to that address: is the machine up, and the network?' },
  ENETUNREACH: { reason: 'no-route', text: 'there is no way to that network from here: look at `ip route`' },
  ETIMEDOUT: { reason: 'no-answer', text: 'no answer: is the machine up, does a firewall drop the port?' },
};

/** A TCP connection that could not be made. */
export function tcpProblem(place: string, error: NodeJS.ErrnoException): CloudError {
  const known = ERRNO[error.code ?? ''];
  if (known !== undefined) return noConnection(known.reason, `cannot connect to ${place}: ${known.text}`, error);
  return noConnection('no-answer', `cannot connect to ${place}: ${error.message}`, error);
}

export function tooSlow(place: string, timeoutMs: number): CloudError {
  return noConnection(
    'no-answer',
    `cannot connect to ${place}: no SSH login within ${timeoutMs} ms. Is the machine up and not overloaded, and is that port sshd's?`,
  );
}

export function changedHostKey(place: string, pin: HostKeyPin, offered: HostKey): CloudError {
  const error = noConnection(
    'host-key',
    `refused ${place}: its host key is ${hostKeyText(offered)}, but ${hostKeyText(pin)} was pinned. ` +
      'If the host was installed anew, compare with `ssh-keygen -l -f` of its /etc/ssh/ssh_host_*_key.pub on its own console ' +
      'and pin the new key ("novactl host set-key"); if not, somebody may stand in between: do not go on',
  );
  const details = { ...error.details, pinned: hostKeyText(pin), offered: hostKeyText(offered) };
  return new CloudError('Unavailable', error.message, { details });
}

/** What a server that refused our keys told about itself. */
export interface LoginRefusal {
  /** The public key lines that were tried, without secrets. */
  readonly tried: readonly string[];
  /** RFC 4252 §5.1: methods that may go on; undefined when the server did not say. */
  readonly methods: readonly string[] | undefined;
  /** A key was taken, and something more is wanted. */
  readonly partial: boolean;
}

export function refusedLogin(place: string, user: string, refusal: LoginRefusal): CloudError {
  const { tried, methods, partial } = refusal;
  let advice = `put this line into ~${user}/.ssh/authorized_keys there: ${tried.join(' or: ')}`;
  if (partial)
    advice = `it took the key but wants ${methods?.join(' or ') ?? 'more'} too: let keys alone suffice there`;
  else if (methods !== undefined && !methods.includes('publickey')) {
    advice = `it takes only ${methods.join(', ') || 'no'} logins: set \`PubkeyAuthentication yes\` in its sshd_config`;
  } else if (user === 'root') advice += '; its sshd_config must not say `PermitRootLogin no`';
  const error = noConnection('login', `${place} refuses the login of ${user}: ${advice}`);
  return new CloudError(error.code, error.message, { details: { ...error.details, mend: advice } });
}

const PROTOCOL: readonly { pattern: RegExp; reason: SshReason; text: string }[] = [
  {
    pattern: /Connection lost before handshake|^Invalid identification|before version|Protocol version/i,
    reason: 'no-ssh',
    text: 'the connection was closed before the SSH handshake: is that port sshd, or does it shed load (MaxStartups, PerSourcePenalties)?',
  },
  {
    pattern: /no matching/i,
    reason: 'no-common-algorithm',
    text: 'its sshd and novactl have no common algorithm: allow curve25519-sha256, aes256-gcm@openssh.com and an ed25519, ECDSA or RSA (SHA-2) host key there',
  },
  {
    pattern: /Too many authentication failures/i,
    reason: 'login',
    text: 'too many keys were tried: leave only the right one in the agent (`ssh-add -D`, `ssh-add FILE`), or give the key file',
  },
];

/** What ssh2 says of a connection that fails before the login is done. */
export function handshakeProblem(place: string, error: Error & { code?: string; level?: string }): CloudError {
  if (error.level === 'client-socket') return tcpProblem(place, error);
  const known = PROTOCOL.find(({ pattern }) => pattern.test(error.message));
  if (known !== undefined) return noConnection(known.reason, `cannot log in to ${place}: ${known.text}`, error);
  return noConnection('no-ssh', `cannot log in to ${place}: ${error.message}`, error);
}

const SUDO: readonly { pattern: RegExp; text: (user: string) => string }[] = [
  {
    pattern:
      /^sudo: (a password is required|a terminal is required)|is not in the sudoers file|is not allowed to execute/m,
    text: (user) =>
      `sudo wants a password of ${user}, or does not let them: put \`${user} ALL=(root) NOPASSWD: ALL\` into /etc/sudoers.d/novactl there (visudo -f)`,
  },
  { pattern: /sudo: (command )?not found|sudo: No such file/, text: () => 'sudo is not installed there' },
  { pattern: /must have a tty/, text: (user) => `sudo wants a terminal: add \`Defaults:${user} !requiretty\` there` },
];

/** Our script never began: sudo, the login shell or a forced command stood before it. */
export function neverBegan(
  place: string,
  end: { user: string; sudo: boolean; exitCode: number | undefined; stderr: string },
): CloudError {
  const words = end.stderr.trim().slice(0, 300);
  const known = end.sudo ? SUDO.find(({ pattern }) => pattern.test(end.stderr)) : undefined;
  const why =
    known?.text(end.user) ??
    `the login of ${end.user} ended (exit code ${end.exitCode ?? 'none'}) without running our command: is its shell /bin/sh or bash, is there no forced command, is coreutils there?`;
  const said = words === '' ? '' : ` It said: ${words}`;
  return new CloudError('HostError', `${place}: ${why}.${said}`, {
    details: { reason: known === undefined ? 'login-shell' : 'sudo', outcome: 'not-sent' },
  });
}
