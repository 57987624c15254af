import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_BYTES, Md5Thread, type Md5Lane } from '../../../../src/adapters/objects/md5-thread.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { openAt, scratchDir, segmentFiles } from './open-objects.ts';

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

function newThread(code?: string): Md5Thread {
  const thread = new Md5Thread(silentLogger, code);
  onTestFinished(() => thread.close());
  return thread;
}

function laneOf(thread: Md5Thread): Md5Lane {
  const lane = thread.lane();
  if (lane === undefined) throw new Error('no lane is free');
  return lane;
}

/** Writes into the lane's first block, and waits until it is counted. */
async function count(lane: Md5Lane, bytes: Uint8Array): Promise<void> {
  lane.blocks[0]?.set(bytes);
  await lane.update(0, bytes.length);
}

describe('the thread that counts MD5', () => {
  it('counts several bodies at a time, each for itself', async () => {
    const thread = newThread();
    const bodies = Array.from({ length: 5 }, (_, n) => randomBytes(1000 * n));
    const lanes = bodies.map(() => laneOf(thread));
    for (const half of [0, 1]) {
      for (const [n, body] of bodies.entries()) {
        const lane = lanes[n];
        if (lane !== undefined) await count(lane, body.subarray(half * 500 * n, (half + 1) * 500 * n));
      }
    }
    expect(await Promise.all(lanes.map((lane) => lane.digest()))).toEqual(bodies.map(md5));
  });

  it('begins anew in a lane that was left before its end, and has no more than sixteen', async () => {
    const thread = newThread();
    const lanes = Array.from({ length: 16 }, () => laneOf(thread));
    expect(thread.lane()).toBeUndefined();
    const [first] = lanes;
    void first?.update(0, 7);
    first?.release();
    const again = laneOf(thread);
    expect(thread.lane()).toBeUndefined();
    await count(again, Buffer.from('abc'));
    expect(await again.digest()).toBe(md5(Buffer.from('abc')));
  });

  it.each([
    ['fails', "require('node:worker_threads').parentPort.on('message', () => { throw new Error('out of order'); });"],
    ['ends', "require('node:worker_threads').parentPort.once('message', () => process.exit(0));"],
  ])('that %s: who waits gets Unavailable, and it is done without from then on', async (_, code) => {
    const thread = newThread(code);
    const lane = laneOf(thread);
    await expect(lane.update(0, 10)).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(lane.digest()).rejects.toMatchObject({ code: 'Unavailable' });
    lane.release();
    expect(thread.lane()).toBeUndefined();
  });

  it('that is closed: who waits gets Unavailable', async () => {
    const thread = newThread("require('node:worker_threads').parentPort.on('message', () => undefined);");
    const answer = laneOf(thread).digest();
    await thread.close();
    await expect(answer).rejects.toMatchObject({ code: 'Unavailable' });
    expect(thread.lane()).toBeUndefined();
  });
});

/** A body in chunks of a length that goes into nothing evenly. */
function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_537) yield bytes.subarray(at, at + 65_537);
}

async function openStore(): Promise<{ readonly dir: string; readonly store: ObjectStore }> {
  const dir = await scratchDir();
  const store = await openAt(dir);
  onTestFinished(() => store.close());
  return { dir, store };
}

describe('a large body in the object store', () => {
  it.each([0, 10, BLOCK_BYTES - 1, BLOCK_BYTES, 5 * BLOCK_BYTES, 9 * BLOCK_BYTES + 1])(
    'of %i bytes, of which as much or more was expected, is kept as it came',
    async (sizeBytes) => {
      const { store } = await openStore();
      const bytes = randomBytes(sizeBytes);
      const asked = { maxBytes: 1e9, expectedBytes: 1e8, checksums: ['CRC32'] as const };
      const { segment, digests } = await store.receive(Readable.from(chunksOf(bytes)), asked);
      expect(digests.md5).toBe(md5(bytes));
      const back = await store.read({ segments: [segment] }, { start: 0, end: sizeBytes, verify: true });
      expect(md5(Buffer.concat(await back.toArray()))).toBe(md5(bytes));
    },
  );

  it.each([true, false])(
    'is kept as it came, and its chunks are freed when they are given away (%s)',
    async (isGivenAway) => {
      const { store } = await openStore();
      const whole = Array.from({ length: 40 }, () => Buffer.from(randomBytes(65_536).buffer));
      const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = whole;
      // A chunk that is only some of its memory does not have it freed.
      const chunks = [first.subarray(0, 100), first.subarray(100), second.subarray(7), ...whole.slice(2)];
      const sha256 = createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
      const asked = { maxBytes: 1e9, expectedBytes: 1e8, isGivenAway };
      const { segment } = await store.receive(Readable.from(chunks), asked);
      expect(segment.sha256).toBe(sha256);
      const back = await store.read({ segments: [segment] }, { start: 0, end: segment.sizeBytes, verify: true });
      expect(
        createHash('sha256')
          .update(Buffer.concat(await back.toArray()))
          .digest('hex'),
      ).toBe(sha256);
      expect([first, second].map(({ length }) => length)).toEqual([65_536, 65_536]);
      expect(whole.slice(2).filter(({ length }) => length > 0)).toHaveLength(isGivenAway ? 0 : 38);
    },
  );

  it('comes with sixteen others, of which some are cut: no one gets the bytes of another', async () => {
    const { dir, store } = await openStore();
    const bodies = Array.from({ length: 24 }, () => randomBytes(3_000_000));
    const asked = { maxBytes: 1e9, expectedBytes: 3_000_000 };
    const cut = function* (bytes: Buffer): Generator<Buffer> {
      yield* chunksOf(bytes.subarray(0, 2_000_000));
      throw new Error('cut');
    };
    const ended = await Promise.allSettled(
      bodies.map((body, n) => store.receive(Readable.from(n % 3 === 0 ? cut(body) : chunksOf(body)), asked)),
    );
    const came = ended.map((end) => (end.status === 'fulfilled' ? end.value.digests.md5 : 'none'));
    expect(came).toEqual(bodies.map((body, n) => (n % 3 === 0 ? 'none' : md5(body))));
    expect(await segmentFiles(dir)).toHaveLength(16);
  });
});
