import { CloudError } from '../../src/base/errors.ts';
import type { OperationName, OperationOutput } from '../../src/messages/operations/index.ts';
import type { FakeBackend, SeenCall } from './fake-cloud.ts';
import { NOW_MS } from './run-cli.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

type Instance = OperationOutput<'DescribeInstances'>['instances'][number];

const running: Instance = {
  instanceId: 'i-0123456789abcdef0',
  reservationId: 'r-0123456789abcdef0',
  launchIndex: 0,
  projectId: 'admin',
  name: 'web, first',
  state: 'running',
  imageId: 'ami-0123456789abcdef0',
  kernelId: 'aki-0123456789abcdef0',
  ramdiskId: 'ari-0123456789abcdef0',
  instanceType: 'm1.nano',
  vcpus: 1,
  memoryMib: 128,
  diskGib: 1,
  keyName: 'mine',
  hostId: 'h-0123456789abcdef0',
  hostName: 'node1',
  availabilityZone: 'nova',
  privateIpAddress: '10.200.0.2',
  macAddress: '02:16:3e:00:00:01',
  privateDnsName: 'ip-10-200-0-2.novalocal',
  networkId: 'net-0123456789abcdef0',
  launchTimeMs: NOW_MS - 3 * HOUR,
  stateChangedAtMs: NOW_MS - 3 * HOUR + 4 * SECOND,
  operationId: 'op-0123456789abcdef0',
  rev: 12,
};

export const INSTANCES: readonly Instance[] = [
  running,
  {
    ...running,
    instanceId: 'i-0123456789abcdef1',
    launchIndex: 1,
    name: 'würfel \u001b[31m漢字',
    state: 'stopped',
    stateReason: { code: 'Client.UserInitiatedShutdown', message: 'stopped by root@socket' },
    privateIpAddress: '10.200.0.3',
    launchTimeMs: NOW_MS - 42 * SECOND,
  },
];

const image: OperationOutput<'DescribeImages'>['images'][number] = {
  imageId: 'ami-0123456789abcdef0',
  name: 'tiny',
  kind: 'machine',
  state: 'available',
  architecture: 'x86_64',
  format: 'qcow2',
  sizeBytes: 1_310_720,
  virtualSizeBytes: 16_777_216,
  sha256: 'a'.repeat(64),
  kernelId: 'aki-0123456789abcdef0',
  ramdiskId: 'ari-0123456789abcdef0',
  projectId: 'admin',
  public: true,
  createdAtMs: NOW_MS - 48 * HOUR,
};

const host: OperationOutput<'DescribeHosts'>['hosts'][number] = {
  hostId: 'h-0123456789abcdef0',
  name: 'node1',
  state: 'up',
  zone: 'nova',
  roles: ['compute'],
  transport: 'local',
  facts: {
    hostname: 'node1',
    architecture: 'x86_64',
    cpus: 2,
    memoryMib: 7900,
    diskGib: 100,
    virtType: 'qemu',
    virtReason: '/dev/kvm is not there',
    hypervisor: 'QEMU',
    hypervisorVersion: '7.2.9',
    libvirtVersion: '9.0.0',
  },
  usage: { instances: 2, vcpus: 2, memoryMib: 256, diskGib: 2 },
  capacity: { vcpus: 32, memoryMib: 7388, diskGib: 98 },
  orphans: [],
  lastReportMs: NOW_MS - 5 * SECOND,
  addedAtMs: NOW_MS - 48 * HOUR,
};

