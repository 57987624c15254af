import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../../src/base/errors.ts';
import type { Json } from '../../../../src/base/json.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { captureDisk } from '../../../../src/controller/images/capture.ts';
import type { ImageImportRecord } from '../../../../src/domain/image-import.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { qcow2Sample } from '../../domain/image-samples.ts';

const bytes = qcow2Sample();
const record: ImageImportRecord = {
  ...{ v: 1, imageId: 'ami-1', operationId: 'op-1', attempts: 1, step: '', doneBytes: 0 },
  ...{ startedAtMs: 0, updatedAtMs: 0, asker: { name: 'ann', projectId: 'p', roles: [] } },
  source: { kind: 'instance', instanceId: 'i-1', hostId: 'h-1' },
};

interface Asked {
  readonly worker: string;
  readonly epoch: number;
  readonly blobKey: string;
  readonly cancel: boolean;
}

let clock: ManualClock;
let asked: Asked[];
let answers: (object | CloudError)[];
let assign: { workerId: string; epoch: number };
let deleted: string[];
/** What is in the store of its host. */
let host: object | undefined;

beforeEach(() => {
  clock = new ManualClock();
  [asked, answers, deleted] = [[], [], []];
  assign = { workerId: 'w1', epoch: 1 };
  host = { name: 'node1' };
});

const capture = (body: Buffer, signal = new AbortController().signal) => {
  const cloud = {
    ...{ clock, random: new SystemRandom(), cloudId: 'cloud-1', logger: silentLogger },
    store: { get: (key: string) => ({ value: key === 'host/h-1' ? host : assign }) } as never,
    bus: {
      call: (topic: string, _type: string, wish: Json) => {
        asked.push({ worker: topic, ...(wish as unknown as Omit<Asked, 'worker'>) });
        const answer = answers.shift() ?? { state: 'running', step: 'copying', doneBytes: 0 };
        return answer instanceof CloudError ? Promise.reject(answer) : Promise.resolve(answer);
      },
    } as never,
    blobs: {
      read: (_key: string, { start = 0, end = body.length } = {}) =>
        Promise.resolve(Readable.from([body.subarray(start, end)])),
      delete: (key: string) => Promise.resolve(void deleted.push(key)),
    } as never,
  };
  return captureDisk(cloud, record, () => undefined, signal).then(
    (built) => built,
    (error: unknown) => error as CloudError,
  );
};
const done = (body: Buffer): object => ({
  ...{ state: 'done', virtualSizeBytes: 512, format: 'qcow2', pausedMs: 400 },
  blob: { key: 'upload/blob-1', sizeBytes: body.length, sha256: 'a'.repeat(64) },
});

describe('an image of an instance, as the controller has it made', () => {
  it('[sim] goes on at the next worker when one is gone, and says how long the guest was paused', async () => {
    answers = [{ state: 'running', step: 'copying', doneBytes: 1 }, new CloudError('Unavailable', 'gone')];
    const built = capture(bytes);
    await clock.advance(1500);
    assign = { workerId: 'w2', epoch: 2 };
    answers = [done(bytes)];
    await clock.advance(1500);
    expect(await built).toMatchObject({ blob: { key: 'upload/blob-1' }, facts: { format: 'qcow2' } });
    expect(await built).toMatchObject({ notes: ['the guest was paused for 400ms'] });
    expect(asked.map(({ worker, epoch }) => `${worker} ${epoch}`)).toEqual([
      'worker.w1 1',
      'worker.w1 1',
      'worker.w2 2',
    ]);
    expect(new Set(asked.map(({ blobKey }) => blobKey)).size).toBe(1);
  });

  it.each([
    ['given up', { name: 'node1', lost: { operationId: 'op-2', atMs: 1 } }],
    ['removed', undefined],
  ])('[sim] fails at once when its host was %s, however patiently a silent one is waited for', async (_how, now) => {
    answers = Array.from({ length: 9 }, () => new CloudError('Unavailable', 'no route to host'));
    const built = capture(bytes);
    await clock.advance(2500);
    expect(asked).toHaveLength(3);
    host = now;
    await clock.advance(1000);
    expect(await built).toMatchObject({ code: 'Unreachable', message: expect.stringContaining('removed') as string });
    expect(asked).toHaveLength(3);
  });

  it('[sim] is begun anew under another name when its worker ended it, but not for ever', async () => {
    answers = Array.from({ length: 9 }, () => ({ state: 'failed', code: 'Unavailable', message: 'shutting down' }));
    const built = capture(bytes);
    await clock.advance(20_000);
    expect(await built).toMatchObject({ code: 'Unavailable', message: 'shutting down' });
    expect(new Set(asked.map(({ blobKey }) => blobKey)).size).toBe(5);
  });

  it('[sim] fails with what the host says, and after ten minutes of a host that nobody can ask', async () => {
    answers = [{ state: 'failed', code: 'Timeout', message: 'paused for too long' }];
    expect(await capture(bytes)).toMatchObject({ code: 'Timeout', message: 'paused for too long' });
    answers = Array.from({ length: 700 }, () => new CloudError('Unavailable', 'no worker'));
    const silent = capture(bytes);
    await clock.advance(602_000);
    expect(await silent).toMatchObject({ code: 'Unavailable' });
  });

  it('[sim] that is not wanted any more is told to the worker', async () => {
    const abort = new AbortController();
    const built = capture(bytes, abort.signal);
    await clock.advance(500);
    abort.abort(new CloudError('Conflict', 'deregistered'));
    await clock.advance(500);
    expect(await built).toMatchObject({ message: 'deregistered' });
    expect(asked.map(({ cancel }) => cancel)).toEqual([false, true]);
  });

  it('[sim] is looked at as anybody’s: what stands on another file is refused, and its bytes go', async () => {
    const evil = qcow2Sample({ backingOffset: 1024, backingSize: 11 });
    answers = [done(evil)];
    expect(await capture(evil)).toMatchObject({ code: 'InvalidImage.Format' });
    expect(deleted).toEqual(['upload/blob-1']);
  });
});
