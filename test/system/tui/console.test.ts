import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import { guardedProcesses } from '../../support/guarded-processes.ts';
import { NOVACTL, TestCloud, type InstanceRow } from '../../support/test-cloud.ts';
import { Tmux } from '../../support/tmux.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** Software emulation on a busy machine: a boot takes 5 s on a quiet one. */
const BOOT_MS = 120_000;

function missing(): string | undefined {
  try {
    execFileSync('tmux', ['-V']);
    return libvirtdMissing();
  } catch {
    return 'tmux is not installed';
  }
}
const absent = missing();

let cloud: TestCloud;
let one: Tmux;
let two: Tmux;
let thrower: string;
let id = '';

const log = (): Promise<string> => cloud.ok('instance', 'log', id);
/** Its end is in the error. */
async function booted(): Promise<void> {
  let text = '';
  const ready = async (): Promise<boolean> => {
    text = await log();
    return text.includes('NOVACTL-READY');
  };
  await until(ready, { what: 'the guest has booted', timeoutMs: BOOT_MS, everyMs: 250 }).catch((error: unknown) => {
    throw new Error(`${String(error)}; its log ends with:\n${text.slice(-2000)}`);
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  await ensureLibvirtd();
  cloud = new TestCloud({
    NOVACTL_METADATA_PORT: '18781',
    NOVACTL_NETWORK_FIXED_RANGE: '10.168.0.0/16',
    NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '30000',
  });
  thrower = join(cloud.dir, 'throw.mjs');
  writeFileSync(
    thrower,
    "process.on('SIGUSR2', () => setTimeout(() => { throw new Error('thrown on purpose'); }, 0));\n",
  );
  await cloud.start();
  await cloud.ok('host', 'add', 'here', '--local');
  await cloud.ok('image', 'build-tiny');
  const { instances } = await cloud.json<{ instances: InstanceRow[] }>(
    ...['instance', 'run', '--image', 'tiny', '--type', 'm1.nano', '--wait'],
  );
  id = instances[0]?.instanceId ?? '';
  const size = { columns: 80, rows: 24, cwd: ROOT };
  one = new Tmux({ env: cloud.env, ...size });
  two = new Tmux({ env: cloud.env, ...size, name: 'two' });
  await booted();
}, 300_000);

afterAll(async () => {
  if (absent !== undefined) return;
  one.close();
  two.close();
  await cloud.destroy();
}, 120_000);

beforeEach(async (context) => {
  if (absent !== undefined) context.skip(absent);
  for (const terminal of [one, two]) await quitLeftOver(terminal);
});

/** Connects, and answers when the guest's shell answers. */
async function attach(terminal: Tmux, ...words: string[]): Promise<void> {
  terminal.command(`clear; ${[...words, NOVACTL, 'instance', 'console', id].join(' ')}`);
  await terminal.see(/connected to i-.*ctrl-\] detaches/);
  const word = `here${Math.random().toString(36).slice(2, 8)}`;
  terminal.keys('Enter');
  terminal.command(`echo ${word.slice(0, 5)}''${word.slice(5)}`);
  await terminal.see(new RegExp(`^${word}`, 'm'), 30_000);
}

/** A test that failed leaves its console open: it must not be the next one's. */
async function quitLeftOver(terminal: Tmux): Promise<void> {
  const children = `/proc/${terminal.shellPid()}/task/${terminal.shellPid()}/children`;
  for (const pid of readFileSync(children, 'utf8').trim().split(' ').filter(Boolean))
    process.kill(Number(pid), 'SIGTERM');
  await until(() => readFileSync(children, 'utf8').trim() === '', { what: 'the shell has its terminal again' });
}

/** A shell that works: echo and line mode are on, what is typed is seen. */
async function expectUsable(terminal: Tmux): Promise<void> {
  terminal.command(
    'clear; stty -a | tr ";" "\\n" | grep -wo -e "-*echo" -e "-*icanon" -e "-*isig" | sort | tr "\\n" " "; echo end',
  );
  await terminal.see(/^echo icanon isig end$/m);
  expect(terminal.modes()).toEqual({ cursor: true, alternate: false });
}

