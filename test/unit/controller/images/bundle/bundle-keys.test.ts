import { execFileSync } from 'node:child_process';
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  X509Certificate,
} from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundleKeys } from '../../../../../src/controller/images/bundle/bundle-keys.ts';
import { countNotCurrent, resealAll } from '../../../../../src/controller/users/reseal.ts';
import { KEYS } from '../../../../../src/domain/keys.ts';
import type { BundlingKeyRecord } from '../../../../../src/domain/user-certificate.ts';
import { startSimCloud, type SimCloud } from '../../../../support/sim-cloud.ts';

let sim: SimCloud;
beforeEach(async () => {
  sim = await startSimCloud({ hosts: [] });
});
afterEach(() => sim.close());

function newPublicKey(type: 'rsa' | 'ec'): string {
  const { publicKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 3072 })
      : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

const make = (type: 'rsa' | 'ec' = 'rsa', more: { UserName?: string } = {}) =>
  sim.call('CreateUserCertificate', { PublicKey: newPublicKey(type), LifeDays: 30, ...more });

const signersOf = (userName: string): string[] =>
  bundleKeys(sim.cloud.context, userName).signers.map((key) => key.export({ type: 'spki', format: 'pem' }).toString());

it('all users get one certificate to encrypt for, which openssl takes, and the cloud alone opens [sim] [real]', async () => {
  const [one, two] = await Promise.all([make(), make('ec')]);
  expect(two.bundling).toBe(one.bundling);
  expect((await make()).bundling).toBe(one.bundling);
  const certificate = new X509Certificate(one.bundling);
  expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  const dir = mkdtempSync(join(tmpdir(), 'novactl-bundling-'));
  try {
    writeFileSync(join(dir, 'ca.pem'), one.authority);
    writeFileSync(join(dir, 'cloud.pem'), one.bundling);
    const argv = ['verify', '-x509_strict', '-CAfile', join(dir, 'ca.pem'), join(dir, 'cloud.pem')];
    expect(execFileSync('openssl', argv, { encoding: 'utf8' })).toMatch(/: OK/);
  } finally {
    rmSync(dir, { recursive: true });
  }
  const padding = constants.RSA_PKCS1_PADDING;
  const wrapped = publicEncrypt({ key: createPublicKey(one.bundling), padding }, Buffer.from('key'));
  const { privateKey } = bundleKeys(sim.cloud.context, 'admin');
  expect(privateDecrypt({ key: privateKey, padding }, wrapped).toString()).toBe('key');
  const record = sim.store.get<BundlingKeyRecord>(KEYS.bundlingKey)?.value;
  expect(JSON.stringify(record)).not.toContain('PRIVATE KEY');
});

it('whose signature counts: RSA certificates of that user, until they are revoked or over [sim]', async () => {
  await sim.call('CreateUser', { UserName: 'anna' });
  await sim.call('AddProjectMember', { ProjectId: 'admin', UserName: 'anna' });
  const mine = await make();
  await make('ec');
  await make('rsa', { UserName: 'anna' });
  const own = new X509Certificate(mine.certificate).publicKey.export({ type: 'spki', format: 'pem' }).toString();
  expect(signersOf('admin')).toEqual([own]);
  expect(signersOf('anna')).toHaveLength(1);
  expect(signersOf('anna')).not.toEqual([own]);
  expect(signersOf('nobody')).toEqual([]);
  const later = { nowMs: () => mine.userCertificate.expiresAtMs };
  expect(bundleKeys({ ...sim.cloud.context, clock: { ...sim.clock, ...later } }, 'admin').signers).toEqual([]);
  await sim.call('DeleteUserCertificate', { Serial: mine.userCertificate.serial });
  expect(signersOf('admin')).toEqual([]);
  expect(signersOf('anna')).toHaveLength(1);
});

it('before the first certificate nothing can have been bundled for the cloud [sim]', () => {
  expect(() => bundleKeys(sim.cloud.context, 'admin')).toThrow(/no bundling certificate yet/);
});

it('its key is sealed anew with the other secrets [sim]', async () => {
  await make();
  const { sealer } = sim.cloud.context;
  const stale = { isCurrent: (_sealed: string, key: string) => key !== KEYS.bundlingKey };
  const masterKeys = { ...stale, state: () => ({ current: '', old: [] }), prepare: done, promote: done, forget: done };
  expect(await countNotCurrent(sim.store, masterKeys)).toBe(1);
  const before = sim.store.get<BundlingKeyRecord>(KEYS.bundlingKey)?.value;
  let sealed = false;
  const once = { ...masterKeys, isCurrent: (text: string, key: string) => sealed || stale.isCurrent(text, key) };
  const seal = (text: string, place: string): string => {
    sealed = true;
    return sealer.seal(text, place);
  };
  await resealAll(sim.store, { seal, unseal: (text, place) => sealer.unseal(text, place) }, once);
  expect(sim.store.get<BundlingKeyRecord>(KEYS.bundlingKey)?.value.sealedKey).not.toBe(before?.sealedKey);
  expect(bundleKeys(sim.cloud.context, 'admin').privateKey.asymmetricKeyType).toBe('rsa');
});

const done = (): Promise<void> => Promise.resolve();
