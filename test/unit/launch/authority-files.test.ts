import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemRandom } from '../../../src/base/random.ts';
import { openAuthority, serverCertificate } from '../../../src/launch/tls/authority-files.ts';
import { readListen } from '../../../src/launch/config/listen.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 5, 1);
const NAMES = ['localhost', '127.0.0.1', '::1', 'fd00::0:1', 'cloud.example'];
let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'novactl-tls-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const asked = (nowMs = NOW_MS) => ({ stateDir, cloudId: 'cloud-0123456789abcdef0', random: new SystemRandom(), nowMs });
const certify = async (names: readonly string[] = NAMES, nowMs = NOW_MS) =>
  serverCertificate(asked(nowMs), await openAuthority(asked(nowMs)), names);
const file = (name: string): string => join(stateDir, 'tls', name);

describe("the cloud's authority and its certificate", () => {
  it('are made once, for their owner alone', async () => {
    const first = await certify();
    expect(first.isNew).toBe(true);
    expect(statSync(join(stateDir, 'tls')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(join(stateDir, 'tls'))) expect(statSync(file(name)).mode & 0o777).toBe(0o600);
    const again = await certify();
    expect(again).toEqual({ ...first, isNew: false });
    expect(again.certificates).toContain(readFileSync(file('ca.pem'), 'utf8'));
  });

  it('are followed by a new certificate for other names, before the end, after damage, with a clock set back', async () => {
    await certify();
    expect((await certify([...NAMES, 'more.example'])).isNew).toBe(true);
    expect((await certify([...NAMES, 'more.example'].toReversed())).isNew).toBe(false);
    expect((await certify()).isNew).toBe(true);
    expect((await certify(NAMES, NOW_MS + 300 * DAY_MS)).isNew).toBe(false);
    const renewed = await certify(NAMES, NOW_MS + 370 * DAY_MS);
    expect(renewed.isNew).toBe(true);
    expect((await certify()).isNew).toBe(true);
    writeFileSync(file('server.key'), 'junk');
    expect((await certify()).isNew).toBe(true);
    rmSync(file('server.pem'));
    const last = await certify();
    expect(last.isNew).toBe(true);
    expect(
      new X509Certificate(last.certificates).verify(new X509Certificate(readFileSync(file('ca.pem'))).publicKey),
    ).toBe(true);
  });

  it('stay the same to clients when its certificate is lost', async () => {
    const before = await openAuthority(asked());
    rmSync(file('ca.pem'));
    const { certificates } = await certify();
    const [pinned, server] = [new X509Certificate(before.certificate), new X509Certificate(certificates)];
    expect(server.checkIssued(pinned) && server.verify(pinned.publicKey)).toBe(true);
    expect(readFileSync(file('ca.key'), 'utf8')).toBe(before.privateKey);
    rmSync(file('ca.pem'));
    writeFileSync(file('ca.key'), 'junk');
    await expect(openAuthority(asked())).rejects.toMatchObject({ code: 'CorruptState' });
  });

  it('are refused when one half is missing or of another', async () => {
    await openAuthority(asked());
    const key = readFileSync(file('ca.key'), 'utf8');
    rmSync(file('ca.key'));
    await expect(openAuthority(asked())).rejects.toMatchObject({ code: 'CorruptState' });
    writeFileSync(file('ca.key'), readFileSync(file('ca.pem')));
    await expect(openAuthority(asked())).rejects.toMatchObject({ code: 'CorruptState' });
    rmSync(file('ca.key'));
    rmSync(file('ca.pem'));
    await openAuthority(asked());
    writeFileSync(file('ca.key'), key);
    await expect(openAuthority(asked())).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringMatching(/is not the key/) as unknown,
    });
  });
});

describe('api.listen', () => {
  it.each([
    ['10.0.0.1', { host: '10.0.0.1', port: undefined }],
    ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
    ['fd00::1', { host: 'fd00::1', port: undefined }],
    ['[fd00::1]:8774', { host: 'fd00::1', port: 8774 }],
    ['localhost:99', { host: 'localhost', port: 99 }],
    ['0.0.0.0:65535', { host: '0.0.0.0', port: 65_535 }],
  ])('reads %s', (text, wanted) => {
    expect(readListen(text)).toEqual(wanted);
  });

  it.each([
    '',
    ':8774',
    '10.0.0',
    '10.0.0.1:65536',
    '10.0.0.256',
    '[fd00::1',
    '[10.0.0.1]:1',
    'a b',
    'https://x',
    '[x]:1',
  ])('refuses %j', (text) => {
    expect(readListen(text)).toBeUndefined();
  });
});
