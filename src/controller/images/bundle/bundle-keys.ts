import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { CloudError } from '../../../base/errors.ts';
import { KEYS, PREFIX } from '../../../domain/keys.ts';
import type { BundlingKeyRecord, UserCertificateRecord } from '../../../domain/user-certificate.ts';
import type { ControllerContext } from '../../controller-context.ts';
import type { Draft } from '../../state/draft.ts';

/** What opens a bundle, and whose signature is taken. */
export interface BundleKeys {
  /** RSA: the half of the cloud's bundling certificate (`cloud-cert.pem`) that nobody else has. */
  readonly privateKey: KeyObject;
  /** Public halves of the certificates that the registering user has, RSA, neither over nor revoked. */
  readonly signers: readonly KeyObject[];
  /** For people: whose they are. */
  readonly userName: string;
}

type Context = Pick<ControllerContext, 'store' | 'sealer' | 'clock'>;

/** What EC2's tools know to encrypt for. */
const BUNDLING_RSA_BITS = 2048;

/** The keys to open a bundle with that this user registers. 'InvalidImage.Format' where the cloud has no bundling key yet, so that nothing can have been encrypted for it. */
export function bundleKeys({ store, sealer, clock }: Context, userName: string): BundleKeys {
  const record = store.get<BundlingKeyRecord>(KEYS.bundlingKey)?.value;
  if (record === undefined) {
    throw new CloudError(
      'InvalidImage.Format',
      'the bundle was not made for this cloud, which has no bundling certificate yet: "novactl project credentials --key-type rsa" writes what to bundle with',
    );
  }
  const nowMs = clock.nowMs();
  const signers = store
    .range<UserCertificateRecord>(PREFIX.userCertificate)
    .map(({ value }) => value)
    .filter((one) => one.userId === userName && one.keyType === 'rsa')
    .filter((one) => one.revokedAtMs === undefined && one.expiresAtMs > nowMs)
    .flatMap(({ publicKey }) => (publicKey === undefined ? [] : [createPublicKey(publicKey)]));
  const privateKey = createPrivateKey(sealer.unseal(record.sealedKey, KEYS.bundlingKey));
  return { privateKey, signers, userName };
}

/** The cloud's bundling key, or one that may become it: what takes time is done before the transaction. */
export async function proposeBundlingKey(
  cloud: Pick<ControllerContext, 'store' | 'sealer' | 'authority' | 'clock'>,
): Promise<BundlingKeyRecord> {
  const known = cloud.store.get<BundlingKeyRecord>(KEYS.bundlingKey)?.value;
  if (known !== undefined) return known;
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: BUNDLING_RSA_BITS });
  const certificate = await cloud.authority.signBundling(
    pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  );
  const text = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const sealedKey = cloud.sealer.seal(text, KEYS.bundlingKey);
  return { v: 1, sealedKey, certificate, createdAtMs: cloud.clock.nowMs() };
}

/** Of two that propose one at the same time, both get the first one's certificate. */
export function agreeOnBundlingKey(draft: Draft, proposed: BundlingKeyRecord): BundlingKeyRecord {
  const known = draft.get<BundlingKeyRecord>(KEYS.bundlingKey);
  if (known === undefined) draft.put(KEYS.bundlingKey, proposed);
  return known ?? proposed;
}
