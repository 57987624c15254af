import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Duplex } from 'node:stream';
import { createLocalShell } from '../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { HostShell } from '../../src/ports/host-shell.ts';
import { openSession } from '../../src/workers/drivers/libvirt/open-session.ts';
import { PROCEDURES } from '../../src/workers/drivers/libvirt/procedures.ts';
import { RpcConnection } from '../../src/workers/drivers/libvirt/rpc-connection.ts';
import { libvirtdMissing, PrivateLibvirtd } from '../support/private-libvirtd.ts';
import { PrivateSshd, sshdMissing } from '../support/private-sshd.ts';
import { sshShellTo } from '../support/ssh-subject.ts';
import { benchRow, type Bench, type BenchRow } from './bench-row.ts';
import { spreadOf, type Spread } from './spread.ts';

const CALLS = 500;
const WARM_UP = 100;
const IN_FLIGHT = 32;
const BURST_CALLS = 3200;
const EXECS = 40;
const UPLOAD_MIB = 64;

/** Calls a second with so many callers, each of which calls again when it has its answer. */
async function rateOf(callers: number, calls: number, once: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  const caller = async (): Promise<void> => {
    for (let index = 0; index < calls / callers; index += 1) await once();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (calls / (performance.now() - start)) * 1000;
}

interface RpcFigures {
  readonly alone: Spread;
  readonly perSecond: number;
}

async function rpcOver(stream: Duplex): Promise<RpcFigures> {
  const quiet = { onLifecycle: () => undefined, onLost: () => undefined };
  const rpc = new RpcConnection({ stream, clock: new SystemClock(), logger: silentLogger, ...quiet });
  try {
    await openSession(rpc, { events: false });
    const call = (): Promise<unknown> => rpc.call(PROCEDURES.libVersion, undefined, 30_000);
    await spreadOf(WARM_UP, call);
    return { alone: await spreadOf(CALLS, call), perSecond: await rateOf(IN_FLIGHT, BURST_CALLS, call) };
  } finally {
    rpc.close();
  }
}

async function uploadRate(shell: HostShell, dir: string): Promise<number> {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  const hash = createHash('sha256');
  for (let mib = 0; mib < UPLOAD_MIB; mib += 1) hash.update(piece);
  const body = Readable.from(Array.from({ length: UPLOAD_MIB }, () => piece));
  const start = performance.now();
  await shell.upload(join(dir, 'image'), body, { sha256: hash.digest('hex') });
  return (UPLOAD_MIB / (performance.now() - start)) * 1000;
}

function rpcRows(far: RpcFigures, near: RpcFigures): BenchRow[] {
  const note = `${CALLS} calls of GET_LIB_VERSION over loopback; baseline: the UNIX socket itself`;
  const burst = `${BURST_CALLS} calls by ${IN_FLIGHT} callers on one connection, of which libvirt is given 4 at a time`;
  return [
    benchRow({
      name: 'ssh.rpc-median',
      value: far.alone.medianMs,
      unit: 'ms',
      baseline: near.alone.medianMs,
      goal: { of: 'value', atMost: 1 },
      note,
    }),
    benchRow({ name: 'ssh.rpc-p95', value: far.alone.p95Ms, unit: 'ms', baseline: near.alone.p95Ms, note }),
    benchRow({
      name: `ssh.rpc-rate-at-${IN_FLIGHT}`,
      value: far.perSecond,
      unit: '1/s',
      baseline: near.perSecond,
      goal: { of: 'value', atLeast: 1000 },
      note: burst,
    }),
  ];
}

/** Latency and rate of libvirt calls through the SSH forward, of commands and uploads over SSH, against the same without SSH. */
export const bench: Bench = async ({ progress }) => {
  const missing = sshdMissing() ?? libvirtdMissing();
  if (missing !== undefined) throw new Error(`ssh bench: ${missing}`);
  const [sshd, daemon] = await Promise.all([PrivateSshd.start(), PrivateLibvirtd.start()]);
  const far = sshShellTo({ ...sshd.endpoint, sudo: false });
  const near = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
  const dir = mkdtempSync(join(tmpdir(), 'nv-ssh-bench-'));
  try {
    progress(`ssh: ${CALLS} libvirt calls alone, ${BURST_CALLS} by ${IN_FLIGHT}, ${EXECS} commands, ${UPLOAD_MIB} MiB`);
    const socketOf = (shell: HostShell): Promise<Duplex> => shell.connectUnix(daemon.socket);
    const rpc = rpcRows(await rpcOver(await socketOf(far)), await rpcOver(await socketOf(near)));
    const execOf = (shell: HostShell): Promise<Spread> => spreadOf(EXECS, () => shell.exec(['true']));
    const [farExec, nearExec] = [await execOf(far), await execOf(near)];
    const execNote = `${EXECS} times \`true\`, one after another; baseline: started by this process`;
    const uploadNote = `${UPLOAD_MIB} MiB, SHA-256 checked, on disk; baseline: written by this process`;
    return [
      ...rpc,
      benchRow({
        name: 'ssh.exec-median',
        value: farExec.medianMs,
        unit: 'ms',
        baseline: nearExec.medianMs,
        goal: { of: 'value', atMost: 50 },
        note: execNote,
      }),
      benchRow({
        name: 'ssh.upload',
        value: await uploadRate(far, dir),
        unit: 'MiB/s',
        baseline: await uploadRate(near, dir),
        note: uploadNote,
      }),
    ];
  } finally {
    await far.close();
    await near.close();
    await daemon.stop();
    await sshd.stop();
    rmSync(dir, { recursive: true });
  }
};
