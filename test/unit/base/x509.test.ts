import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemRandom } from '../../../src/base/random.ts';
import { der } from '../../../src/base/x509/der.ts';
import { issueAuthority, issueServer } from '../../../src/base/x509/issue-certificate.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;
const random = new SystemRandom();
const authority = issueAuthority({ commonName: 'a cloud CA', nowMs: NOW_MS, lifeMs: 7300 * DAY_MS, random });
const authorityKey = createPrivateKey(authority.privateKey);
const issue = (names: readonly string[], nowMs = NOW_MS) =>
  issueServer({
    ...{ commonName: 'novactl', nowMs, lifeMs: 397 * DAY_MS, random, names, authorityKey },
    authorityName: 'a cloud CA',
  });

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-x509-'));
  writeFileSync(join(dir, 'ca.pem'), authority.certificate);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** What openssl, which shares no code with us, says of the certificate. */
function openssl(certificate: string, ...args: string[]): string {
  const path = join(dir, 'server.pem');
  writeFileSync(path, certificate);
  const at = String(Math.floor(NOW_MS / 1000));
  const strict = ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', at, '-CAfile', join(dir, 'ca.pem')];
  return execFileSync('openssl', [...strict, ...args, path], { encoding: 'utf8', stdio: 'pipe' });
}

describe('certificates', () => {
  it.each(['cloud.example', 'localhost'])('openssl takes one for the name %s [real]', (name) => {
    expect(openssl(issue([name]).certificate, '-verify_hostname', name)).toMatch(/OK/);
  });

  it.each(['10.0.0.1', '255.255.255.255', '::1', 'fd00::1:2', '2001:db8:1:2:3:4:5:6', 'fe80::'])(
    'openssl takes one for the address %s [real]',
    (address) => {
      const { certificate } = issue(['localhost', address]);
      expect(openssl(certificate, '-verify_ip', address)).toMatch(/OK/);
    },
  );

  it('openssl refuses them for others, and of another authority [real]', () => {
    expect(() => openssl(issue(['cloud.example']).certificate, '-verify_hostname', 'other.example')).toThrow();
    const other = issueAuthority({ commonName: 'a cloud CA', nowMs: NOW_MS, lifeMs: DAY_MS, random });
    const foreign = issueServer({
      ...{ commonName: 'novactl', nowMs: NOW_MS, lifeMs: DAY_MS, random, names: ['x'] },
      ...{ authorityName: 'a cloud CA', authorityKey: createPrivateKey(other.privateKey) },
    });
    expect(() => openssl(foreign.certificate)).toThrow();
  });

  it('hold what they were asked for', () => {
    const made = issue(['cloud.example', '10.0.0.1']);
    const certificate = new X509Certificate(made.certificate);
    expect(certificate.subjectAltName).toBe('DNS:cloud.example, IP Address:10.0.0.1');
    expect(certificate.checkPrivateKey(createPrivateKey(made.privateKey))).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(new X509Certificate(authority.certificate).ca).toBe(true);
    expect(Date.parse(certificate.validTo)).toBe(NOW_MS + 397 * DAY_MS);
    expect(certificate.serialNumber).toHaveLength(32);
    expect(issue(['x']).certificate).not.toBe(issue(['x']).certificate);
  });

  it('may last past 2049, where the form of times changes', () => {
    const late = Date.UTC(2060, 1, 3, 4, 5, 6);
    expect(Date.parse(new X509Certificate(issue(['x'], late - 397 * DAY_MS).certificate).validTo)).toBe(late);
  });
});

describe('DER', () => {
  it('counts lengths of every size', () => {
    fc.assert(
      fc.property(fc.nat(70_000), (size) => {
        const text = der.octets(Buffer.alloc(size));
        const head = text.subarray(1, text.length - size);
        const first = head[0] ?? 0;
        const length = first < 0x80 ? first : head.readUIntBE(1, first & 0x7f);
        expect(length).toBe(size);
        expect(first < 0x80).toBe(size < 128);
      }),
    );
  });

  it('writes numbers that are not negative, as short as they can be', () => {
    expect(der.unsigned(Buffer.from([0, 0, 0x7f])).toString('hex')).toBe('02017f');
    expect(der.unsigned(Buffer.from([0x80])).toString('hex')).toBe('02020080');
    expect(der.unsigned(Buffer.alloc(3)).toString('hex')).toBe('020100');
    expect(der.objectId('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
  });
});
