import type { Clock } from '../base/clock.ts';
import { CloudError, errorText, isCode } from '../base/errors.ts';
import type { ImageRef, InstanceCommand, InstanceSpec } from '../messages/worker.ts';
import type { DomainFact } from '../ports/hypervisor.ts';
import type { HostDrivers } from '../ports/host-drivers.ts';
import type { NetworkSpec, PortSpec } from '../ports/network-backend.ts';
import type { SharedLock } from '../base/shared-lock.ts';
import type { Once } from './command-ledger.ts';
import { designDomain } from './design-domain.ts';
import { seedImage } from './seed-image.ts';
import type { StepLog } from './step-log.ts';

/** Software emulation is slower by about this much; every deadline of a guest is stretched by it. */
const TCG_FACTOR = 6;
const POLL_MS = 200;
/** A guest that was still booting misses the power button, so it is pressed again. */
const PRESS_AGAIN_MS = 5000;

export interface WorkContext {
  readonly drivers: HostDrivers;
  readonly virtType: 'kvm' | 'qemu';
  readonly clock: Clock;
  readonly log: StepLog;
  readonly signal: AbortSignal;
  /** Ports of a bridge are made side by side; taking one away is alone, since with the last one the bridge goes. */
  readonly bridges: SharedLock;
  readonly once: Once;
}

/** verb -> what it does. Each is in ensure form: done twice is done once; reboot with the help of the ledger. */
export const INSTANCE_WORK: {
  readonly [V in InstanceCommand['verb']]: (
    context: WorkContext,
    command: Extract<InstanceCommand, { verb: V }>,
  ) => Promise<void>;
} = {
  run: runInstance,
  stop: stopInstance,
  reboot: rebootInstance,
  remove: removeInstance,
};

function networkSpec({ network }: InstanceSpec): NetworkSpec {
  const { metadataPort, ...rest } = network;
  return { ...rest, metadata: { address: '127.0.0.1', port: metadataPort } };
}

function portSpec(spec: InstanceSpec): PortSpec {
  return { instanceId: spec.instanceId, ...spec.port };
}

async function runInstance(context: WorkContext, command: Extract<InstanceCommand, { verb: 'run' }>): Promise<void> {
  const { drivers, log, bridges } = context;
  const { spec } = command;
  const network = networkSpec(spec);
  const port = portSpec(spec);
  const before = await log.run('look', () => drivers.hypervisor.lookup(spec.domainUuid));
  // Side by side: neither needs the other, and a guest waits for both.
  const [paths] = await allSettled([
    ensureFiles(context, command),
    bridges.share(network.bridge, async () => {
      await log.run('network', () => drivers.network.ensureNetwork(network));
      await log.run('port', () => drivers.network.ensurePort(network, port));
    }),
  ]);
  if (before?.power !== 'running' && before?.power !== 'paused') {
    const domain = designDomain(spec, {
      generation: command.generation,
      virtType: context.virtType,
      consoleLogPath: drivers.consoleLogPath(spec.instanceId),
      ...paths,
    });
    await log.run('define', () => drivers.hypervisor.define(domain));
    await log.run('start', () => drivers.hypervisor.start(spec.domainUuid));
  }
  await log.run('guard', () => drivers.network.guardPort(network, port));
}

/** Like Promise.all, but when one fails the others have ended too before anything else is done for the instance. */
async function allSettled<const T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}

interface HostPaths {
  readonly diskPath: string;
  readonly basePath: string;
  readonly seedPath?: string;
  readonly kernelPath?: string;
  readonly ramdiskPath?: string;
}

/** Image, kernel and ramdisk in the host's cache, and the instance's own disk over the image. */
async function ensureFiles(
  { drivers, log }: WorkContext,
  { spec, hasRun, seed }: Extract<InstanceCommand, { verb: 'run' }>,
): Promise<HostPaths> {
  const fetch = (image: ImageRef, kind: 'machine' | 'kernel' | 'ramdisk'): Promise<string> =>
    log.run(kind === 'machine' ? 'image' : kind, () => drivers.images.ensureImage({ ...image, kind }));
  const { format } = spec.image;
  if (format !== 'raw' && format !== 'qcow2') {
    throw new CloudError('InvalidParameterValue', `image ${spec.image.imageId} is a ${format}, not a disk`);
  }
  const [basePath, kernelPath, ramdiskPath] = await allSettled([
    fetch(spec.image, 'machine'),
    spec.kernel && fetch(spec.kernel, 'kernel'),
    spec.ramdisk && fetch(spec.ramdisk, 'ramdisk'),
  ]);
  const owner = await drivers.qemuOwner();
  const diskPath = await log.run('disk', () =>
    drivers.images.ensureOverlay({
      instanceId: spec.instanceId,
      basePath,
      baseFormat: format,
      virtualSizeBytes: spec.diskBytes,
      ...owner,
      mustExist: hasRun,
    }),
  );
  const seedPath =
    seed && (await log.run('seed', () => drivers.images.writeSeed(spec.instanceId, seedImage(spec, seed), owner)));
  return {
    diskPath,
    basePath,
    ...(seedPath === undefined ? {} : { seedPath }),
    ...(kernelPath === undefined ? {} : { kernelPath }),
    ...(ramdiskPath === undefined ? {} : { ramdiskPath }),
  };
}