const operation: OperationOutput<'DescribeOperations'>['operations'][number] = {
  operationId: 'op-0123456789abcdef0',
  name: 'RunInstances',
  status: 'failed',
  principal: 'root@socket',
  projectId: 'admin',
  from: 'socket',
  reason: 'spring sale',
  inputDigest: 'b'.repeat(64),
  startedAtMs: NOW_MS - 10 * MINUTE,
  endedAtMs: NOW_MS - 10 * MINUTE + 2500,
  targets: [running.instanceId, 'i-0123456789abcdef1'],
  pending: [],
  steps: [
    { target: running.instanceId, step: 'prepare the disk', atMs: NOW_MS - 10 * MINUTE + 100, tookMs: 1200 },
    { target: running.instanceId, step: 'start the domain', atMs: NOW_MS - 10 * MINUTE + 1300, error: 'no memory' },
  ],
  error: { code: 'HypervisorError', message: 'start the domain: no memory' },
};

const keyPair: OperationOutput<'DescribeKeyPairs'>['keyPairs'][number] = {
  keyPairId: 'key-0123456789abcdef0',
  keyName: 'mine',
  keyType: 'ed25519',
  keyFingerprint: 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
  publicKey: 'ssh-ed25519 AAAA mine',
  createdAtMs: NOW_MS - 24 * HOUR,
};

const service: OperationOutput<'DescribeServices'>['services'][number] = {
  serviceId: 'node1',
  roles: ['api', 'controller'],
  state: 'up',
  wanted: 'enabled',
  version: '0.1.0',
  machine: 'node1',
  pid: 4242,
  startedAtMs: NOW_MS - 25 * HOUR,
  lastHelloMs: NOW_MS - 2 * SECOND,
  store: { engine: 'etcd', rev: 118, keys: 40 },
  bus: { engine: 'rabbitmq', waiting: 0, handling: 1 },
  owns: 2,
  depth: 0,
};

const services: OperationOutput<'DescribeServices'>['services'] = [
  service,
  {
    ...{ serviceId: 'node2', roles: ['worker'], state: 'draining', wanted: 'draining', reason: 'new kernel' },
    ...{ version: '0.1.0', machine: 'node2', pid: 77, startedAtMs: NOW_MS - 90 * SECOND, lastHelloMs: NOW_MS - SECOND },
    ...{ bus: { engine: 'rabbitmq', waiting: 3, handling: 0 }, opens: 1 },
  },
  {
    ...{ ...service, serviceId: 'node3', state: 'lost', lastHelloMs: NOW_MS - 40 * SECOND },
    ...{ problem: 'it has said nothing for more than 15 s', store: { ...service.store, staleMs: 12_000 } },
  } as typeof service,
];

const hosts: OperationOutput<'ExplainPlacement'>['hosts'] = [
  { hostId: host.hostId, hostName: 'node1', weight: 0.9654 },
  { hostId: 'h-0123456789abcdef1', hostName: 'node2', filter: 'memory', reason: '100 MiB free, 8192 MiB asked for' },
];

const change = (was: Instance['state'], is: Instance['state']): OperationOutput<'StopInstances'> => ({
  instances: [{ instanceId: running.instanceId, previousState: was, currentState: is }],
  operationId: operation.operationId,
});

const cloud: OperationOutput<'DescribeCloud'> = {
  cloudId: 'cloud-0123456789abcdef0',
  version: '0.1.0',
  pid: 4242,
  startedAtMs: NOW_MS - 25 * HOUR,
  nowMs: NOW_MS,
  roles: ['api', 'controller', 'worker'],
  stateDir: '/var/lib/novactl',
  store: { engine: 'file', ok: true, rev: 118, keys: 40 },
  bus: { engine: 'memory', deadLetters: 1 },
  hosts: { up: 1, down: 1 },
  instances: { running: 1, stopped: 1, pending: 0 },
  usage: { vcpus: 2, memoryMib: 256 },
  capacity: { vcpus: 32, memoryMib: 7388 },
  problems: ['node2 is down: no answer for 40s', '1 message could not be delivered'],
};

