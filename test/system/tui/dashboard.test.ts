import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { guardedProcesses } from '../../support/guarded-processes.ts';
import { NOVACTL, TestCloud, type InstanceRow } from '../../support/test-cloud.ts';
import { Tmux } from '../../support/tmux.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

function missing(): string | undefined {
  try {
    execFileSync('tmux', ['-V']);
    return undefined;
  } catch {
    return 'tmux is not installed';
  }
}
const absent = missing();

let cloud: TestCloud;
let tmux: Tmux;
let thrower: string;

const run = (...words: string[]): Promise<string> =>
  cloud.ok('instance', 'run', '--image', 'still', '--type', 'm1.nano', '--wait', ...words);
const named = async (name: string): Promise<InstanceRow | undefined> =>
  (await cloud.json<{ instances: (InstanceRow & { name?: string })[] }>('instance', 'list', '--all')).instances.find(
    (row) => row.name === name,
  );

beforeAll(async () => {
  if (absent !== undefined) return;
  cloud = new TestCloud({ NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_PORT: '18777' });
  const disk = join(cloud.dir, 'disk.raw');
  const bytes = Buffer.alloc(65_536);
  bytes.writeUInt16BE(0x55aa, 510);
  writeFileSync(disk, bytes);
  thrower = join(cloud.dir, 'throw.mjs');
  writeFileSync(
    thrower,
    "process.on('SIGUSR2', () => setTimeout(() => { throw new Error('thrown on purpose'); }, 0));\n",
  );
  await cloud.start();
  await cloud.ok('host', 'add', 'node1', '--simulated');
  await cloud.ok('image', 'import', disk, '--name', 'still');
  await run('--name', 'first');
  tmux = new Tmux({ env: cloud.env, columns: 80, rows: 24, cwd: ROOT });
});
afterAll(async () => {
  if (absent !== undefined) return;
  tmux.close();
  await cloud.destroy();
});
beforeEach(async (context) => {
  if (absent !== undefined) context.skip(absent);
  await quitLeftOver();
});

/** Starts it from the shell, and waits until it is on the screen. */
async function start(...words: string[]): Promise<void> {
  tmux.command(`clear; ${words.join(' ')} ${NOVACTL} dashboard`.replace('clear;  ', 'clear; '));
  await tmux.see(/\[1 overview\][\s\S]*hosts\s+1 up/);
}

/** A test that failed leaves its dashboard on the screen: it must not be the next one's. */
async function quitLeftOver(): Promise<void> {
  const children = `/proc/${tmux.shellPid()}/task/${tmux.shellPid()}/children`;
  for (const pid of readFileSync(children, 'utf8').trim().split(' ').filter(Boolean))
    process.kill(Number(pid), 'SIGTERM');
  await until(() => readFileSync(children, 'utf8').trim() === '', { what: 'the shell has its terminal again' });
  tmux.resize(80, 24);
}

/** A process that nobody waited for is still in the table, and has ended all the same. */
function hasEnded(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}

/** A shell that works: echo and line mode are on, the cursor is shown, what is typed is seen. */
async function expectUsable(): Promise<void> {
  await until(() => !tmux.modes().alternate, { what: 'the alternate screen is left' });
  tmux.command(
    'stty -a | tr ";" "\\n" | grep -wo -e "-*echo" -e "-*icanon" -e "-*isig" | sort | tr "\\n" " "; echo end',
  );
  const screen = await tmux.see(/^echo icanon isig end$/m);
  expect(screen).toContain('stty -a | tr');
  expect(tmux.modes()).toEqual({ cursor: true, alternate: false });
}

