import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { checksumOf } from '../../../../src/base/checksums.ts';
import { GIB, MIB } from '../../../../src/base/units.ts';
import { filesToSend } from '../../../../src/commands/support/s3/files-to-send.ts';
import { inParallel } from '../../../../src/commands/support/s3/in-parallel.ts';
import { bucketAndKey, bucketName, fileNameOf, objectName } from '../../../../src/commands/support/s3/object-words.ts';
import { isPartSize, partBytesFor, partBytesOf, planParts } from '../../../../src/commands/support/s3/part-plan.ts';
import { digestBytes, digestRange } from '../../../../src/commands/support/s3/read-range.ts';
import { sendWhole } from '../../../../src/commands/support/s3/send-object.ts';
import { piecesOf } from '../../../../src/commands/support/s3/send-stream.ts';
import { parseBytes } from '../../../../src/commands/support/s3/size-flag.ts';
import { bytesCheck } from '../../../../src/commands/support/s3/verify-bytes.ts';
import { S3Client } from '../../../../src/client/s3/s3-client.ts';
import type { ObjectHead } from '../../../../src/messages/object-head.ts';
import { Output } from '../../../../src/views/output.ts';
import { progressText } from '../../../../src/views/progress.ts';

const dir = mkdtempSync(join(tmpdir(), 'novactl-transfer-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const md5 = (data: Uint8Array): Buffer => createHash('md5').update(data).digest();

describe('words for objects', () => {
  it.each([
    ['box', { bucket: 'box', key: '' }],
    ['box/', { bucket: 'box', key: '' }],
    ['s3://box/a/b', { bucket: 'box', key: 'a/b' }],
    ['box//a', { bucket: 'box', key: '/a' }],
    ['box/../x', { bucket: 'box', key: '../x' }],
  ])('%s', (text, word) => {
    expect(bucketAndKey(text, 'OBJECT')).toEqual(word);
  });

  it.each(['', 'Box/a', 'a', '-box', '/box/key', 'b\u001b[31m'])('%j is none, and the answer is plain', (text) => {
    expect(() => bucketAndKey(text, 'OBJECT')).toThrow(/^OBJECT must be BUCKET or BUCKET\/KEY[^\u001b]*$/);
    expect(() => bucketName(text)).toThrow(/^BUCKET must be the name of a bucket/);
  });

  it('a key is needed where an object is meant, and has at most 1,024 bytes', () => {
    expect(() => objectName('box')).toThrow(/OBJECT must be BUCKET\/KEY, not "box"/);
    expect(() => objectName(`box/${'ü'.repeat(513)}`)).toThrow(/1026 bytes, 1024 are allowed/);
  });

  it.each([
    ['a/b.txt', 'b.txt'],
    ['a/', undefined],
    ['a/..', undefined],
    ['.', undefined],
    ['a/b\0c', undefined],
  ])('the file of the key %j is %s', (key, name) => {
    expect(fileNameOf(key)).toBe(name);
  });

  it.each([
    ['0', 0],
    ['1048576', MIB],
    ['10G', 10 * GIB],
    ['1.5GiB', 1.5 * GIB],
    ['2 MiB', 2 * MIB],
    ['10GB', undefined],
    ['-1', undefined],
    ['', undefined],
    ['9999999T', undefined],
  ])('%j is %s bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });
});

describe('parts', () => {
  it('are of one size but the last, and at most 10,000', () => {
    expect(
      planParts(40 * MIB, 16 * MIB).map(({ number, startBytes, sizeBytes }) => [number, startBytes, sizeBytes]),
    ).toEqual([
      [1, 0, 16 * MIB],
      [2, 16 * MIB, 16 * MIB],
      [3, 32 * MIB, 8 * MIB],
    ]);
    const huge = 5 * 1024 * GIB;
    expect(planParts(huge, partBytesFor(huge)).length).toBeLessThanOrEqual(10_000);
    expect(partBytesFor(huge) % MIB).toBe(0);
  });

  it('of an upload that somebody else began show how it was cut, if it can be this file', () => {
    const part = (number: number, sizeBytes: number) => ({ number, sizeBytes, etag: 'e' });
    expect(partBytesOf([part(2, 8 * MIB), part(5, 3 * MIB)], 40 * MIB)).toBe(8 * MIB);
    expect(partBytesOf([], 40 * MIB)).toBe(16 * MIB);
    expect(partBytesOf([part(1, MIB)], 40 * MIB)).toBeUndefined();
    expect(isPartSize(5 * MIB, 100 * GIB)).toBe(false);
  });

  it('of a stream have the size that is asked for, whatever pieces it comes in', async () => {
    const input = async function* (): AsyncGenerator<Buffer> {
      for (const text of ['abc', 'defghij', '', 'k']) yield Buffer.from(text);
    };
    const pieces: string[] = [];
    for await (const piece of piecesOf(input(), (index) => (index < 2 ? 2 : 4))) pieces.push(piece.toString());
    expect(pieces).toEqual(['ab', 'cd', 'efgh', 'ijk']);
    const none: Buffer[] = [];
    for await (const piece of piecesOf((async function* () {})(), () => 2)) none.push(piece);
    expect(none).toEqual([Buffer.alloc(0)]);
  });

  it('are counted as their bytes are', async () => {
    const bytes = Buffer.from('0123456789');
    writeFileSync(join(dir, 'digits'), bytes);
    const range = { path: join(dir, 'digits'), startBytes: 3, sizeBytes: 4 };
    expect(await digestRange(range)).toEqual(digestBytes(bytes.subarray(3, 7)));
    await expect(digestRange({ ...range, sizeBytes: 9 })).rejects.toMatchObject({ code: 'Conflict' });
    await expect(digestRange({ ...range, path: join(dir, 'none') })).rejects.toThrow(/^FILE: /);
  });
});

describe('several at a time', () => {
  it('never more than said, each once', async () => {
    const [running, done]: [Set<number>, number[]] = [new Set(), []];
    let most = 0;
    await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
      running.add(item);
      most = Math.max(most, running.size);
      await new Promise((resolve) => setImmediate(resolve));
      running.delete(item);
      done.push(item);
    });
    expect([most, done.toSorted()]).toEqual([2, [1, 2, 3, 4, 5]]);
  });

  it('the first failure stops the others, and is thrown when they have ended', async () => {
    let ended = 0;
    const work = inParallel([1, 2, 3], 2, async (item, signal) => {
      if (item === 1) throw new Error('first');
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      ended += 1;
      throw new Error('second');
    });
    await expect(work).rejects.toThrow('first');
    expect(ended).toBe(1);
  });
});

describe('whether bytes are those of the object', () => {
  const bytes = Buffer.from('the bytes of an object');
  const head = (change: Partial<ObjectHead>): ObjectHead => ({
    ...{ sizeBytes: bytes.length, etag: md5(bytes).toString('hex'), modifiedAtMs: 0, contentType: '', metadata: {} },
    ...change,
  });
  const parts = [bytes.subarray(0, 8), bytes.subarray(8, 16), bytes.subarray(16)];
  const ofParts = `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-3`;

  it.each<[string, Partial<ObjectHead>]>([
    ['MD5', {}],
    ['SHA256', { etag: 'x', checksum: { algorithm: 'SHA256', value: checksumOf('SHA256', bytes) } }],
    ['CRC64NVME', { etag: 'x', checksum: { algorithm: 'CRC64NVME', value: checksumOf('CRC64NVME', bytes) } }],
    ['MD5 of the parts', { etag: ofParts }],
  ])('is told by %s', async (by, change) => {
    for (const isRight of [true, false]) {
      const check = await bytesCheck(head(change), () => Promise.resolve(8));
      expect(check?.by).toBe(by);
      // In pieces that have nothing to do with the parts.
      check?.update(bytes.subarray(0, 5));
      check?.update(isRight ? bytes.subarray(5) : Buffer.from('others of the same len').subarray(5));
      expect(check?.holds()).toBe(isRight);
    }
  });

  it('is not told where parts differ in size, or nothing is known', async () => {
    expect(await bytesCheck(head({ etag: ofParts }), () => Promise.resolve(5))).toBeUndefined();
    expect(await bytesCheck(head({ etag: 'opaque' }), () => Promise.resolve(5))).toBeUndefined();
  });
});

describe('files to send', () => {
  const sink = { write: () => undefined, isTty: false, columns: undefined };
  const output = new Output({ stdout: sink, stderr: sink, quiet: true, verbose: false, color: false, animated: false });
  const keys = async (paths: string[], key: string, recursive = false): Promise<string[]> =>
    (await filesToSend(paths, { bucket: 'box', key }, { recursive, output })).map((file) => file.key);

  it('go under their names, or what is said', async () => {
    const one = join(dir, 'digits');
    expect(await keys([one], '')).toEqual(['digits']);
    expect(await keys([one], 'a/')).toEqual(['a/digits']);
    expect(await keys([one], 'a/b')).toEqual(['a/b']);
    await expect(keys([one, one], 'a/b')).rejects.toThrow(/2 are given, so the key must end with "\/"/);
    await expect(keys([dir], '')).rejects.toThrow(/is a folder; --recursive/);
    await expect(keys([join(dir, 'none')], '')).rejects.toThrow(/none is not there/);
    expect(await keys([dir], 'below', true)).toEqual(['below/digits']);
  });
});

describe('a file that is written to while it is sent', () => {
  it('is refused by the other side, and that is told in words', async () => {
    const body = '<Error><Code>BadDigest</Code><Message>the MD5 is another one</Message></Error>';
    const s3 = new S3Client(() => Promise.resolve({ status: 400, headers: {}, body: Readable.from([body]) }));
    const bar = { moved: () => undefined };
    const file = { path: join(dir, 'digits'), sizeBytes: 10, bucket: 'box', key: 'k' };
    await expect(sendWhole({ s3, bar, headers: {} }, file)).rejects.toMatchObject({
      code: 'Conflict',
      message: expect.stringMatching(/digits was changed while it was sent: the object is as it was before/) as string,
    });
  });
});

describe('the bar', () => {
  it('does not take what was there before for fast', () => {
    const text = progressText({
      label: 'k',
      sentBytes: MIB,
      beforeBytes: 2 * MIB,
      sizeBytes: 4 * MIB,
      tookMs: 1000,
      width: 90,
    });
    expect(text).toMatch(/75 % {2}3\.0 MiB\/4\.0 MiB {2}1\.0 MiB\/s {2}1\.0s left/);
  });
});
