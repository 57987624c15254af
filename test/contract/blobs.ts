import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Blobs } from '../../src/ports/blobs.ts';

export interface BlobsSubject {
  /** Empty at the start of each test. */
  readonly blobs: Blobs;
  close(): Promise<void>;
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const text = async (blobs: Blobs, key: string, range?: { start?: number; end?: number }): Promise<string> =>
  (await buffer(await blobs.read(key, range))).toString();
const body = (...chunks: string[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

/** What every Blobs must do; run over each adapter. */
export function blobsContract(name: string, open: () => Promise<BlobsSubject>): void {
  describe(`Blobs contract: ${name}`, () => {
    let subject: BlobsSubject;
    let blobs: Blobs;
    beforeEach(async () => {
      subject = await open();
      blobs = subject.blobs;
    });
    afterEach(() => subject.close());

    it('stores, tells and gives back', async () => {
      const info = await blobs.put('images/ami-1/disk', body('hello ', 'world'));
      expect(info).toEqual({ key: 'images/ami-1/disk', sizeBytes: 11, sha256: sha256(Buffer.from('hello world')) });
      expect(await blobs.head('images/ami-1/disk')).toEqual(info);
      expect(await text(blobs, 'images/ami-1/disk')).toBe('hello world');
    });

    it('keeps the empty blob and large ones', async () => {
      expect((await blobs.put('empty', body())).sizeBytes).toBe(0);
      expect(await text(blobs, 'empty')).toBe('');
      const chunks = Array.from({ length: 40 }, () => randomBytes(300_000));
      const info = await blobs.put('large', Readable.from(chunks));
      expect(info.sizeBytes).toBe(12_000_000);
      expect(info.sha256).toBe(sha256(Buffer.concat(chunks)));
      expect(sha256(await buffer(await blobs.read('large')))).toBe(info.sha256);
    });

    it('reads ranges, the end exclusive and cut to the size', async () => {
      await blobs.put('a', body('0123456789'));
      expect(await text(blobs, 'a', { start: 2, end: 5 })).toBe('234');
      expect(await text(blobs, 'a', { start: 7 })).toBe('789');
      expect(await text(blobs, 'a', { end: 1 })).toBe('0');
      expect(await text(blobs, 'a', { start: 8, end: 99 })).toBe('89');
      expect(await text(blobs, 'a', { start: 10 })).toBe('');
      expect(await text(blobs, 'a', { start: 5, end: 5 })).toBe('');
      await expect(blobs.read('a', { start: -1 })).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    });

    it('replaces; a reader keeps what it opened', async () => {
      await blobs.put('a', body('old'));
      const reader = await blobs.read('a');
      await blobs.put('a', body('newer'));
      expect((await buffer(reader)).toString()).toBe('old');
      expect(await text(blobs, 'a')).toBe('newer');
      const last = await blobs.read('a');
      await blobs.delete('a');
      expect((await buffer(last)).toString()).toBe('newer');
    });

    it('a put that fails changes nothing', async () => {
      await blobs.put('a', body('old'));
      const refused = { code: 'InvalidParameterValue' };
      await expect(blobs.put('a', body('new'), { expectSha256: '0'.repeat(64) })).rejects.toMatchObject(refused);
      await expect(blobs.put('a', body('12345', '6'), { maxBytes: 5 })).rejects.toMatchObject({
        code: 'RequestTooLarge',
      });
      const broken = new Readable({ read: () => undefined });
      broken.push('part');
      const put = blobs.put('a', broken);
      broken.destroy(new Error('the client went away'));
      await expect(put).rejects.toThrowError('the client went away');
      expect(await text(blobs, 'a')).toBe('old');
      expect(await blobs.list('')).toHaveLength(1);
    });

    it('accepts the expected digest and exactly maxBytes', async () => {
      const info = await blobs.put('a', body('12345'), { expectSha256: sha256(Buffer.from('12345')), maxBytes: 5 });
      expect(info.sizeBytes).toBe(5);
    });

    it('deletes; absent is success, and then NotFound', async () => {
      await blobs.put('a', body('x'));
      await blobs.delete('a');
      await blobs.delete('a');
      await expect(blobs.head('a')).rejects.toMatchObject({ code: 'NotFound' });
      await expect(blobs.read('a')).rejects.toMatchObject({ code: 'NotFound' });
      expect(await blobs.list('')).toEqual([]);
    });

    it('lists by prefix, in key order', async () => {
      const keys = ['b', 'a/2', 'a/10', 'ab', 'a', 'a/1/x', 'A'];
      await Promise.all(keys.map((key) => blobs.put(key, body(key))));
      expect((await blobs.list('a/')).map((info) => info.key)).toEqual(['a/1/x', 'a/10', 'a/2']);
      expect((await blobs.list('')).map((info) => info.key)).toEqual([...keys].sort());
      expect((await blobs.list('a/2'))[0]).toMatchObject(await blobs.head('a/2'));
      expect(await blobs.list('zz')).toEqual([]);
    });

    it('any allowed key is its own blob', async () => {
      const keys = [
        '.',
        '/',
        '//',
        '/etc/passwd',
        '-rf',
        'a/',
        'a//b',
        'a',
        'A',
        'names',
        'x.json',
        'x.tmp',
        'k'.repeat(1024),
      ];
      for (const key of keys) await blobs.put(key, body(`value of ${key}`));
      for (const key of keys) expect(await text(blobs, key)).toBe(`value of ${key}`);
    });

    it.each(['', '..', 'a/../b', 'a..b', 'ä', 'a b', 'a\0', 'a\n', '%2e', 'k'.repeat(1025)])(
      'refuses key %j',
      async (key) => {
        const source = body('x');
        await expect(blobs.put(key, source)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
        expect(source.destroyed).toBe(true);
        await expect(blobs.head(key)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
        await expect(blobs.read(key)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
        await expect(blobs.delete(key)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
      },
    );

    it('puts of one key side by side: one of them wins, whole', async () => {
      const bodies = Array.from({ length: 12 }, (_, index) => String(index).repeat(50_000));
      await Promise.all(bodies.map((one) => blobs.put('a', body(one.slice(0, 100), one.slice(100)))));
      const info = await blobs.head('a');
      const stored = await text(blobs, 'a');
      expect(bodies).toContain(stored);
      expect(info.sha256).toBe(sha256(Buffer.from(stored)));
    });

    it('reads, replaces and deletes side by side give whole blobs or NotFound', async () => {
      const bodies = ['x', 'y'].map((letter) => letter.repeat(70_000));
      const work = Array.from({ length: 60 }, async (_, index) => {
        if (index % 5 === 4) await blobs.delete('a');
        else if (index % 2 === 0) await blobs.put('a', body(bodies[index % 4 === 0 ? 0 : 1]!));
        else {
          const read = await text(blobs, 'a').catch((error: unknown) => error);
          if (typeof read === 'string') expect(bodies).toContain(read);
          else expect(read).toMatchObject({ code: 'NotFound' });
        }
      });
      await Promise.all(work);
      await blobs.put('a', body('end'));
      expect(await text(blobs, 'a')).toBe('end');
    });
  });
}
