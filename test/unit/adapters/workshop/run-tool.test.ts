import { mkdtemp, rm, writeFile, chmod, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { confined, runTool, type ToolLimits, type ToolResult } from '../../../../src/adapters/workshop/run-tool.ts';
import { SystemClock } from '../../../../src/base/clock.ts';

const MIB = 1024 * 1024;
const LIMITS: ToolLimits = { memoryBytes: 256 * MIB, fileBytes: 4096, seconds: 20 };
const IS_ROOT = process.getuid?.() === 0;
const NOT_ROOT = 'needs root: as another user limits alone hold';

let dir: string;
let cwd: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'novactl-tool-'));
  cwd = join(dir, 'work');
  await mkdir(cwd, { mode: 0o711 });
  await chmod(dir, 0o700);
});
afterEach(() => rm(dir, { recursive: true }));

const sh = (
  script: string,
  limits: Partial<ToolLimits> = {},
  signal = new AbortController().signal,
): Promise<ToolResult> =>
  runTool({ cwd, argv: ['/bin/sh', '-c', script], limits: { ...LIMITS, ...limits }, signal }, new SystemClock());

describe('a program that works on foreign bytes', () => {
  it('is nobody, can get no rights, and sees no network and no other process [real]', async ({ skip }) => {
    if (!IS_ROOT) skip(NOT_ROOT);
    const { stdout } = await sh(
      'id -u; id -G; cat /proc/self/status; echo net; ls /sys/class/net; echo $$; tail -n +3 /proc/net/dev',
    );
    const field = (name: string): string | undefined => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(stdout)?.[1];
    expect(stdout.split('\n').slice(0, 2)).toEqual(['65534', '65534']);
    for (const name of ['CapEff', 'CapPrm', 'CapInh', 'CapBnd']) expect(field(name), name).toBe('0000000000000000');
    expect(field('NoNewPrivs')).toBe('1');
    expect(stdout).toMatch(/\n1\n +lo:[^\n]*\n$/);
  });

  // Each thread of qemu-img that waits for the disk took 64 MiB of the address space: a busy disk made sound images fail.
  it('has room for its threads, however many there are [real]', async () => {
    const threads =
      'import threading as t; b=t.Barrier(41); [t.Thread(target=lambda: (bytearray(2**16), b.wait())).start() for _ in range(40)]; ';
    const size = "print(*[l.split()[1] for l in open('/proc/self/status') if l.startswith('VmPeak')]); b.wait()";
    const run = await sh(`/usr/bin/python3 -c "${threads}${size}"`, { memoryBytes: 1024 * MIB });
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(Number(run.stdout) / 1024).toBeLessThan(512);
  });

  it('reads what it is given and writes what it may, and nothing else of the folder or above it [real]', async ({
    skip,
  }) => {
    if (!IS_ROOT) skip(NOT_ROOT);
    await writeFile(join(cwd, 'source'), 'given', { mode: 0o444 });
    await writeFile(join(dir, 'secret'), 'secret', { mode: 0o644 });
    const script = [
      'cat source',
      'cat ../secret',
      `cat '${dir}/secret'`,
      'echo > new',
      'rm -f source',
      'echo > source',
      'ls',
    ];
    const { stdout, stderr } = await sh(script.join('; '));
    expect(stdout).toBe('given');
    expect(stderr.match(/denied|cannot/gi)?.length).toBeGreaterThanOrEqual(6);
  });

  it('is held to its limits of memory and file size [real]', async () => {
    await writeFile(join(cwd, 'result'), '');
    await chmod(join(cwd, 'result'), 0o666);
    const big = await sh('head -c 100000 /dev/zero > result');
    expect(big.code).not.toBe(0);
    const limits = await sh('ulimit -v; ulimit -n; ulimit -c; ulimit -t');
    expect(limits.stdout).toBe(`${256 * 1024}\n64\n0\n20\n`);
  });

  it('ends after its time, and with all that it has started when it is given up [real]', async () => {
    const late = await sh('sleep 60 & sleep 60', { seconds: 1 });
    expect(late).toMatchObject({ timedOut: true, code: undefined });
    const abort = new AbortController();
    const running = runTool(
      {
        ...{ cwd, argv: ['/bin/sh', '-c', 'echo on; sleep 61 & sleep 61'], limits: LIMITS, signal: abort.signal },
        onOutput: () => abort.abort(new Error('given up')),
      },
      new SystemClock(),
    );
    await expect(running).rejects.toThrow('given up');
  });

  it('has limits alone where the cloud is not root', () => {
    expect(confined(['qemu-img', 'info'], LIMITS, false).slice(0, 2)).toEqual(['prlimit', `--as=${256 * MIB}`]);
    expect(confined(['qemu-img', 'info'], LIMITS, false)).not.toContain('unshare');
    expect(confined(['qemu-img', 'info'], LIMITS, true).slice(0, 2)).toEqual(['unshare', '--net']);
  });
});
