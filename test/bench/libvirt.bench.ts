import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { openSession } from '../../src/workers/drivers/libvirt/open-session.ts';
import { byUuid, PROCEDURES } from '../../src/workers/drivers/libvirt/procedures.ts';
import { RpcConnection } from '../../src/workers/drivers/libvirt/rpc-connection.ts';
import { dialUnix } from '../support/dial-unix.ts';
import { libvirtdMissing, PrivateLibvirtd } from '../support/private-libvirtd.ts';
import { stillSpec } from '../support/still-spec.ts';
import { benchRow, type Bench, type BenchRow } from './bench-row.ts';
import { spreadOf, type Spread } from './spread.ts';

const run = promisify(execFile);
const CALLS = 500;
const WARM_UP = 50;
const PROCESSES = 15;
const DOMAINS = 50;

function rows(name: string, ours: Spread, virsh: Spread, note: string): BenchRow[] {
  const goal = { of: 'ratio', atMost: 0.2 } as const;
  return [
    benchRow({ name: `${name}-median`, value: ours.medianMs, unit: 'ms', baseline: virsh.medianMs, goal, note }),
    benchRow({ name: `${name}-p95`, value: ours.p95Ms, unit: 'ms', baseline: virsh.p95Ms, goal, note }),
  ];
}

/** Latency of calls on our own RPC connection, against one virsh process a call on the same daemon. */
export const bench: Bench = async ({ progress }) => {
  const missing = libvirtdMissing();
  if (missing !== undefined) throw new Error(`libvirt bench: ${missing}`);
  const daemon = await PrivateLibvirtd.start();
  const rpc = new RpcConnection({
    stream: await dialUnix(daemon.socket)(),
    clock: new SystemClock(),
    logger: silentLogger,
    onLifecycle: () => undefined,
    onLost: () => undefined,
  });
  try {
    await openSession(rpc, { events: false });
    const specs = Array.from({ length: DOMAINS }, (_, index) => stillSpec(index, daemon.dir));
    await daemon.withHypervisor((hypervisor) => Promise.all(specs.map((spec) => hypervisor.define(spec))));
    const uri = `qemu+unix:///system?socket=${daemon.socket}`;
    const virsh = (...words: string[]): Promise<unknown> => run('virsh', ['-q', '-c', uri, ...words]);
    const libVersion = (): Promise<unknown> => rpc.call(PROCEDURES.libVersion, undefined, 30_000);
    const dom = byUuid(specs[0]?.uuid ?? '');
    const state = (): Promise<unknown> => rpc.call(PROCEDURES.state, { dom, flags: 0 }, 30_000);
    const stats = { doms: [], stats: 1, flags: 0 };
    const inventory = (): Promise<unknown> => rpc.call(PROCEDURES.allStats, stats, 30_000);

    progress(`libvirt: ${CALLS} calls of each kind, ${PROCESSES} virsh processes of each kind`);
    await spreadOf(WARM_UP, libVersion);
    const note = `${CALLS} calls one after another; baseline: a virsh process a call`;
    const ofVirsh = {
      version: await spreadOf(PROCESSES, () => virsh('version')),
      state: await spreadOf(PROCESSES, () => virsh('domstate', dom.uuid)),
      inventory: await spreadOf(PROCESSES, () => virsh('domstats', '--state')),
    };
    return [
      ...rows('libvirt.get-lib-version', await spreadOf(CALLS, libVersion), ofVirsh.version, note),
      ...rows('libvirt.get-state', await spreadOf(CALLS, state), ofVirsh.state, note),
      ...rows(`libvirt.inventory-of-${DOMAINS}`, await spreadOf(CALLS, inventory), ofVirsh.inventory, note),
    ];
  } finally {
    rpc.close();
    await daemon.stop();
  }
};
