import { CloudError } from '../../base/errors.ts';

/** One machine as a person writes it. */
export interface HostWord {
  readonly user?: string;
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port?: number;
}

const WORD = /^(?:([^@\s]+)@)?(?:\[([0-9A-Fa-f:.]+)\]|([^@:[\]\s]+))(?::(\d{1,9}))?$/;

/** `[user@]name[:port]`; an IPv6 address stands in brackets. `what` names the word in errors: NAME, --jump. */
export function parseHostWord(text: string, what: string): HostWord {
  const [matched, user, bracketed, plain, digits] = WORD.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (matched === undefined || host === undefined) {
    throw new CloudError(
      'InvalidParameterValue',
      `${what} must be [user@]name[:port], an IPv6 address in brackets, not "${text}"`,
    );
  }
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) {
    throw new CloudError('InvalidParameterValue', `${what} must have a port of 1 to 65535, not "${text}"`);
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

export const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

export function checkFingerprint(text: string, what: string): string {
  if (FINGERPRINT.test(text)) return text;
  throw new CloudError(
    'InvalidParameterValue',
    `${what} must be SHA256: and 43 characters, as "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub" shows it on the host, not "${text}"`,
  );
}

export interface HostLine extends HostWord {
  /** In the file, from 1. */
  readonly line: number;
  readonly fingerprint?: string;
}

/** The most that one file may name. */
const HOSTS_MAX = 1000;

/** A file of hosts: `[user@]name[:port] [SHA256:fingerprint]` a line, # begins a comment. Every mistake names its line. */
export function parseHostsFile(text: string, file: string): HostLine[] {
  const hosts: HostLine[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const words = raw
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    const [word = '', fingerprint, ...more] = words;
    if (word === '') continue;
    const what = `${file}, line ${index + 1}:`;
    if (more.length > 0) {
      throw new CloudError(
        'InvalidParameterValue',
        `${what} [user@]name[:port] [SHA256:fingerprint] is allowed, not "${raw.trim()}"`,
      );
    }
    const host = parseHostWord(word, what);
    const known = hosts.find((other) => other.host === host.host);
    if (known !== undefined) {
      throw new CloudError('InvalidParameterValue', `${what} ${host.host} stands in line ${known.line} already`);
    }
    hosts.push({
      ...host,
      line: index + 1,
      ...(fingerprint === undefined ? {} : { fingerprint: checkFingerprint(fingerprint, what) }),
    });
  }
  if (hosts.length === 0) throw new CloudError('InvalidParameterValue', `--from: ${file} names no host`);
  if (hosts.length > HOSTS_MAX) {
    throw new CloudError('InvalidParameterValue', `--from: ${file} names ${hosts.length} hosts; at most ${HOSTS_MAX}`);
  }
  return hosts;
}
