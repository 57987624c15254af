import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { toJson } from '../../../src/base/json.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { ImageCaptured } from '../../../src/messages/image-capture.ts';
import { TOPIC } from '../../../src/messages/worker.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type { CopyOrder, DiskCaptures, PausedGuest } from '../../../src/ports/disk-captures.ts';
import { ComputeWorker } from '../../../src/workers/compute-worker.ts';
import {
  createSimulatedHosts,
  type SimulatedHosts,
} from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { SAMPLE_SHA, sampleCommand } from '../../support/command-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ID = 'i-1';
const uuid = sampleCommand('run').spec.domainUuid;
const blob = { key: 'upload/blob-1', sizeBytes: 7, sha256: SAMPLE_SHA };

/** The host's captures folder; it outlives every worker. */
class FakeCaptures implements DiskCaptures {
  readonly paused = new Map<string, PausedGuest>();
  readonly files = new Set<string>();
  readonly log: string[] = [];
  /** What a copy waits for; it ends with the signal all the same. */
  copying: Promise<void> = Promise.resolve();
  problem: CloudError | undefined;
  power: () => string | undefined = () => undefined;

  async copy({ imageId, signal }: CopyOrder): Promise<void> {
    this.files.add(imageId);
    this.log.push(`copy while ${this.power() ?? 'gone'}`);
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
    );
    await Promise.race([this.copying, aborted]);
    if (this.problem !== undefined) throw this.problem;
  }

  flatten(): ReturnType<DiskCaptures['flatten']> {
    this.log.push('flatten');
    return Promise.resolve({ blob, virtualSizeBytes: 512, format: 'qcow2' });
  }

  drop(imageId: string): Promise<void> {
    this.files.delete(imageId);
    return Promise.resolve();
  }

  leftovers(): Promise<string[]> {
    const left = [...this.files];
    this.files.clear();
    return Promise.resolve(left);
  }

  notePaused(guest: PausedGuest): Promise<void> {
    this.paused.set(guest.instanceId, guest);
    return Promise.resolve();
  }

  forgetPaused(instanceId: string): Promise<void> {
    this.paused.delete(instanceId);
    return Promise.resolve();
  }

  listPaused(): Promise<PausedGuest[]> {
    return Promise.resolve([...this.paused.values()]);
  }
}

let clock: ManualClock;
let bus: Bus;
let world: SimulatedHosts;
let captures: FakeCaptures;
let worker: ComputeWorker;
let gate: { readonly promise: Promise<void>; readonly resolve: () => void };

const power = (): string | undefined => world.host('node1').domains.lookup(uuid)?.power;

async function startWorker(session: string, epoch: number): Promise<ComputeWorker> {
  const open = world.openDrivers({ head: () => Promise.resolve({ ...blob, key: 'upload/1' }) }, session);
  const made = new ComputeWorker({
    ...{ workerId: 'w1', session, bus, clock, logger: silentLogger },
    openDrivers: async (transport) => ({ ...(await open(transport)), captures }),
  });
  await made.start();
  await ask('host-open', {
    ...{ v: 1, hostId: 'h-1', epoch, cloudId: 'cloud-1', virtType: 'kvm' },
    transport: { kind: 'simulated', name: 'node1' },
  });
  await clock.advance(500);
  return made;
}

const ask = (type: string, body: object) => bus.call(TOPIC.worker('w1'), type, toJson(body), { timeoutMs: 5000 });
const command = (verb: 'run' | 'stop' | 'remove', generation: number) =>
  ask('instance-command', sampleCommand(verb, { generation, id: ID }));
const capture = async (more: object = {}): Promise<ImageCaptured> => {
  const wish = { v: 1, hostId: 'h-1', epoch: 1, imageId: 'ami-1', instanceId: ID, domainUuid: uuid, blobKey: 'key-1' };
  const answer = (await ask('image-capture', { ...wish, ...more })) as unknown as ImageCaptured;
  await clock.advance(500);
  return answer;
};

beforeEach(async () => {
  clock = new ManualClock();
  bus = createMemoryBus({ clock, random: new SystemRandom() });
  world = createSimulatedHosts({ clock });
  captures = new FakeCaptures();
  captures.power = power;
  gate = Promise.withResolvers<void>();
  await bus.serve(TOPIC.controller, { outcome: () => Promise.resolve(undefined) });
  worker = await startWorker('s1', 1);
  await command('run', 1);
  await clock.advance(1000);
  expect(power()).toBe('running');
});
afterEach(async () => {
  await worker.close();
  await bus.close();
});

