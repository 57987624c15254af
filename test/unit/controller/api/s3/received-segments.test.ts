import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { ReceivedSegments } from '../../../../../src/controller/api/s3/received-segments.ts';
import { bucketSample, newObject, readObject } from '../../../../support/object-samples.ts';
import { openAt, scratchDir, segmentFiles } from '../../../adapters/objects/open-objects.ts';

const bytes = Buffer.alloc(100_000, 'x');

it('what a request that failed has received is gone at once, and what it has named stays', async () => {
  const dir = await scratchDir();
  const store = await openAt(dir);
  await store.createBucket(bucketSample('b'));
  const received = new ReceivedSegments(store);
  const receive = () => received.receive(Readable.from([bytes]), { maxBytes: 1e6 });
  const failed = received.droppedUnless(async () => {
    await store.putObject(newObject('b', 'named', await receive()));
    await receive();
    expect(await segmentFiles(dir)).toHaveLength(2);
    throw new Error('no');
  });
  await expect(failed).rejects.toThrowError('no');
  expect(await segmentFiles(dir)).toHaveLength(1);
  expect((await readObject(store, 'b', 'named')).equals(bytes)).toBe(true);
  await store.close();
});
