import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import type { BusFaults } from '../../src/adapters/bus/bus-faults.ts';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import type { Clock } from '../../src/base/clock.ts';
import { SystemClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/logger.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { newId, sha256Hex } from '../../src/base/ids.ts';
import type { Random } from '../../src/base/random.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { CallMeta } from '../../src/controller/operations/handler.ts';
import type { InstanceRecord } from '../../src/domain/instance.ts';
import { PREFIX } from '../../src/domain/keys.ts';
import type { AllInOne, AllInOneOptions } from '../../src/launch/all-in-one.ts';
import { startAllInOne } from '../../src/launch/all-in-one.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../../src/messages/operations/index.ts';
import type { HostReach } from '../../src/ports/host-reach.ts';
import type { Store } from '../../src/ports/store.ts';
import type { SimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { createSimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimHostOptions } from '../../src/workers/drivers/simulated/sim-options.ts';
import { until } from './until.ts';

export const ADMIN: CallMeta = {
  requestId: 'req-test',
  principal: { name: 'admin', projectId: 'admin', roles: ['cloudadmin'], from: 'test' },
};

/** The manager of another project. */
export const STRANGER: CallMeta = {
  requestId: 'req-test',
  principal: { name: 'eve', projectId: 'other', roles: ['manager', 'member'], from: 'test' },
};

export interface SimCloudOptions {
  /** Keys of the configuration that differ from the defaults. */
  readonly config?: Record<string, unknown>;
  readonly host?: Partial<SimHostOptions>;
  /** Names of the hosts that are added at once; default `node1`. */
  readonly hosts?: readonly string[];
  readonly clock?: Clock;
  readonly seed?: number;
  readonly store?: Store;
  readonly world?: SimulatedHosts;
  readonly faults?: BusFaults;
  readonly logger?: Logger;
  readonly stateDir?: string;
  /** Machines that are looked at before they are hosts; absent: none is reached over SSH. */
  readonly reach?: HostReach;
}

export type Run = Partial<OperationInput<'RunInstances'>>;

/** An all-in-one on simulated hosts and a memory store (unless another is given), with an image `still` and a way to call it. */
export class SimCloud {
  readonly cloud: AllInOne;
  readonly world: SimulatedHosts;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly stateDir: string;
  readonly #ownsDir: boolean;

  constructor(parts: {
    cloud: AllInOne;
    world: SimulatedHosts;
    clock: Clock;
    random: Random;
    stateDir: string;
    ownsDir: boolean;
  }) {
    this.cloud = parts.cloud;
    this.world = parts.world;
    this.store = parts.cloud.context.store;
    this.clock = parts.clock;
    this.random = parts.random;
    this.stateDir = parts.stateDir;
    this.#ownsDir = parts.ownsDir;
  }

  call<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    meta: Partial<CallMeta> = {},
  ): Promise<OperationOutput<N>> {
    return this.cloud.gateway.unary(name, input, { ...ADMIN, ...meta }) as Promise<OperationOutput<N>>;
  }

  run(input: Run = {}, meta: Partial<CallMeta> = {}): Promise<OperationOutput<'RunInstances'>> {
    return this.call('RunInstances', { ImageId: 'still', InstanceType: 'm1.nano', ...input }, meta);
  }

  async addHost(name: string): Promise<string> {
    const { host } = await this.call('AddHost', { Name: name, Transport: { kind: 'simulated', name } });
    return host.hostId;
  }

  /** The key of bytes that wait to be registered. */
  async upload(bytes: Buffer): Promise<string> {
    const blobKey = `upload/${newId('blob', this.random)}`;
    await this.cloud.blobs.put(blobKey, Readable.from([bytes]));
    return blobKey;
  }

  async addImage(name: string, bytes = bootSector()): Promise<string> {
    const BlobKey = await this.upload(bytes);
    const { image } = await this.call('RegisterImage', { Name: name, Kind: 'machine', BlobKey });
    return image.imageId;
  }

  async addKernel(name: string): Promise<string> {
    const BlobKey = await this.upload(sampleKernel());
    const { image } = await this.call('RegisterImage', { Name: name, Kind: 'kernel', BlobKey });
    return image.imageId;
  }

  record(instanceId: string): InstanceRecord {
    const record = this.store.get<InstanceRecord>(`${PREFIX.instance}${instanceId}`)?.value;
    if (record === undefined) throw new Error(`no record of ${instanceId}`);
    return record;
  }

  records(): InstanceRecord[] {
    return this.store.range<InstanceRecord>(PREFIX.instance).map((entry) => entry.value);
  }

  /** Every instance is in the state and nothing of it is under way. */
  async settled(state: InstanceRecord['state'], ids?: readonly string[]): Promise<InstanceRecord[]> {
    const wanted = (record: InstanceRecord): boolean => ids === undefined || ids.includes(record.id);
    return until(
      () => {
        const records = this.records().filter(wanted);
        return records.every((record) => record.state === state && record.work === undefined) ? records : undefined;
      },
      { what: `all instances are ${state}`, everyMs: 5 },
    );
  }

  async close(): Promise<void> {
    await this.cloud.close();
    this.dispose();
  }

  dispose(): void {
    if (this.#ownsDir) rmSync(this.stateDir, { recursive: true, force: true });
  }
}

export async function startSimCloud(options: SimCloudOptions = {}): Promise<SimCloud> {
  const clock = options.clock ?? new SystemClock();
  const random = new SeededRandom(options.seed ?? 1);
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'novactl-sim-'));
  const world = options.world ?? createSimulatedHosts({ clock, ...(options.host && { options: options.host }) });
  const cloud = await startAllInOne(allInOneOptions(options, { clock, random, stateDir, world }));
  const sim = new SimCloud({ cloud, world, clock, random, stateDir, ownsDir: options.stateDir === undefined });
  // A store that was used before has hosts and images already.
  if (sim.store.count(PREFIX.host) === 0) {
    for (const name of options.hosts ?? ['node1']) await sim.addHost(name);
    await sim.addImage('still');
  }
  // Time that a test makes pass must not run ahead of a real disk: the hosts have the image already.
  if (options.clock !== undefined) for (const host of world.hosts()) host.images.add(sha256Hex(bootSector()));
  return sim;
}

function allInOneOptions(
  options: SimCloudOptions,
  made: { clock: Clock; random: Random; stateDir: string; world: SimulatedHosts },
): AllInOneOptions {
  const { clock, random, stateDir, world } = made;
  const logger = options.logger ?? silentLogger;
  return {
    config: ConfigSchema.parse({ drivers: 'simulated', ...options.config, stateDir }),
    version: '0.0.0-test',
    ...{ clock, random, logger },
    roles: ['api', 'controller', 'worker'],
    openDrivers: (blobs) => world.openDrivers(blobs),
    volumes: world.volumes,
    ...(options.reach === undefined ? {} : { reach: options.reach }),
    onPoison: (error) => logger.error('poisoned', { error: error.message }),
    store: options.store ?? createMemoryStore({ clock, random }),
    bus: createMemoryBus({ clock, random, logger, ...(options.faults && { faults: options.faults }) }),
  };
}

/** 512 bytes that pass for a disk. */
export function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** A bzImage as far as its setup header goes. */
function sampleKernel(): Buffer {
  const image = Buffer.alloc(4096);
  image.writeUInt16LE(0xaa55, 510);
  image.write('HdrS', 0x202);
  image.writeUInt16LE(0x020f, 0x206);
  image.writeUInt16LE(1, 0x236);
  return image;
}
