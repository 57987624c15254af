import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer, openKeyFileSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { SystemRandom } from '../../../src/base/random.ts';

const random = new SystemRandom();
let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'novactl-seal-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));
const keyPath = (): string => join(stateDir, 'seal.key');

describe('sealed text', () => {
  const sealer = createSealer(random.bytes(32), random);

  it('opens where it was sealed for, and nowhere else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 1 }), (text, place) => {
        const sealed = sealer.seal(text, place);
        expect(sealer.unseal(sealed, place)).toBe(text);
        expect(() => sealer.unseal(sealed, `${place}x`)).toThrow(/can't be opened/);
        expect(text.length < 4 || !sealed.includes(text)).toBe(true);
      }),
    );
  });

  it('is never the same twice, and opens by no other key', () => {
    const sealed = sealer.seal('secret', 'a');
    expect(sealer.seal('secret', 'a')).not.toBe(sealed);
    const other = createSealer(random.bytes(32), random);
    expect(() => other.unseal(sealed, 'a')).toThrow(/seal\.key/);
  });

  it('opens no more when any bit of it was changed or it was cut', () => {
    const sealed = sealer.seal('secret', 'a');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => sealer.unseal(`v1.${changed.toString('base64url')}`, 'a')).toThrow(/can't be opened/);
    }
    for (const bad of ['', 'v1.', sealed.slice(0, -3), sealed.slice(3)]) {
      expect(() => sealer.unseal(bad, 'a'), bad).toThrow(/can't be opened/);
    }
  });
});

describe('the key in its file', () => {
  it('is made once, for its owner alone', async () => {
    const first = await openKeyFileSealer({ stateDir, random, mustExist: false });
    expect(statSync(keyPath()).mode & 0o777).toBe(0o600);
    const sealed = first.seal('secret', 'a');
    const text = readFileSync(keyPath(), 'utf8');
    chmodSync(keyPath(), 0o644);
    const second = await openKeyFileSealer({ stateDir, random, mustExist: true });
    expect(second.unseal(sealed, 'a')).toBe('secret');
    expect(readFileSync(keyPath(), 'utf8')).toBe(text);
    expect(statSync(keyPath()).mode & 0o777).toBe(0o600);
  });

  it('is not made anew where secrets were sealed by another', async () => {
    const open = openKeyFileSealer({ stateDir, random, mustExist: true });
    await expect(open).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringContaining('missing') as unknown,
    });
    expect(existsSync(keyPath())).toBe(false);
  });

  it.each(['', 'junk', 'AAAA'])('is refused when it holds %j', async (text) => {
    writeFileSync(keyPath(), text);
    const open = openKeyFileSealer({ stateDir, random, mustExist: false });
    await expect(open).rejects.toMatchObject({ code: 'CorruptState' });
    expect(readFileSync(keyPath(), 'utf8')).toBe(text);
  });
});
