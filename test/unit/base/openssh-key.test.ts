import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSshKeyPair, parseSshPublicKey } from '../../../src/base/openssh-key.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let sshKeygen: boolean | undefined;
function haveSshKeygen(): boolean {
  if (sshKeygen === undefined) {
    try {
      execFileSync('ssh-keygen', ['-l', '-f', '/dev/null'], { stdio: 'pipe' });
    } catch (error) {
      sshKeygen = (error as { code?: string }).code !== 'ENOENT';
    }
    sshKeygen ??= true;
  }
  return sshKeygen;
}

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const keygen = (...args: string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8' }).trim();

describe.for(['ed25519', 'rsa'] as const)('a generated %s key pair', (keyType) => {
  it('[real] is what ssh-keygen makes of its private half', (ctx) => {
    if (!haveSshKeygen()) ctx.skip('ssh-keygen is not installed');
    const pair = generateSshKeyPair(keyType, 'my-key');
    const path = file(`private-${keyType}`, pair.privateKey);
    // A PKCS#1 file has no comment, so ssh-keygen prints none (or the file's name) for RSA.
    const [name, base64] = keygen('-y', '-f', path).split(' ');
    expect(pair.publicKey).toBe(`${name} ${base64} my-key`);
    const bits = keyType === 'rsa' ? '3072' : '256';
    const printed = keygen('-l', '-f', file(`public-${keyType}.pub`, `${pair.publicKey}\n`));
    expect(printed).toBe(`${bits} ${pair.fingerprint} my-key (${keyType.toUpperCase()})`);
  });

  it('is read back by our own parser', () => {
    const pair = generateSshKeyPair(keyType, 'c');
    expect(parseSshPublicKey(pair.publicKey)).toEqual({ keyType, line: pair.publicKey, fingerprint: pair.fingerprint });
  });

  it('is another one each time', () => {
    expect(generateSshKeyPair(keyType, 'c').publicKey).not.toBe(generateSshKeyPair(keyType, 'c').publicKey);
  });
});

describe('public keys that ssh-keygen made', () => {
  it.for([
    ['ed25519', undefined],
    ['rsa', '2048'],
    ['rsa', '4096'],
  ] as const)('[real] %s %s is taken with the fingerprint that ssh-keygen prints', ([type, bits], ctx) => {
    if (!haveSshKeygen()) ctx.skip('ssh-keygen is not installed');
    const path = join(dir, `made-${type}-${bits ?? ''}`);
    keygen('-q', '-t', type, ...(bits === undefined ? [] : ['-b', bits]), '-N', '', '-C', 'two words', '-f', path);
    const line = execFileSync('cat', [`${path}.pub`], { encoding: 'utf8' });
    expect(parseSshPublicKey(line)).toEqual({
      keyType: type,
      line: line.trim(),
      fingerprint: keygen('-l', '-f', `${path}.pub`).split(' ')[1],
    });
  });

  it.for([
    ['rsa', '1024'],
    ['ecdsa', '256'],
  ] as const)('[real] %s %s is refused', ([type, bits], ctx) => {
    if (!haveSshKeygen()) ctx.skip('ssh-keygen is not installed');
    const path = join(dir, `refused-${type}`);
    keygen('-q', '-t', type, '-b', bits, '-N', '', '-f', path);
    expect(parseSshPublicKey(execFileSync('cat', [`${path}.pub`], { encoding: 'utf8' }))).toBeUndefined();
  });
});

describe('what is no public key line', () => {
  const { publicKey } = generateSshKeyPair('ed25519', 'c');
  const [name = '', base64 = ''] = publicKey.split(' ');
  const blob = Buffer.from(base64, 'base64');

  it.for([
    ['nothing', ''],
    ['a name alone', name],
    ['another type in the name than in the bytes', `ssh-rsa ${base64}`],
    ['two lines', `${publicKey}\n${publicKey}`],
    ['options in front', `command="id" ${publicKey}`],
    ['a control character in the comment', `${name} ${base64} a\rb`],
    ['bytes cut off', `${name} ${blob.subarray(0, -1).toString('base64')}`],
    ['bytes too many', `${name} ${Buffer.concat([blob, Buffer.from([0])]).toString('base64')}`],
    ['a private key', generateSshKeyPair('ed25519', 'c').privateKey],
    ['base64 that says less than it has', `${name} ${base64.slice(0, -1)}`],
    ['a comment of 10 000 characters', `${name} ${base64} ${'x'.repeat(10_000)}`],
  ] as const)('%s', ([, text]) => {
    expect(parseSshPublicKey(text)).toBeUndefined();
  });

  it('white space around the line is no harm, and no comment is none', () => {
    expect(parseSshPublicKey(`  ${name} ${base64}\n`)?.line).toBe(`${name} ${base64}`);
  });
});
