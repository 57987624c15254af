import { createHash, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';

/** SSH wire string: u32 length, bytes (RFC 4251 §5). */
function field(data: Buffer | string): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** SSH mpint of an unsigned number: a zero byte in front when its top bit is set. */
function mpint(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return field((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

export interface NewKeyPair {
  readonly keyType: 'ed25519' | 'rsa';
  /** One OpenSSH line. */
  readonly publicKey: string;
  /** PEM that OpenSSH reads: its own form for ed25519 (PROTOCOL.key), PKCS#1 for RSA. */
  readonly privateKey: string;
  readonly fingerprint: string;
}

export function generateSshKeyPair(keyType: 'ed25519' | 'rsa', comment: string): NewKeyPair {
  if (keyType === 'rsa') {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    const line = publicKeyLine(publicKey, comment);
    return {
      keyType,
      publicKey: line,
      privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      fingerprint: parseSshPublicKey(line)?.fingerprint ?? '',
    };
  }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const line = publicKeyLine(publicKey, comment);
  const pub = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  return {
    keyType,
    publicKey: line,
    privateKey: opensshPem(pub, seed, comment),
    fingerprint: parseSshPublicKey(line)?.fingerprint ?? '',
  };
}

function publicKeyLine(key: KeyObject, comment: string): string {
  const jwk = key.export({ format: 'jwk' });
  const [name, blob] =
    jwk.kty === 'RSA'
      ? ['ssh-rsa', Buffer.concat([field('ssh-rsa'), mpint(jwk.e ?? ''), mpint(jwk.n ?? '')])]
      : ['ssh-ed25519', Buffer.concat([field('ssh-ed25519'), field(Buffer.from(jwk.x ?? '', 'base64url'))])];
  return `${name} ${blob.toString('base64')} ${comment}`;
}

/** OpenSSH's private key file, unencrypted (PROTOCOL.key): magic, "none" cipher and kdf, one key, padded to 8. */
function opensshPem(pub: Buffer, seed: Buffer, comment: string): string {
  const check = randomBytes(4);
  const publicBlob = Buffer.concat([field('ssh-ed25519'), field(pub)]);
  let secret = Buffer.concat([
    check,
    check,
    field('ssh-ed25519'),
    field(pub),
    field(Buffer.concat([seed, pub])),
    field(comment),
  ]);
  for (let pad = 1; secret.length % 8 !== 0; pad += 1) secret = Buffer.concat([secret, Buffer.from([pad])]);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    u32(1),
    field(publicBlob),
    field(secret),
  ]).toString('base64');
  const lines = body.match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

export interface SshPublicKey {
  readonly keyType: 'ed25519' | 'rsa';
  /** Type, base64 and comment, one space between. */
  readonly line: string;
  /** SHA256:... as ssh-keygen prints it. */
  readonly fingerprint: string;
}

/** SHA256:... of a public key's base64 text, of any type. */
export function sshFingerprint(base64: string): string {
  const digest = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

const TYPES: Readonly<Record<string, 'ed25519' | 'rsa'>> = { 'ssh-ed25519': 'ed25519', 'ssh-rsa': 'rsa' };

/** Undefined when the text is not one well-formed ed25519 or RSA (>= 2048 bits) public key line. */
export function parseSshPublicKey(text: string): SshPublicKey | undefined {
  const match = /^(ssh-ed25519|ssh-rsa) ([A-Za-z0-9+/]+={0,2})(?: ([^\r\n]{0,200}))?$/.exec(text.trim());
  const [, name = '', base64 = '', comment] = match ?? [];
  const keyType = TYPES[name];
  if (keyType === undefined) return undefined;
  const blob = Buffer.from(base64, 'base64');
  const fields = readFields(blob);
  if (fields?.[0]?.toString() !== name || !wellFormed(keyType, fields)) return undefined;
  return {
    keyType,
    line: comment === undefined || comment === '' ? `${name} ${base64}` : `${name} ${base64} ${comment}`,
    fingerprint: sshFingerprint(base64),
  };
}

function readFields(blob: Buffer): Buffer[] | undefined {
  const out: Buffer[] = [];
  for (let at = 0; at < blob.length;) {
    if (at + 4 > blob.length) return undefined;
    const length = blob.readUInt32BE(at);
    if (at + 4 + length > blob.length) return undefined;
    out.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return out;
}

function wellFormed(keyType: 'ed25519' | 'rsa', fields: readonly Buffer[]): boolean {
  if (keyType === 'ed25519') return fields.length === 2 && fields[1]?.length === 32;
  const [, e, n] = fields;
  if (fields.length !== 3 || e === undefined || n === undefined || n.length < 256 || n.length > 2049) return false;
  try {
    createPublicKey({ key: { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') }, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}
