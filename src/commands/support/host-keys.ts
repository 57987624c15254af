/** A guest's public SSH host key. */
export interface HostKey {
  /** `ssh-ed25519` and the like. */
  readonly type: string;
  readonly base64: string;
}

const TYPES = new Set(['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521']);

/** An OpenSSH key blob begins with the length (uint32, big-endian) and the name of its own type (RFC 4253, 6.6). */
function isKey(type: string, base64: string): boolean {
  if (!TYPES.has(type) || base64.length > 4096 || base64.length % 4 !== 0) return false;
  const blob = Buffer.from(base64, 'base64');
  if (blob.length < 4 + type.length || blob.toString('base64') !== base64) return false;
  return blob.readUInt32BE(0) === type.length && blob.toString('latin1', 4, 4 + type.length) === type;
}

const TINY = /(?:^|\s)NOVACTL-HOSTKEY (\S+) ([A-Za-z0-9+/]+={0,2})(?:\s|$)/;
const BEGIN = /-----BEGIN SSH HOST KEY KEYS-----/;
const END = /-----END SSH HOST KEY KEYS-----/;
const PLAIN = /(\S+) ([A-Za-z0-9+/]+={0,2})(?:\s|$)/;

/**
 * The host keys that a guest printed on its console: lines `NOVACTL-HOSTKEY <type> <base64>` of the tiny guest, and cloud-init's block between BEGIN and END
 * SSH HOST KEY KEYS. The console is the one way from the guest that the network can not forge. A block without its end is not whole and counts for nothing;
 * of several boots the last one's keys hold.
 */
export function hostKeysIn(console: string): readonly HostKey[] {
  const keys = new Map<string, HostKey>();
  let block: HostKey[] | undefined;
  const keep = (key: HostKey): unknown => keys.set(key.type, key);
  for (const line of console.split(/\r?\n|\r/)) {
    if (BEGIN.test(line)) block = [];
    else if (END.test(line)) {
      block?.forEach(keep);
      block = undefined;
    } else {
      const [, type = '', base64 = ''] = (block === undefined ? TINY : PLAIN).exec(line) ?? [];
      if (!isKey(type, base64)) continue;
      if (block === undefined) keep({ type, base64 });
      else block.push({ type, base64 });
    }
  }
  return [...keys.values()];
}

/** The known_hosts lines (sshd(8)) of a guest, under its id: addresses are given to others later, ids never. */
export function knownHosts(instanceId: string, keys: readonly HostKey[]): string {
  return keys.map(({ type, base64 }) => `${instanceId} ${type} ${base64}\n`).join('');
}