describe('the dashboard in a terminal [real]', () => {
  it('shows what changes while it is looked at [real]', async () => {
    await start();
    tmux.keys('2');
    await tmux.see(/> i-\w{17}\s+first\s+running/);
    await run('--name', 'second');
    const screen = await tmux.see(/second\s+running/);
    // The selection stays where it was.
    expect(screen).toMatch(/> i-\w{17}\s+first/);
    expect(screen).toMatch(/live *\n/);
    tmux.keys('/', 'sec', 'Enter');
    expect(await tmux.see('filter /sec')).not.toContain('first');
    tmux.keys('d');
    await tmux.see(/state +running/);
    tmux.keys('l');
    await tmux.see('simulated guest');
    tmux.keys('Escape');
    await tmux.see(/state +running/);
    tmux.keys('Escape');
    await tmux.see('filter /sec');
    tmux.keys('q');
    await expectUsable();
  });

  it('ends an instance only by a step from Cancel [real]', async () => {
    await start();
    tmux.keys('2', '/', 'second', 'Enter');
    await tmux.see('1-1 of 1, filter /second');
    tmux.keys('t');
    await tmux.see('[> Cancel <]');
    tmux.keys('Enter');
    await tmux.see('1-1 of 1, filter /second');
    expect((await named('second'))?.state).toBe('running');
    tmux.keys('C-d');
    await tmux.see('[> Cancel <]');
    tmux.keys('Tab');
    await tmux.see('[> Terminate <]');
    tmux.keys('Enter');
    await tmux.see(/second\s+terminated/);
    expect((await named('second'))?.state).toBe('terminated');
    tmux.keys('C-c');
    await expectUsable();
  });

  it('lends the terminal to ssh, ctrl-c too, and takes it back [real]', async () => {
    await start();
    tmux.keys('2', '/', 'first', 'Enter', 's');
    // It was started without a key pair.
    await tmux.see('ended with 5; press Enter to go back');
    expect(tmux.modes()).toEqual({ cursor: true, alternate: false });
    tmux.keys('Enter');
    const screen = await tmux.see('1-1 of 1, filter /first');
    expect(screen).toMatch(/^ novactl \S+ +cloud-\w+ +live *\n 1 overview/);
    expect(tmux.modes().alternate).toBe(true);
    // Ctrl-c is meant for what was started there.
    tmux.keys('s');
    await tmux.see(/ended with 5[\s\S]*ended with 5/);
    tmux.keys('C-c');
    expect(await tmux.see('1-1 of 1, filter /first')).toMatch(/^ novactl \S+ +cloud-\w+ +live *\n 1 overview/);
    tmux.keys('d');
    expect(await tmux.see(/state +running/)).toMatch(/^ novactl \S+ +cloud-\w+ +live *\n 1 overview/);
    tmux.keys('q');
    await expectUsable();
  });

  it('finds back to a cloud that was started anew [real]', async () => {
    await start();
    await cloud.kill9();
    await tmux.see(/stale \ds: reconnecting/);
    await cloud.start();
    await tmux.see(/live *\n/);
    tmux.keys('2');
    await tmux.see(/first\s+(running|stopped)/);
    tmux.keys('q');
    await expectUsable();
  });

  it('fits a smaller window at once [real]', async () => {
    await start('NO_COLOR=1');
    tmux.keys('2');
    tmux.resize(60, 20);
    await tmux.see(/^ novactl[\s\S]*ID +NAME +STATE +IP( +AGE)? *\n[\s\S]* d describe/);
    tmux.resize(80, 24);
    await tmux.see(/ID +NAME +STATE +TYPE +IP +HOST +AGE *\n/);
    tmux.keys('q');
    await expectUsable();
  });

  it('takes keys that were typed before it was drawn [real]', async () => {
    // The shell itself reads what is typed while it reads the command.
    tmux.command(`clear; echo begun; ${NOVACTL} dashboard`);
    await tmux.see(/^begun$/m);
    tmux.keys('2');
    await tmux.see(/> i-\w{17}\s+(first|second)/);
    tmux.keys('q');
    await expectUsable();
  });

  it('changes nothing with --read-only [real]', async () => {
    const before = await cloud.instances();
    tmux.command(`clear; ${NOVACTL} dashboard --read-only`);
    await tmux.see(/read-only +live[\s\S]*hosts\s+1 up/);
    tmux.keys('2', 't');
    await tmux.see(/read-only: .* is not done here/);
    tmux.keys('q');
    await expectUsable();
    expect(await cloud.instances()).toEqual(before);
  });

  it.each([
    ['SIGKILL', 'node', 'was killed (exit code 137)'],
    ['SIGTERM', 'node', 'novactl: interrupted'],
    ['SIGHUP', 'node', '$'],
    ['SIGTERM', 'guard', 'novactl: interrupted'],
    ['SIGKILL', 'guard', 'the program that started it is gone'],
    ['SIGUSR2', 'node', 'novactl: thrown on purpose'],
  ] as const)('gives the terminal back after %s to the %s [real]', async (signal, who, said) => {
    await start(`NODE_OPTIONS="--import ${thrower}"`);
    const before = guardedProcesses(tmux.shellPid());
    process.kill(before[who], signal);
    await until(() => !tmux.modes().alternate, { what: 'the alternate screen is left' });
    await tmux.see(said);
    await expectUsable();
    await until(() => hasEnded(before.node), { what: 'the dashboard ends' });
  });

  it('prints one snapshot without a terminal, and refuses to draw without one [real]', async () => {
    const text = await cloud.ok('dashboard', '--once');
    expect(text).toMatch(/^ hosts +1 up\n/);
    expect(text).toMatch(/first +(running|stopped)/);
    const data = await cloud.json<{ instances: InstanceRow[] }>('dashboard', '--once');
    expect(data.instances).toHaveLength(2);
    const refused = await cloud.cli('dashboard');
    expect([refused.code, refused.stdout]).toEqual([5, '']);
    expect(refused.stderr).toContain('without one use --once');
  });
});