const explanation: OperationOutput<'ExplainInstance'> = {
  instance: { ...running, state: 'pending' },
  desired: 'running',
  generation: 3,
  work: {
    verb: 'start',
    attempt: 2,
    step: 'start the domain',
    sinceMs: NOW_MS - 30 * SECOND,
    notBeforeMs: NOW_MS + 5 * SECOND,
    lastError: 'no memory',
  },
  host: { hostId: host.hostId, hostName: 'node1', state: 'up' },
  observed: { power: 'off', reason: 'failed', atMs: NOW_MS - 5 * SECOND },
  because: ['node1 could not start it: no memory'],
  next: ['it is tried again in 5 s', '"novactl host show node1"'],
};

/** One answer for each operation; an error for what a test has no answer for. */
export const ANSWERS: { readonly [N in OperationName]?: OperationOutput<N> } = {
  DescribeInstances: { instances: [...INSTANCES], rev: 118 },
  DescribeImages: { images: [image], rev: 118 },
  DescribeHosts: { hosts: [host], rev: 118 },
  DescribeOperations: { operations: [operation], rev: 118 },
  DescribeKeyPairs: { keyPairs: [keyPair], rev: 118 },
  DescribeInstanceTypes: {
    instanceTypes: [{ instanceType: 'm1.nano', vcpus: 1, memoryMib: 128, diskGib: 1 }],
    rev: 118,
  },
  DescribeCloud: cloud,
  DescribeServices: { services, rev: 118 },
  EnableService: { service, operationId: operation.operationId },
  DisableService: {
    service: { ...service, state: 'disabled', wanted: 'disabled' },
    operationId: operation.operationId,
  },
  DrainService: { service: { ...service, state: 'draining', wanted: 'draining' }, operationId: operation.operationId },
  ExplainInstance: explanation,
  ExplainPlacement: { instanceType: 'm1.large', possible: true, hosts },
  PlanInstances: {
    possible: true,
    imageId: image.imageId,
    instanceType: 'm1.nano',
    placements: [{ launchIndex: 0, hostId: host.hostId, hostName: 'node1' }],
    hosts,
  },
  RunInstances: {
    reservationId: running.reservationId,
    operationId: operation.operationId,
    instances: [{ ...running, state: 'pending' }],
  },
  StartInstances: change('stopped', 'pending'),
  StopInstances: change('running', 'stopping'),
  RebootInstances: change('running', 'running'),
  TerminateInstances: change('running', 'shutting-down'),
  CreateKeyPair: { keyPair, keyMaterial: '-----BEGIN SECRET-----\n', operationId: operation.operationId },
  ImportKeyPair: { keyPair, operationId: operation.operationId },
  DeleteKeyPair: { keyName: 'mine', keyPairId: keyPair.keyPairId, operationId: operation.operationId },
  RegisterImage: { image, operationId: operation.operationId },
  DeregisterImage: { imageId: image.imageId, operationId: operation.operationId },
  AddHost: { host, operationId: operation.operationId },
  RemoveHost: { hostId: host.hostId, instances: [], operationId: operation.operationId },
};

export interface CannedOptions {
  /** In place of the answer above; a CloudError is thrown. */
  readonly answers?: {
    readonly [N in OperationName]?: OperationOutput<N> | CloudError | ((call: SeenCall) => unknown);
  };
  readonly streams?: { readonly [N in 'WatchInstances' | 'WatchOperation']?: readonly OperationOutput<N>[] };
}

/** A cloud that always says the same. */
export function cannedCloud(options: CannedOptions = {}): FakeBackend {
  return {
    unary(call) {
      const name = call.name as OperationName;
      const chosen: unknown = options.answers?.[name] ?? ANSWERS[name];
      if (chosen instanceof CloudError) throw chosen;
      if (chosen === undefined) throw new CloudError('InvalidAction', `the test has no answer for ${name}`);
      return typeof chosen === 'function' ? (chosen as (seen: SeenCall) => unknown)(call) : chosen;
    },
    async *stream(call, signal) {
      yield* options.streams?.[call.name as 'WatchInstances'] ?? [];
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
}
