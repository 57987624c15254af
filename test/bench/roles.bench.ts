import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/base/clock.ts';
import { generateSshKeyPair } from '../../src/base/openssh-key.ts';
import { SocketClient } from '../../src/client/socket-client.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { freePorts } from '../support/free-ports.ts';
import { PrivateRabbit } from '../support/private-rabbit.ts';
import { ClusterProcess } from '../system/support/cluster-process.ts';
import { until } from '../support/until.ts';
import type { Bench, BenchContext, BenchRow } from './bench-row.ts';
import { benchRow } from './bench-row.ts';
import { inLanes } from './lanes.ts';

const ROUNDS = 300;
const LANES = 16;
const key = generateSshKeyPair('ed25519', 'bench').publicKey;

interface Figures {
  readonly readMs: number;
  readonly changeMs: number;
  readonly changesPerS: number;
}

/** The middle of so many answers, one after the other. */
async function median(work: (round: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await work(round);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[ROUNDS / 2] ?? NaN;
}

/** A read is answered by the process at whose socket it is asked; a change goes to a controller and becomes one transaction. */
async function measure(api: ClusterProcess): Promise<Figures> {
  const client = new SocketClient({ socketPath: api.socketPath, clock: new SystemClock() });
  const change = (name: string): Promise<unknown> =>
    client.call('ImportKeyPair', { KeyName: name, PublicKeyMaterial: key });
  // An api hears of a controller within seconds; until then it has nobody to ask.
  await until(
    () =>
      change('first').then(
        () => true,
        () => false,
      ),
    { what: 'a change is taken', timeoutMs: 30_000 },
  );
  const readMs = await median(() => client.call('DescribeInstanceTypes', {}));
  const changeMs = await median((round) => change(`one-${round}`));
  const began = performance.now();
  await inLanes(LANES, ROUNDS * 3, (index) => change(`many-${index}`));
  return { readMs, changeMs, changesPerS: (ROUNDS * 3 * 1000) / (performance.now() - began) };
}

interface Setup {
  readonly name: string;
  /** Roles of each process; the first is asked. */
  readonly processes: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

async function figuresOf({ name, processes, env }: Setup, dir: string, context: BenchContext): Promise<Figures> {
  context.progress(name);
  const ports = await freePorts(processes.length);
  const running = processes.map((roles, index) => {
    const options = { name: `n${index}`, roles, dir: join(dir, name), metricsPort: ports[index] ?? 0 };
    return new ClusterProcess({ ...options, env: { ...process.env, NOVACTL_DRIVERS: 'simulated', ...env } });
  });
  try {
    for (const one of running) one.spawn();
    for (const one of running) await one.ready();
    return await measure(running[0] as ClusterProcess);
  } finally {
    for (const one of running) await one.kill();
  }
}

function setups(etcd: EtcdCluster, rabbit: PrivateRabbit, dir: string): readonly Setup[] {
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, rabbit.password, { mode: 0o600 });
  const shared = {
    NOVACTL_METADATA_LISTEN: 'none',
    NOVACTL_SECRETS_DIR: join(dir, 'secrets'),
    NOVACTL_BLOBS_DIR: join(dir, 'blobs'),
  };
  const bus = {
    NOVACTL_BUS_ENGINE: 'rabbitmq',
    NOVACTL_BUS_RABBITMQ_ENDPOINTS: rabbit.url,
    NOVACTL_BUS_RABBITMQ_PASSWORD_FILE: passwordFile,
  };
  const store = { NOVACTL_STORE_ENGINE: 'etcd', NOVACTL_STORE_ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  return [
    { name: 'all-in-one', processes: ['api,controller,worker'], env: { NOVACTL_METADATA_LISTEN: 'none' } },
    { name: 'rabbit', processes: ['api,controller', 'worker'], env: { ...shared, ...bus } },
    { name: 'api-controller', processes: ['api', 'controller,worker'], env: { ...shared, ...bus, ...store } },
  ];
}

const NOTES: Readonly<Record<string, string>> = {
  'all-in-one': 'one process, file engine, in-process bus',
  rabbit:
    'api and controller in one process with the file engine; every call goes through RabbitMQ; baseline: the all-in-one',
  'api-controller':
    'one api, one controller, RabbitMQ, three etcd nodes, all on this machine and its one disk; baseline: the all-in-one',
};

/** What a request costs when the parts are processes of their own. */
export const bench: Bench = async (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'nv-roles-'));
  chmodSync(dir, 0o700);
  mkdirSync(join(dir, 'secrets'), { mode: 0o700 });
  mkdirSync(join(dir, 'blobs'), { mode: 0o700 });
  const etcd = await EtcdCluster.start();
  const rabbit = await PrivateRabbit.start().catch(async (error: unknown) => {
    await etcd.destroy();
    throw error;
  });
  try {
    const rows: BenchRow[] = [];
    let first: Figures | undefined;
    for (const setup of setups(etcd, rabbit, dir)) {
      const figures = await figuresOf(setup, dir, context);
      const row = (figure: keyof Figures, name: string, unit: string, what: string): BenchRow =>
        benchRow({
          name: `roles.${setup.name}-${name}`,
          value: figures[figure],
          unit,
          ...(first && { baseline: first[figure] }),
          note: `${what}; ${NOTES[setup.name] ?? ''}`,
        });
      rows.push(
        row('readMs', 'read', 'ms', 'DescribeInstanceTypes over the socket, median'),
        row('changeMs', 'change', 'ms', 'ImportKeyPair, median, one at a time'),
        row('changesPerS', 'changes', '1/s', `ImportKeyPair, ${LANES} at a time`),
      );
      first ??= figures;
    }
    return rows;
  } finally {
    await rabbit.destroy();
    await etcd.destroy();
    rmSync(dir, { recursive: true, force: true });
  }
};
