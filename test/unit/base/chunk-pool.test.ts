import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/base/chunk-pool.ts';

describe('a pool of chunks', () => {
  it('gives a buffer again when it has come back, whole or in part, and once', () => {
    const pool = new ChunkPool(16, 4);
    const first = pool.take();
    pool.giveBack(first.subarray(0, 3));
    pool.giveBack(first);
    const [again, other] = [pool.take(), pool.take()];
    expect(again.buffer).toBe(first.buffer);
    expect(again).toHaveLength(16);
    expect(other.buffer).not.toBe(first.buffer);
  });

  it('takes nothing that is not from it', () => {
    const pool = new ChunkPool(16, 4);
    const stranger = Buffer.allocUnsafeSlow(16);
    pool.giveBack(stranger);
    expect(pool.take().buffer).not.toBe(stranger.buffer);
  });

  it('keeps no more than it may', () => {
    const pool = new ChunkPool(16, 1);
    const [first, second] = [pool.take(), pool.take()];
    pool.giveBack(first);
    pool.giveBack(second);
    expect(pool.take().buffer).toBe(first.buffer);
    expect(pool.take().buffer).not.toBe(second.buffer);
  });
});
