import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CloudError } from '../../../../../src/base/errors.ts';
import { readManifest } from '../../../../../src/controller/images/bundle/manifest.ts';
import { untarOnlyFile } from '../../../../../src/controller/images/bundle/untar.ts';

/** Accepted, or refused in words: never anything else. */
async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CloudError && error.code === 'InvalidImage.Format') return 'refused';
    throw error;
  }
  return 'accepted';
}

function archives(sizeBytes: number): Buffer[] {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-tar-'));
  try {
    writeFileSync(join(dir, 'tail'), 'some bytes '.repeat(50));
    execFileSync('sh', ['-c', 'for n in 1 5 9 13 17 21; do dd if=tail of=disk bs=4096 seek=$n status=none; done'], {
      cwd: dir,
    });
    execFileSync('truncate', ['-s', String(sizeBytes), 'disk'], { cwd: dir });
    return [['--format=gnu'], ['-S', '--format=gnu'], ['-S', '--format=pax', '--sparse-version=1.0']].map((words) =>
      execFileSync('tar', ['-c', ...words, 'disk'], { cwd: dir, maxBuffer: 2 ** 24 }),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const SIZE = 128 * 1024;
const edits = fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { maxLength: 6 });

/** With a sum that is right again, so that what is behind it is reached. */
function mended(file: Buffer): Buffer {
  for (const at of [0, 1024, 1536]) {
    const block = file.subarray(at, at + 512);
    if (block.length < 512 || block.toString('latin1', 257, 262) !== 'ustar') continue;
    const sum = block.reduce((all, byte, index) => all + (index >= 148 && index < 156 ? 32 : byte), 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return file;
}

describe('whatever an archive holds [real]', () => {
  it('it gives the announced bytes or a reason, and never more', async () => {
    const whole = archives(SIZE);
    const change = fc.record({
      which: fc.nat(whole.length - 1),
      edits,
      cut: fc.option(fc.nat(40_000)),
      chunk: fc.integer({ min: 1, max: 5000 }),
      mend: fc.boolean(),
    });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(change, async ({ which, edits: changes, cut, chunk, mend }) => {
        const file = Buffer.from(whole[which] ?? '');
        for (const [at, byte] of changes) file[at] = byte;
        if (mend) mended(file);
        const given = cut === null ? file : file.subarray(0, cut);
        async function* source(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < given.length; at += chunk) yield given.subarray(at, at + chunk);
        }
        let bytes = 0;
        const ended = await outcome(async () => {
          for await (const piece of untarOnlyFile(source(), SIZE)) bytes += piece.length;
        });
        expect(bytes).toBeLessThanOrEqual(SIZE);
        if (ended === 'accepted') expect(bytes).toBe(SIZE);
        seen.add(ended);
      }),
      { numRuns: 600 },
    );
    expect([...seen].toSorted()).toEqual(['accepted', 'refused']);
  });
});

const MANIFEST = [
  '<machine_configuration><architecture>x86_64</architecture></machine_configuration>',
  `<image><name>a</name><type>machine</type><digest algorithm="SHA1">${'0'.repeat(40)}</digest><size>512</size>`,
  `<ec2_encrypted_key algorithm="AES-128-CBC">${'ab'.repeat(256)}</ec2_encrypted_key>`,
  `<ec2_encrypted_iv>${'cd'.repeat(256)}</ec2_encrypted_iv>`,
  `<parts count="1"><part index="0"><filename>a.part.0</filename><digest algorithm="SHA1">${'1'.repeat(40)}</digest></part></parts>`,
  '</image>',
].join('');

describe('whatever a manifest says', () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = { privateKey: pair.privateKey, signers: [pair.publicKey], userName: 'anna' };
  const signed = (inside: string): string => {
    const signature = sign('RSA-SHA1', Buffer.from(inside), pair.privateKey).toString('hex');
    return `<manifest><version>2007-10-10</version>${inside}<signature>${signature}</signature></manifest>`;
  };
  const places = fc.array(
    fc.tuple(
      fc.nat(MANIFEST.length),
      fc.nat(6),
      fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.constantFrom(
          '<image>',
          '</image>',
          '<![CDATA[',
          '<!--',
          '&lt;',
          '&#0;',
          '__proto__',
          '../',
          '<size>9</size>',
          '"',
          '0',
        ),
      ),
    ),
    { maxLength: 4 },
  );

  it('the answer is what it says or a reason', async () => {
    expect(await outcome(() => readManifest(signed(MANIFEST), keys))).toBe('accepted');
    await fc.assert(
      fc.asyncProperty(places, fc.boolean(), async (changes, after) => {
        let text = after ? signed(MANIFEST) : MANIFEST;
        for (const [at, drop, put] of changes) text = text.slice(0, at) + put + text.slice(at + drop);
        const ended = await outcome(() => readManifest(after ? text : signed(text), keys));
        expect(['accepted', 'refused']).toContain(ended);
      }),
      { numRuns: 500 },
    );
  });

  it('what is changed after it was signed is never taken', async () => {
    const whole = signed(MANIFEST);
    const from = whole.indexOf('<machine');
    await fc.assert(
      fc.asyncProperty(fc.nat(MANIFEST.length - 1), fc.integer({ min: 33, max: 126 }), async (at, byte) => {
        const put = String.fromCharCode(byte);
        fc.pre(whole[from + at] !== put);
        const text = whole.slice(0, from + at) + put + whole.slice(from + at + 1);
        expect(await outcome(() => readManifest(text, keys))).toBe('refused');
      }),
      { numRuns: 300 },
    );
  });
});
