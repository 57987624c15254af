import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { KeyedLock } from '../../base/keyed-lock.ts';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { issueAuthority, issueServer } from '../../base/x509/issue-certificate.ts';
import type { ServerCertificate } from '../../controller/api/admin/admin-https-server.ts';

const DAY_MS = 86_400_000;
const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS;
/** Some clients take no server certificate that is good for longer. */
const SERVER_LIFE_MS = 397 * DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;

export interface AuthorityOptions {
  readonly stateDir: string;
  readonly cloudId: string;
  readonly random: Random;
  readonly nowMs: number;
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

export const tlsDir = (stateDir: string): string => join(stateDir, 'tls');

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new CloudError('CorruptState', `${path}: can't be read: ${errorText(error)}`, { cause: error });
  }
}

function keep(path: string, text: string, random: Random): Promise<void> {
  return writeDurably(path, [Buffer.from(text, 'utf8')], { mode: 0o600, tmpPath: `${path}.${randomHex(random, 8)}` });
}

/** Whoever asks for the same folder at once must not make two keys. */
const opening = new KeyedLock();

/** The cloud's certificate authority, `tls/ca.pem` and `tls/ca.key` (0600), made when there is none. A certificate without its key is 'CorruptState'. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const dir = tlsDir(options.stateDir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  return opening.run(dir, () => readOrMake(dir, options));
}

async function readOrMake(dir: string, { cloudId, random, nowMs }: AuthorityOptions): Promise<Authority> {
  const [pemPath, keyPath] = [join(dir, 'ca.pem'), join(dir, 'ca.key')];
  const [certificate, privateKey] = await Promise.all([readIfThere(pemPath), readIfThere(keyPath)]);
  if (certificate !== undefined && privateKey !== undefined) {
    checkPair(certificate, privateKey, dir);
    return { certificate, privateKey };
  }
  if (certificate !== undefined) {
    throw new CloudError('CorruptState', `${keyPath} is missing beside ${pemPath}; put it back from a backup`);
  }
  const asked = { commonName: authorityName(cloudId), nowMs, lifeMs: AUTHORITY_LIFE_MS, random };
  // A key that lost its certificate gets another: what clients hold of the first one is good for it too.
  const made = issueAuthority({
    ...asked,
    ...(privateKey === undefined ? {} : { privateKey: keyIn(privateKey, dir) }),
  });
  if (privateKey === undefined) await keep(keyPath, made.privateKey, random);
  await keep(pemPath, made.certificate, random);
  return made;
}

export const authorityName = (cloudId: string): string => `${cloudId} CA`;

function keyIn(privateKey: string, dir: string): KeyObject {
  try {
    return createPrivateKey(privateKey);
  } catch (error) {
    throw new CloudError(
      'CorruptState',
      `${dir}: ca.key can't be read: ${errorText(error)}; put it back from a backup`,
      {
        cause: error,
      },
    );
  }
}

function checkPair(certificate: string, privateKey: string, dir: string): void {
  let belongs = false;
  try {
    belongs = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
  } catch (error) {
    throw new CloudError('CorruptState', `${dir}: ca.pem or ca.key can't be read: ${errorText(error)}`, {
      cause: error,
    });
  }
  if (!belongs)
    throw new CloudError('CorruptState', `${dir}: ca.key is not the key of ca.pem; put both back from a backup`);
}

/** Names in the order and form that a certificate has them. */
function namesIn(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .map((entry) => canonicalName(entry.replace(/^(DNS|IP Address):/, '')));
}

/** One spelling of an IPv6 address. */
function canonicalName(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;
}

function stillGood(
  text: string,
  privateKey: string,
  wanted: { authority: Authority; names: readonly string[]; nowMs: number },
): boolean {
  try {
    const certificate = new X509Certificate(text);
    const names = namesIn(certificate).toSorted();
    return (
      certificate.verify(new X509Certificate(wanted.authority.certificate).publicKey) &&
      certificate.checkPrivateKey(createPrivateKey(privateKey)) &&
      Date.parse(certificate.validTo) - wanted.nowMs > RENEW_BEFORE_MS &&
      Date.parse(certificate.validFrom) <= wanted.nowMs &&
      names.join() === wanted.names.map(canonicalName).toSorted().join()
    );
  } catch {
    return false;
  }
}

/**
 * The server's certificate, `tls/server.pem` and `tls/server.key`: the one at hand, or a new one when that is for other names, of another
 * authority, damaged, or good for less than 30 days. With the authority's certificate behind it, so that a client can compare its fingerprint.
 */
export async function serverCertificate(
  options: AuthorityOptions,
  authority: Authority,
  names: readonly string[],
): Promise<ServerCertificate & { readonly isNew: boolean }> {
  const { stateDir, cloudId, random, nowMs } = options;
  const [pemPath, keyPath] = [join(tlsDir(stateDir), 'server.pem'), join(tlsDir(stateDir), 'server.key')];
  const [known, knownKey] = await Promise.all([readIfThere(pemPath), readIfThere(keyPath)]);
  if (known !== undefined && knownKey !== undefined && stillGood(known, knownKey, { authority, names, nowMs })) {
    return { certificates: known + authority.certificate, privateKey: knownKey, isNew: false };
  }
  const made = issueServer({
    ...{ commonName: 'novactl', nowMs, lifeMs: SERVER_LIFE_MS, random, names },
    authorityName: authorityName(cloudId),
    authorityKey: createPrivateKey(authority.privateKey),
  });
  // The authority may lie in another folder, that of the secrets.
  await mkdir(tlsDir(stateDir), { recursive: true, mode: 0o700 });
  await keep(keyPath, made.privateKey, random);
  await keep(pemPath, made.certificate, random);
  return { certificates: made.certificate + authority.certificate, privateKey: made.privateKey, isNew: true };
}