const isOff = (fact: DomainFact | undefined): boolean =>
  fact === undefined || fact.power === 'shutoff' || fact.power === 'crashed';

/** Presses the power button and waits; false when the guest is still there at the deadline. */
async function askToShutDown(context: WorkContext, uuid: string, timeoutMs: number): Promise<boolean> {
  const { drivers, clock, signal } = context;
  const patienceMs = timeoutMs * (context.virtType === 'kvm' ? 1 : TCG_FACTOR);
  const began = clock.monotonicMs();
  for (let pressed = -Infinity; ;) {
    const fact = await drivers.hypervisor.lookup(uuid);
    if (isOff(fact)) return true;
    const waitedMs = clock.monotonicMs() - began;
    if (waitedMs >= patienceMs) return false;
    if (waitedMs - pressed >= PRESS_AGAIN_MS && fact?.power !== 'shutting-down') {
      pressed = waitedMs;
      // A button that can't be pressed is no reason to wait less, or to leave the guest on at the end.
      await drivers.hypervisor.shutdown(uuid).catch((error: unknown) => {
        if (!isCode(error, 'HypervisorError', 'NotFound')) throw error;
      });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function stopInstance(context: WorkContext, command: Extract<InstanceCommand, { verb: 'stop' }>): Promise<void> {
  const { drivers, log } = context;
  const uuid = command.spec.domainUuid;
  const fact = await log.run('look', () => drivers.hypervisor.lookup(uuid));
  if (isOff(fact)) return;
  const went = !command.force && (await log.run('shutdown', () => askToShutDown(context, uuid, command.timeoutMs)));
  if (!went) await log.run('destroy', () => drivers.hypervisor.destroy(uuid));
}

/**
 * Off and on again where the guest plays along, else a reset: libvirt's own ACPI reboot would turn a later power-off into a reset. Once for one request: what
 * is not known to have happened, and can't be seen, is not done again.
 */
async function rebootInstance(
  context: WorkContext,
  command: Extract<InstanceCommand, { verb: 'reboot' }>,
): Promise<void> {
  const { drivers, log, once } = context;
  const { spec } = command;
  const { domainUuid: uuid, instanceId } = spec;
  if (once.overtaken) throw notKnown(instanceId, 'the host has done what was asked for later');
  const fact = await log.run('look', () => drivers.hypervisor.lookup(uuid));
  if (fact === undefined) throw new CloudError('NotFound', `the domain of ${instanceId} is not defined on its host`);
  const isDone = once.reached === 'done' || (once.reached === 'start' && !isOff(fact));
  if (!isDone) await rebootOnce(context, command, isOff(fact));
  else if (isOff(fact)) return;
  // Also after a reset: who started this guest before may have ended before it was guarded.
  await log.run('guard', () => drivers.network.guardPort(networkSpec(spec), portSpec(spec)));
}

async function rebootOnce(
  context: WorkContext,
  { spec, force, timeoutMs }: Extract<InstanceCommand, { verb: 'reboot' }>,
  wasOff: boolean,
): Promise<void> {
  const { drivers, log, once } = context;
  const { domainUuid: uuid, instanceId } = spec;
  if (once.reached === 'reset' && !wasOff) throw notKnown(instanceId, 'the worker ended while it was reset');
  const off = wasOff || (!force && (await log.run('shutdown', () => askToShutDown(context, uuid, timeoutMs))));
  await once.begin(off ? 'start' : 'reset');
  if (off) {
    await log.run('start', () => drivers.hypervisor.start(uuid));
  } else {
    try {
      await log.run('reset', () => drivers.hypervisor.reset(uuid));
    } catch (error) {
      if (error instanceof CloudError && error.details?.['outcome'] === 'unknown') {
        throw notKnown(instanceId, errorText(error));
      }
      once.end(false);
      throw error;
    }
  }
  once.end(true);
}

function notKnown(instanceId: string, why: string): CloudError {
  return new CloudError(
    'PartlyDone',
    `whether ${instanceId} was rebooted is not known (${why}); it is not done twice: reboot it again if it was not`,
  );
}

async function removeInstance(
  { drivers, log, bridges }: WorkContext,
  { spec }: Extract<InstanceCommand, { verb: 'remove' }>,
): Promise<void> {
  const network = networkSpec(spec);
  const fact = await log.run('look', () => drivers.hypervisor.lookup(spec.domainUuid));
  if (!isOff(fact)) await log.run('destroy', () => drivers.hypervisor.destroy(spec.domainUuid));
  if (fact !== undefined) await log.run('undefine', () => drivers.hypervisor.undefine(spec.domainUuid));
  await bridges.alone(network.bridge, async () => {
    await log.run('port', () => drivers.network.removePort(network, portSpec(spec)));
    const { leases } = await drivers.network.inventory();
    if (leases.some((lease) => lease.bridge === network.bridge)) return;
    await log.run('network', () => drivers.network.removeNetwork(network.networkId, network.bridge));
  });
  await log.run('disk', () => drivers.images.removeInstanceDir(spec.instanceId));
}
