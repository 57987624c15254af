import { createHash, createPublicKey, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import type { Random } from '../random.ts';
import { der } from './der.ts';

/** Object identifiers of RFC 5280 and RFC 5480. */
const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  unit: '2.5.4.11',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  altName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Clocks that are behind still accept what was made just now. */
const BACKDATE_MS = 3_600_000;

/** A certificate and its private key, both PEM; the key in PKCS #8. */
export interface Issued {
  readonly certificate: string;
  readonly privateKey: string;
}

interface Asked {
  readonly commonName: string;
  /** organizationalUnitName of the subject. */
  readonly unit?: string;
  readonly nowMs: number;
  readonly lifeMs: number;
  readonly random: Random;
}

const nameOf = (commonName: string, unit?: string): Buffer =>
  der.sequence(
    ...[
      [OID.organization, 'novactl'],
      ...(unit === undefined ? [] : [[OID.unit, unit]]),
      [OID.commonName, commonName],
    ].map(([oid = '', text = '']) => der.set(der.sequence(der.objectId(oid), der.utf8(text)))),
  );

const extension = (oid: string, value: Buffer, critical = false): Buffer =>
  der.sequence(der.objectId(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));

const publicDer = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** RFC 7093 §2 method 1: the left 160 bits of SHA-256, here over the whole SubjectPublicKeyInfo. */
const keyIdOf = (key: KeyObject): Buffer => createHash('sha256').update(publicDer(key)).digest().subarray(0, 20);

/** The 4 or 16 bytes of an address. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [front, back] = [words(head), words(tail ?? '')];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0');
  return Buffer.from([...front, ...middle, ...back].map((word) => word.padStart(4, '0')).join(''), 'hex');
}

/** RFC 5280 §4.2.1.6: [2] a DNS name, [7] an address. */
const altName = (name: string): Buffer =>
  isIP(name) === 0 ? der.implicit(2, Buffer.from(name, 'latin1')) : der.implicit(7, addressBytes(name));

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function certificate(
  asked: Asked,
  parts: { issuer: Buffer; issuerKey: KeyObject; publicKey: KeyObject; extensions: readonly Buffer[] },
): string {
  const { commonName, nowMs, lifeMs, random } = asked;
  const algorithm = der.sequence(der.objectId(OID.ecdsaSha256));
  const serial = random.bytes(16);
  // Positive, and never shorter than 16 bytes.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = der.sequence(
    der.explicit(0, der.unsigned(Buffer.from([2]))),
    der.unsigned(serial),
    algorithm,
    parts.issuer,
    der.sequence(der.time(nowMs - BACKDATE_MS), der.time(nowMs + lifeMs)),
    nameOf(commonName, asked.unit),
    publicDer(parts.publicKey),
    der.explicit(3, der.sequence(...parts.extensions)),
  );
  const signature = sign('sha256', body, { key: parts.issuerKey, dsaEncoding: 'der' });
  return pem(der.sequence(body, algorithm, der.bits(signature)));
}

/** digitalSignature. */
const SIGNS = der.bits(Buffer.from([0x80]), 7);

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A certificate authority of its own: may sign certificates of servers and nothing below those. By a new key (P-256), or the one that it had. */
export function issueAuthority(asked: Asked & { readonly privateKey?: KeyObject }): Issued {
  const { privateKey = newKey().privateKey } = asked;
  const publicKey = createPublicKey(privateKey);
  const extensions = [
    extension(OID.basicConstraints, der.sequence(der.boolean(true), der.unsigned(Buffer.from([0]))), true),
    // keyCertSign and cRLSign.
    extension(OID.keyUsage, der.bits(Buffer.from([0x06]), 1), true),
    extension(OID.subjectKeyId, der.octets(keyIdOf(publicKey))),
  ];
  const issuer = nameOf(asked.commonName);
  return {
    certificate: certificate(asked, { issuer, issuerKey: privateKey, publicKey, extensions }),
    privateKey: pkcs8(privateKey),
  };
}

/** A server's certificate for DNS names and addresses, signed by the authority: P-256. */
export function issueServer(
  asked: Asked & {
    readonly names: readonly string[];
    readonly authorityName: string;
    readonly authorityKey: KeyObject;
  },
): Issued {
  const { publicKey, privateKey } = newKey();
  const { authorityKey, authorityName, names } = asked;
  const extensions = [
    extension(OID.basicConstraints, der.sequence(), true),
    extension(OID.keyUsage, SIGNS, true),
    extension(OID.extKeyUsage, der.sequence(der.objectId(OID.serverAuth))),
    extension(OID.altName, der.sequence(...names.map((name) => altName(name)))),
    extension(OID.subjectKeyId, der.octets(keyIdOf(publicKey))),
    extension(OID.authorityKeyId, der.sequence(der.implicit(0, keyIdOf(createPublicKey(authorityKey))))),
  ];
  const issuer = nameOf(authorityName);
  return {
    certificate: certificate(asked, { issuer, issuerKey: authorityKey, publicKey, extensions }),
    privateKey: pkcs8(privateKey),
  };
}

interface KnownKey {
  readonly publicKey: KeyObject;
  readonly authorityName: string;
  readonly authorityKey: KeyObject;
}

/** The certificate of a key that others encrypt keys for, signed by the authority. PEM. */
export function issueBundling(asked: Asked & KnownKey): string {
  const { publicKey, authorityKey, authorityName } = asked;
  const extensions = [
    extension(OID.basicConstraints, der.sequence(), true),
    // keyEncipherment.
    extension(OID.keyUsage, der.bits(Buffer.from([0x20]), 5), true),
    extension(OID.subjectKeyId, der.octets(keyIdOf(publicKey))),
    extension(OID.authorityKeyId, der.sequence(der.implicit(0, keyIdOf(createPublicKey(authorityKey))))),
  ];
  return certificate(asked, { issuer: nameOf(authorityName), issuerKey: authorityKey, publicKey, extensions });
}

/** A person's certificate for a key that they hold themselves, signed by the authority. PEM. */
export function issueUser(asked: Asked & KnownKey): string {
  const { publicKey, authorityKey, authorityName } = asked;
  const extensions = [
    extension(OID.basicConstraints, der.sequence(), true),
    // digitalSignature and keyEncipherment (bundles are encrypted for their owner's RSA key).
    extension(OID.keyUsage, publicKey.asymmetricKeyType === 'rsa' ? der.bits(Buffer.from([0xa0]), 5) : SIGNS, true),
    extension(OID.extKeyUsage, der.sequence(der.objectId(OID.clientAuth))),
    extension(OID.subjectKeyId, der.octets(keyIdOf(publicKey))),
    extension(OID.authorityKeyId, der.sequence(der.implicit(0, keyIdOf(createPublicKey(authorityKey))))),
  ];
  return certificate(asked, { issuer: nameOf(authorityName), issuerKey: authorityKey, publicKey, extensions });
}

/** SHA-256 of a certificate, in upper-case hex with colons, as openssl prints it. */
export const fingerprintOf = (certificatePem: string): string => new X509Certificate(certificatePem).fingerprint256;
