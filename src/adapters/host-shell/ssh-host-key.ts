import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import { CloudError } from '../../base/errors.ts';

/** A host's public key. `type` and `base64` are the words of its line in /etc/ssh/ssh_host_*_key.pub, `fingerprint` is OpenSSH's SHA256:... */
export interface HostKey {
  readonly type: string;
  readonly base64: string;
  readonly fingerprint: string;
}

/** What a host is recognised by: its whole key, or the fingerprint that an administrator was told. */
export type HostKeyPin = { readonly type: string; readonly base64: string } | { readonly fingerprint: string };

/** RFC 8332: one kind of key, two signatures. The third, ssh-rsa, signs SHA-1 and is not accepted. */
const RSA_SIGNATURES: readonly ServerHostKeyAlgorithm[] = ['rsa-sha2-512', 'rsa-sha2-256'];
const ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  ...RSA_SIGNATURES,
];

/** The kinds of key to ask a host for when it is not known which it has. */
export const HOST_KEY_TYPES: readonly string[] = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ssh-rsa'];

/** SSH wire form (RFC 4253 §6.6): a string with the type comes first. */
function typeOf(blob: Buffer): string {
  if (blob.length < 4) return 'unknown';
  const length = blob.readUInt32BE(0);
  const type = blob.subarray(4, 4 + length).toString('latin1');
  return /^[a-z0-9@.-]{1,64}$/.test(type) ? type : 'unknown';
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

export function hostKeyOf(blob: Buffer): HostKey {
  return { type: typeOf(blob), base64: blob.toString('base64'), fingerprint: fingerprintOf(blob) };
}

const bare = (base64: string): string => base64.replace(/=+$/, '');

export function isPinned(pin: HostKeyPin, key: HostKey): boolean {
  if ('fingerprint' in pin) return bare(pin.fingerprint) === key.fingerprint;
  return bare(pin.base64) === bare(key.base64);
}

/** `ssh-ed25519 SHA256:...`, as ssh-keygen -l shows it. */
export function hostKeyText(key: HostKeyPin | HostKey): string {
  if (!('base64' in key)) return key.fingerprint;
  return `${key.type} ${fingerprintOf(Buffer.from(key.base64, 'base64'))}`;
}

/** CloudError 'InvalidParameterValue' for a pin that no key can ever match. */
export function checkPin(pin: HostKeyPin): void {
  if ('fingerprint' in pin) {
    if (/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(pin.fingerprint)) return;
    throw new CloudError(
      'InvalidParameterValue',
      `host key fingerprint ${JSON.stringify(pin.fingerprint)}: SHA256: and 43 characters are expected, as \`ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub\` shows it on the host`,
    );
  }
  if (typeOf(Buffer.from(pin.base64, 'base64')) === pin.type) return;
  throw new CloudError(
    'InvalidParameterValue',
    `host key: the base64 text is no ${pin.type} key; it is the second word of the host's /etc/ssh/ssh_host_*_key.pub`,
  );
}

function algorithmsOf(type: string): readonly ServerHostKeyAlgorithm[] {
  return type === 'ssh-rsa' ? RSA_SIGNATURES : ALGORITHMS.filter((name) => name === type);
}

/** The wanted kind first: a host that has several keys answers with that one, and one that lost it still shows what it has. */
export function hostKeyAlgorithms(wantedType?: string): ServerHostKeyAlgorithm[] {
  const first = wantedType === undefined ? [] : algorithmsOf(wantedType);
  return [...first, ...ALGORITHMS.filter((name) => !first.includes(name))];
}

/** Only the signatures of one kind of key. */
export function hostKeyAlgorithmsOnly(type: string): ServerHostKeyAlgorithm[] {
  return [...algorithmsOf(type)];
}
