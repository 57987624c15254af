import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processGone } from '../../../src/commands/support/daemon.ts';

/** Each command is a process that compiles the sources anew. */
const TIMEOUT_MS = 120_000;
const CLI = join(import.meta.dirname, '../../../src/cli.ts');

/** A port that nobody listened on a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let dir: string;
let port: number;
beforeEach(async () => {
  port = await freePort();
  dir = mkdtempSync(join(tmpdir(), 'novactl-daemon-'));
});
afterEach(async () => {
  await cli('down');
  rmSync(dir, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a process of its own, from its sources. */
function cli(...words: string[]): Promise<Ran> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir,
    NOVACTL_STATE_DIR: join(dir, 'state'),
    NOVACTL_RUN_DIR: join(dir, 'run'),
    NOVACTL_DRIVERS: 'simulated',
    NOVACTL_METADATA_PORT: String(port),
  };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...words], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
    child.stdin?.end();
  });
}

describe('up and down', { timeout: TIMEOUT_MS }, () => {
  it('start a daemon that goes on, say where it is, and stop it [sim]', async () => {
    const up = await cli('up', '--json');
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('the cloud is up (pid ')]);
    const { pid } = JSON.parse(up.stdout) as { pid: number };
    const log = join(dir, 'state/log/daemon.log');
    expect(up.stderr).toContain(log);
    expect(statSync(log).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'run')).mode & 0o777).toBe(0o700);

    const again = await cli('up');
    expect(again).toEqual({ code: 0, stdout: '', stderr: `the cloud is up already (pid ${pid})\n` });
    expect((await cli('status', '--output', 'csv', '--columns', 'pid')).stdout).toBe(`pid\n${pid}\n`);
    expect((await cli('host', 'add', 'node1', '--simulated')).code).toBe(0);

    const down = await cli('down');
    expect(down.code).toBe(0);
    expect(down.stderr).toContain('the cloud is down; 0 running instances live on');
    expect(processGone(pid)).toBe(true);
    expect(await cli('down')).toEqual({ code: 0, stdout: '', stderr: 'no cloud is running here\n' });

    // What was acknowledged is there again.
    expect((await cli('up')).code).toBe(0);
    expect((await cli('host', 'list', '--output', 'csv', '--columns', 'name')).stdout).toBe('name\nnode1\n');
  });

  it('say why when it can not start [sim]', async () => {
    writeFileSync(join(dir, 'novactl.yaml'), 'regoin: x\n');
    const bad = await cli('up', '--config', join(dir, 'novactl.yaml'));
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('unknown key regoin; did you mean region?')]);

    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const taken = await cli('up');
    await new Promise((resolve) => server.close(resolve));
    expect(taken.code).toBe(7);
    const log = join(dir, 'state/log/daemon.log');
    expect(taken.stderr).toMatch(
      /^novactl: the cloud did not start: the metadata service cannot listen .* \(Unavailable\)\n$/,
    );
    expect(taken.stderr).toContain(`; its log is ${log}`);
    expect(readFileSync(log, 'utf8')).toContain('EADDRINUSE');
  });
});

describe('stdout', { timeout: TIMEOUT_MS }, () => {
  const shell = (line: string) =>
    new Promise<Ran>((resolve) => {
      execFile(
        'bash',
        ['-c', line],
        { env: { ...process.env, NODE: process.execPath, CLI } },
        (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
        },
      );
    });

  it('that is full is a failure', async () => {
    const { code, stderr } = await shell('"$NODE" "$CLI" --help >/dev/full');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^novactl: stdout can't be written: ENOSPC/)]);
  });

  it('that nobody reads to its end is none', async () => {
    const { stdout, stderr } = await shell('"$NODE" "$CLI" --help | true; echo ${PIPESTATUS[0]}');
    expect([stdout, stderr]).toEqual(['0\n', '']);
  });
});
