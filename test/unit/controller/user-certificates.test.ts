import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEYS } from '../../../src/domain/keys.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';

let sim: SimCloud;
let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-certificates-'));
  sim = await startSimCloud({ hosts: [] });
});
afterEach(async () => {
  await sim.close();
  rmSync(dir, { recursive: true });
});

const keyPair = (type: 'rsa' | 'ec', size: number | string) =>
  type === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: Number(size) })
    : generateKeyPairSync('ec', { namedCurve: String(size) });

const publicPem = ({ publicKey }: ReturnType<typeof keyPair>): string =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();

const anna = {
  principal: { name: 'anna', userName: 'anna', projectId: 'admin', roles: ['member'], from: 'test' },
};

describe('certificates of users', () => {
  it.each([
    ['rsa', 3072],
    ['ec', 'prime256v1'],
  ] as const)('of %s %s are taken by openssl, for clients and nothing else [sim] [real]', async (type, size) => {
    const pair = keyPair(type, size);
    const made = await sim.call('CreateUserCertificate', { PublicKey: publicPem(pair), LifeDays: 30 });
    const [ca, cert] = [join(dir, 'ca.pem'), join(dir, 'cert.pem')];
    writeFileSync(ca, made.authority);
    writeFileSync(cert, made.certificate);
    const verify = (purpose: string) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', ca, cert], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(verify('sslclient')).toMatch(/OK/);
    expect(() => verify('sslserver')).toThrow(/unsuitable|purpose/);
    const certificate = new X509Certificate(made.certificate);
    expect(certificate.checkPrivateKey(pair.privateKey)).toBe(true);
    expect(certificate.subject).toBe('O=novactl\nOU=admin\nCN=admin');
    expect(made.userCertificate).toMatchObject({ serial: certificate.serialNumber, keyType: type, userName: 'admin' });
    expect(made.userCertificate.expiresAtMs).toBe(Date.parse(certificate.validTo));
    expect(made.accountId).toMatch(/^\d{12}$/);
  });

  it.each([
    ['an RSA key of 2048 bits', () => publicPem(keyPair('rsa', 2048)), /3072.*rsa 2048/],
    ['P-384', () => publicPem(keyPair('ec', 'secp384r1')), /P-256, not ec secp384r1/],
    ['what is no key', () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', /can't be read/],
    [
      'a private key',
      () => keyPair('ec', 'prime256v1').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      /PUBLIC KEY/,
    ],
  ])('are not signed for %s [sim]', async (_what, make, text) => {
    const asked = sim.call('CreateUserCertificate', { PublicKey: make() });
    await expect(asked).rejects.toMatchObject({ code: 'InvalidParameterValue', message: expect.stringMatching(text) });
    expect(sim.store.count('user-certificate/')).toBe(0);
  });

  it('are recorded, seen and revoked by their owner and by the cloudadmin alone [sim]', async () => {
    const user = { v: 1, id: 'anna', roles: [], createdAtMs: 1 };
    const project = sim.store.get<Record<string, unknown>>(KEYS.project('admin'))?.value ?? {};
    await sim.store.txn({
      puts: [
        { key: KEYS.user('anna'), value: user },
        { key: KEYS.project('admin'), value: { ...project, members: ['admin', 'anna'] } as never },
      ],
    });
    const PublicKey = publicPem(keyPair('ec', 'prime256v1'));
    const { userCertificate: mine } = await sim.call('CreateUserCertificate', { PublicKey }, anna);
    const { userCertificate: other } = await sim.call('CreateUserCertificate', { PublicKey });
    const seen = await sim.call('DescribeUserCertificates', {}, anna);
    expect(seen.userCertificates).toEqual([mine]);
    expect((await sim.call('DescribeUserCertificates', {})).userCertificates).toHaveLength(2);
    await expect(sim.call('DeleteUserCertificate', { Serial: other.serial }, anna)).rejects.toMatchObject({
      code: 'NotFound',
    });
    await expect(sim.call('CreateUserCertificate', { PublicKey, UserName: 'admin' }, anna)).rejects.toMatchObject({
      code: 'UnauthorizedOperation',
    });
    const { userCertificate: revoked } = await sim.call('DeleteUserCertificate', { Serial: mine.serial }, anna);
    expect(revoked).toEqual({ ...mine, revokedAtMs: expect.any(Number) as number });
    // It is known as revoked until it would be over, and revoking it again changes nothing.
    await sim.call('DeleteUserCertificate', { Serial: mine.serial }, anna);
    expect((await sim.call('DescribeUserCertificates', {}, anna)).userCertificates).toEqual([revoked]);
  });

  it('are so many of one user at most, and a revoked one counts [sim]', async () => {
    const PublicKey = publicPem(keyPair('ec', 'prime256v1'));
    const row = (serial: string) => ({ v: 1, serial, userId: 'admin', projectId: 'admin', expiresAtMs: 9e15 });
    const serials = Array.from({ length: 99 }, (_, n) => `AA${n.toString(16).toUpperCase().padStart(6, '0')}`);
    await sim.store.txn({ puts: serials.map((one) => ({ key: KEYS.userCertificate(one), value: row(one) })) });
    const { userCertificate } = await sim.call('CreateUserCertificate', { PublicKey });
    await sim.call('DeleteUserCertificate', { Serial: userCertificate.serial });
    await expect(sim.call('CreateUserCertificate', { PublicKey })).rejects.toMatchObject({
      code: 'ResourceLimitExceeded',
      message: expect.stringContaining('admin has 100 certificates') as string,
    });
    expect(sim.store.count('user-certificate/')).toBe(100);
  });

  it('go with their user and with their project [sim]', async () => {
    const PublicKey = publicPem(keyPair('ec', 'prime256v1'));
    await sim.call('CreateUser', { UserName: 'bob' });
    for (const ProjectId of ['one', 'two'])
      await sim.call('CreateProject', { ProjectId, Manager: 'admin', Members: ['bob'] });
    const of = { one: { UserName: 'bob', ProjectId: 'one' }, two: { UserName: 'bob', ProjectId: 'two' } };
    await sim.call('CreateUserCertificate', { PublicKey, ...of.one });
    await sim.call('CreateUserCertificate', { PublicKey, ...of.two });
    await sim.call('CreateUserCertificate', { PublicKey, ProjectId: 'two' });
    await sim.call('DeleteProject', { ProjectId: 'one' });
    const left = async () => (await sim.call('DescribeUserCertificates', {})).userCertificates;
    expect((await left()).map(({ userName, projectId }) => `${userName} ${projectId}`).toSorted()).toEqual([
      'admin two',
      'bob two',
    ]);
    await sim.call('DeleteUser', { UserName: 'bob', Purge: true });
    expect((await left()).map(({ userName }) => userName)).toEqual(['admin']);
  });
});