describe('instance console in a terminal, on a real guest', () => {
  it(
    "[real] keys in, screen out, ctrl-c is the guest's, and it detaches and comes back",
    { timeout: 90_000 },
    async () => {
      await attach(one);
      one.command('echo "sum $((40 + 2))"; sleep 1000');
      await one.see(/^sum 42/m);
      one.keys('C-c');
      one.command('echo interrupted $?');
      await one.see(/^interrupted 130/m);
      one.command('left=behind');
      one.keys('C-]');
      await one.see(/detached from i-/);
      one.command('echo "exit code $?"');
      await one.see(/^exit code 0/m);
      await expectUsable(one);
      await attach(one);
      one.command('echo "still $left"');
      await one.see(/^still behind/m);
      one.keys('C-]');
      await one.see(/detached from i-/);
    },
  );

  it('[real] shows the last lines of the log first', { timeout: 60_000 }, async () => {
    await attach(one);
    one.command('echo a mark for the "tail"');
    await one.see(/^a mark for the tail/m);
    one.keys('C-]');
    await one.see(/detached from i-/);
    one.command(`clear; ${NOVACTL} instance console ${id}`);
    const screen = await one.see(/connected to i-[\s\S]*a mark for the tail/);
    expect(screen).toContain('ctrl-] detaches');
    one.keys('C-]');
    await one.see(/detached from i-/);
  });

  it('[real] is followed by instance log, through a restart of the daemon', { timeout: 120_000 }, async () => {
    two.command(`clear; ${NOVACTL} instance log ${id} --tail 1 --follow`);
    await attach(one);
    one.command('echo "line $((20 + 1))"');
    await two.see(/^line 21/m);
    one.keys('C-]');
    await one.see(/detached from i-/);
    await cloud.stop();
    await cloud.start();
    await attach(one);
    one.command('echo "line $((20 + 2))"');
    await two.see(/^line 22/m, 30_000);
    expect(two.screen().match(/^line 21/gm)).toHaveLength(1);
    two.keys('C-c');
    await two.see(/interrupted/);
    one.keys('C-]');
    await one.see(/detached from i-/);
  });

  it('[real] tells the guest the size of the terminal by ctrl-^', { timeout: 60_000 }, async () => {
    one.resize(100, 30);
    await attach(one);
    one.keys('C-^');
    one.command('stty size');
    await one.see(/^30 100/m);
    one.keys('C-]');
    await one.see(/detached from i-/);
    one.resize(80, 24);
  });

  it('[real] is held by one: another is refused, and takes over by force', { timeout: 90_000 }, async () => {
    await attach(one);
    two.command(`clear; ${NOVACTL} instance console ${id}; echo "exit code $?"`);
    await two.see(/another\s+session\s+has\s+this\s+console;[\s\S]*exit code 5/);
    two.command(`clear; ${NOVACTL} instance console ${id} --force`);
    await two.see(/connected to i-/);
    await one.see(/taken\s+over\s+by\s+another\s+session/);
    one.command('echo "exit code $?"');
    await one.see(/^exit code 5/m);
    await expectUsable(one);
    two.keys('Enter');
    two.command('echo "now $((6 * 7))"');
    await two.see(/^now 42/m);
    two.keys('C-]');
    await two.see(/detached from i-/);
  });

  it.each<[NodeJS.Signals, 'node' | 'guard', string]>([
    ['SIGTERM', 'node', 'interrupted'],
    ['SIGKILL', 'node', 'was killed (exit code 137)'],
    ['SIGUSR2', 'node', 'thrown on purpose'],
    ['SIGTERM', 'guard', 'interrupted'],
  ])(
    '[real] %s to the %s leaves a usable terminal and a free console',
    { timeout: 90_000 },
    async (name, whom, says) => {
      await attach(one, `NODE_OPTIONS=--import=${thrower}`);
      process.kill(guardedProcesses(one.shellPid())[whom], name);
      await one.see(says);
      await expectUsable(one);
      await until(async () => (await piped('\r')).code === 0, {
        what: 'the console is free again',
        timeoutMs: 40_000,
        everyMs: 500,
      });
    },
  );

  it('[real] takes input from a pipe and ends after it', { timeout: 60_000 }, async () => {
    const { code, stdout } = await piped('echo "from $((1 + 1)) pipes"\r');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^from 2 pipes/m);
    const none = await cloud.cli('instance', 'console', 'i-00000000000000000');
    expect(none.code).toBe(3);
  });

  it(
    '[real] ends with a message when the guest powers off, and refuses a stopped one',
    { timeout: 120_000 },
    async () => {
      await attach(one);
      one.command('poweroff');
      await one.see(/the console of i-.* ended: the guest has stopped/, 60_000);
      one.command('echo "exit code $?"');
      await one.see(/^exit code 11/m);
      await expectUsable(one);
      await cloud.ok('instance', 'wait', id, '--for', 'stopped');
      const { code, stderr } = await piped('');
      expect(stderr).toMatch(/is stopped: only a running guest has a console/);
      expect(code).toBe(5);
    },
  );
});

/** The command with its input from a pipe. */
async function piped(text: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const { spawn } = await import('node:child_process');
  const child = spawn(NOVACTL, ['instance', 'console', id, '--linger', '2s'], { env: cloud.env });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString('latin1').replaceAll('\r', '')));
  child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(text);
  const code = await new Promise<number>((resolve) => child.once('close', (ended) => resolve(ended ?? 255)));
  return { code, ...out };
}