describe('the image of an instance, at a worker', () => {
  it('[sim] is taken while the guest is paused, and only the copying holds it up', async () => {
    captures.copying = gate.promise;
    expect(await capture()).toMatchObject({ state: 'running', step: 'waiting' });
    expect(await capture()).toMatchObject({ state: 'running', step: 'copying' });
    expect([power(), captures.paused.size]).toEqual(['paused', 1]);
    await clock.advance(2000);
    gate.resolve();
    await clock.advance(500);
    expect([power(), captures.paused.size, captures.files.size]).toEqual(['running', 0, 0]);
    const done = await capture();
    expect(done).toMatchObject({ state: 'done', blob, virtualSizeBytes: 512, format: 'qcow2' });
    expect(done.state === 'done' && (done.pausedMs ?? 0) >= 2000).toBe(true);
    expect(await capture()).toEqual(done);
    expect(captures.log).toEqual(['copy while paused', 'flatten']);
  });

  it('[sim] of one that is off is copied without a pause', async () => {
    await command('stop', 2);
    await clock.advance(60_000);
    expect(power()).toBe('shutoff');
    await capture();
    const done = await capture();
    expect(done).toMatchObject({ state: 'done' });
    expect(done).not.toHaveProperty('pausedMs');
    expect(captures.log).toEqual(['copy while shutoff', 'flatten']);
  });

  it('[sim] that fails leaves the guest running, and says why; another who asks begins it anew', async () => {
    captures.problem = new CloudError('InsufficientInstanceCapacity', 'no room');
    await capture();
    expect(await capture()).toEqual({
      ...{ state: 'failed', code: 'InsufficientInstanceCapacity', message: 'no room' },
    });
    expect([power(), captures.paused.size, captures.files.size]).toEqual(['running', 0, 0]);
    captures.problem = undefined;
    expect(await capture({ blobKey: 'key-2' })).toMatchObject({ state: 'running' });
    expect(await capture({ blobKey: 'key-2' })).toMatchObject({ state: 'done' });
  });

  it('[sim] and the end of its instance: the removal waits for the copy, and the image is made', async () => {
    captures.copying = gate.promise;
    await capture();
    await command('remove', 2);
    await clock.advance(5000);
    expect(power()).toBe('paused');
    gate.resolve();
    await clock.advance(5000);
    expect(power()).toBeUndefined();
    expect(await capture()).toMatchObject({ state: 'done' });
  });

  it('[sim] of an instance that is removed first fails with what the host says of its disk', async () => {
    await command('remove', 2);
    await clock.advance(5000);
    captures.problem = new CloudError('NotFound', 'the disk is not there');
    await capture();
    expect(await capture()).toMatchObject({ state: 'failed', code: 'NotFound' });
    expect(captures.log).toEqual(['copy while gone']);
  });

  it('[sim] a worker that ends meanwhile lets the guest go on', async () => {
    captures.copying = gate.promise;
    await capture();
    expect(power()).toBe('paused');
    await worker.close();
    expect([power(), captures.paused.size]).toEqual(['running', 0]);
  });

  it('[sim] a worker that dies meanwhile leaves a note, by which the next one lets the guest go on and removes the copy', async () => {
    captures.copying = gate.promise;
    await capture();
    world.severSessions();
    void worker.close().catch(() => undefined);
    await clock.advance(20_000);
    expect([power(), captures.paused.size]).toEqual(['paused', 1]);
    captures.files.add('ami-1');
    worker = await startWorker('s2', 2);
    expect([power(), captures.paused.size, captures.files.size]).toEqual(['running', 0, 0]);
  });

  it('[sim] that nobody asks for any more is given up, also when it is said so', async () => {
    for (const [end, expected] of [
      [() => clock.advance(61_000), 'Timeout'],
      [() => capture({ cancel: true }), 'Conflict'],
    ] as const) {
      captures.copying = gate.promise;
      await capture();
      expect(power(), expected).toBe('paused');
      await end();
      await clock.advance(500);
      expect([power(), captures.paused.size, captures.files.size], expected).toEqual(['running', 0, 0]);
    }
    expect(captures.log).toEqual(['copy while paused', 'copy while paused']);
  });

  it('[sim] is refused to who knows of another epoch, and where hosts make none', async () => {
    await expect(capture({ epoch: 0 })).rejects.toMatchObject({ code: 'StaleEpoch' });
    await expect(capture({ hostId: 'h-2' })).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
