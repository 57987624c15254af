import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import type { SshTarget } from '../../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { sha256Hex } from '../../../src/base/ids.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { HostShell } from '../../../src/ports/host-shell.ts';
import { hostClaimContract, wish } from '../../contract/host-claim.ts';
import type { HolderOrder } from '../../support/claim-holder.ts';
import { shellOwner, type ShellOwner } from '../../support/claim-owner.ts';
import { hasProgram, PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { sshShellTo } from '../../support/ssh-subject.ts';
import { until } from '../../support/until.ts';

const HOLDER = join(import.meta.dirname, '..', '..', 'support', 'claim-holder.ts');
const missing = sshdMissing();
const localShell = (): HostShell => createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
const here = localShell();

/** A command that can be found again, and is looked for from here. */
function marked(): { argv: string[]; runs: () => Promise<boolean> } {
  const seconds = `62${process.pid}.${randomBytes(3).readUIntBE(0, 3)}`;
  const find = ['pgrep', '-r', 'R,S,D,T', '-fx', `sleep ${seconds}`];
  return { argv: ['sleep', seconds], runs: async () => (await here.exec(find)).exitCode === 0 };
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: unknown) => (error instanceof CloudError ? error.code : String(error)),
  );

/** What both kinds of hosts must do; `connect` makes a new process's connection. */
function takeoverTests(name: string, connect: () => HostShell, target: () => SshTarget | undefined): void {
  describe(`${name}: a new owner`, () => {
    let dir: string;
    let shells: HostShell[];
    const owner = (): ShellOwner => {
      const raw = connect();
      shells.push(raw);
      return shellOwner(raw, dir);
    };
    beforeEach(() => {
      [dir, shells] = [mkdtempSync(join(tmpdir(), 'nv-claim-')), []];
    });
    afterEach(async () => {
      await Promise.all(shells.map((shell) => shell.close()));
      rmSync(dir, { recursive: true });
    });

    it('ends what the owner before left running before it acts, even what is stopped or has left its session', async () => {
      const [a, b] = [owner(), owner()];
      await a.claim.take(wish(1, 's1'));
      const [plain, stopped, daemon] = [marked(), marked(), marked()];
      const ended = [codeOf(a.shell.exec(plain.argv)), codeOf(a.shell.exec(stopped.argv))];
      await a.shell.exec(['sh', '-c', 'setsid "$@" >/dev/null 2>&1 </dev/null &', 'sh', ...daemon.argv]);
      for (const { runs } of [plain, stopped, daemon]) await until(runs, { what: 'it runs' });
      await here.exec(['pkill', '-STOP', '-fx', stopped.argv.join(' ')]);
      const taken = await b.claim.take(wish(2, 's2'));
      expect(await Promise.all([plain.runs(), stopped.runs(), daemon.runs()])).toEqual([false, false, false]);
      // Over SSH the end of the old session takes those along that did not leave it.
      expect(taken.endedCommands).toBeGreaterThanOrEqual(1);
      await Promise.all(ended);
      await b.change();
    });

    it.each(['SIGKILL', 'SIGSTOP'] as const)('ends what a process left that got %s', async (signal) => {
      const long = marked();
      const order: HolderOrder = { baseDir: dir, wish: wish(1, 's1'), target: target(), argv: long.argv };
      const holder = spawn(process.execPath, [HOLDER], { stdio: ['pipe', 'ignore', 'inherit'] });
      const gone = once(holder, 'exit');
      holder.stdin.end(JSON.stringify(order));
      await until(long.runs, { what: 'it runs' });
      holder.kill(signal);
      // A connection that nobody closed: sshd does not know that the process is gone.
      if (signal === 'SIGSTOP') expect(await long.runs()).toBe(true);
      const b = owner();
      expect(await b.claim.take(wish(2, 's2'))).toMatchObject({ before: { session: 's1' } });
      expect(await long.runs()).toBe(false);
      await b.change();
      holder.kill('SIGKILL');
      await gone;
    });

    it('leaves alone what it runs itself, what others run, and what the host was to keep', async () => {
      const [a, b] = [owner(), owner()];
      await a.claim.take(wish(1, 's1'));
      const [kept, foreign, own] = [marked(), marked(), marked()];
      await a.shell.exec([
        'sh',
        '-c',
        'env -u NOVACTL_SESSION setsid "$@" >/dev/null 2>&1 </dev/null 9<&- &',
        'sh',
        ...kept.argv,
      ]);
      const other = codeOf(here.exec(foreign.argv, { env: { NOVACTL_SESSION: 'h-2:1:s1' }, timeoutMs: 5000 }));
      await b.claim.take(wish(2, 's2'));
      const mine = codeOf(b.shell.exec(own.argv, { timeoutMs: 3000 }));
      await until(own.runs, { what: 'it runs' });
      await b.claim.take(wish(2, 's2'));
      expect(await Promise.all([kept.runs(), foreign.runs(), own.runs()])).toEqual([true, true, true]);
      for (const { argv } of [kept, foreign, own]) await here.exec(['pkill', '-fx', argv.join(' ')]);
      await Promise.all([other, mine]);
    });

    it('leaves the DHCP servers of the host, which hold no lock either', async (ctx) => {
      if (!hasProgram('dnsmasq')) ctx.skip('dnsmasq is not installed');
      const [a, b] = [owner(), owner()];
      await a.claim.take(wish(1, 's1'));
      const pidFile = join(dir, 'dnsmasq.pid');
      // As drivers/linux-net starts it.
      const start = ['env', '-u', 'NOVACTL_SESSION', 'dnsmasq', '--conf-file=/dev/null', '--port=0'];
      expect(await a.shell.exec([...start, `--pid-file=${pidFile}`])).toMatchObject({ exitCode: 0 });
      const pid = Number(readFileSync(pidFile, 'utf8'));
      const began = performance.now();
      expect(await b.claim.take(wish(2, 's2'))).toMatchObject({ endedCommands: 0 });
      expect(performance.now() - began).toBeLessThan(5000);
      expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('dnsmasq\n');
      process.kill(pid);
    });

    it('is the only one whose commands, files and connections the host takes', async () => {
      const [a, b] = [owner(), owner()];
      const socketPath = join(dir, 'socket');
      const server = createServer((socket) => socket.on('error', () => undefined));
      await new Promise<void>((resolve) => server.listen(socketPath, resolve));
      await a.claim.take(wish(1, 's1'));
      (await a.shell.connectUnix(socketPath)).destroy();
      await b.claim.take(wish(2, 's2'));
      const file = join(dir, 'file');
      const upload = (shell: HostShell): Promise<void> =>
        shell.upload(file, Readable.from([Buffer.from('x')]), { sha256: sha256Hex('x') });
      const calls = (shell: HostShell): Promise<unknown>[] => [
        shell.exec(['touch', file]),
        shell.writeFile(file, 'x'),
        upload(shell),
        shell.connectUnix(socketPath).then((socket) => socket.destroy()),
      ];
      expect(await Promise.all(calls(a.shell).map(codeOf))).toEqual(Array(4).fill('StaleEpoch'));
      expect(readdirSync(dir).sort()).toEqual(['claim', 'socket']);
      expect(await Promise.all(calls(b.shell).map(codeOf))).toEqual(Array(4).fill('no error'));
      // To look is everybody's right.
      expect((await a.shell.readFile(file)).toString()).toBe('x');
      server.close();
    });

    it('reads a claim that is damaged as damaged, not as nobody’s', async () => {
      const a = owner();
      await a.claim.take(wish(1, 's1'));
      for (const text of ['', '{}\n', '{"v":1,"epoch":x', '{"v":2,"epoch":1,"session":"s1","cloudId":"c"}\n']) {
        writeFileSync(join(dir, 'claim', 'claim.json'), text);
        expect(await codeOf(owner().claim.take(wish(5, 's5')))).toBe('CorruptState');
        expect(await codeOf(a.claim.read())).toBe('CorruptState');
        expect(await codeOf(a.change())).toBe('StaleEpoch');
      }
    });

    it('passes exit codes, output and input of commands as they are', async () => {
      const a = owner();
      await a.claim.take(wish(1, 's1'));
      const script = 'cat; echo "$NOVACTL_SESSION" >&2; exit 113';
      const result = await a.shell.exec(['sh', '-c', script], { stdin: 'in', env: { LANG: 'x' } });
      expect(result).toEqual({ exitCode: 113, stdout: 'in', stderr: 'h-1:1:s1\n' });
      expect((await a.shell.exec(['/no/such'])).exitCode).toBe(127);
    });
  });
}

takeoverTests('local [real]', localShell, () => undefined);
hostClaimContract('local [real]', () => {
  const dir = mkdtempSync(join(tmpdir(), 'nv-claim-'));
  return Promise.resolve({
    owner: () => Promise.resolve(shellOwner(localShell(), dir)),
    close: () => Promise.resolve(rmSync(dir, { recursive: true })),
  });
});

describe.skipIf(missing !== undefined)(`over SSH [real]${missing === undefined ? '' : `: ${missing}`}`, () => {
  let sshd: PrivateSshd;
  beforeAll(async () => {
    sshd = await PrivateSshd.start();
  });
  afterAll(() => sshd.stop());
  const connect = (): HostShell =>
    sshShellTo({ ...sshd.endpoint, sudo: false }, { backoffMinMs: 50, backoffMaxMs: 200 });

  takeoverTests('sshd', connect, () => ({ ...sshd.endpoint, sudo: false }));
  hostClaimContract('sshd', () => {
    const dir = mkdtempSync(join(tmpdir(), 'nv-claim-'));
    const shells: HostShell[] = [];
    return Promise.resolve({
      owner() {
        const shell = connect();
        shells.push(shell);
        return Promise.resolve(shellOwner(shell, dir));
      },
      async close() {
        await Promise.all(shells.map((shell) => shell.close()));
        rmSync(dir, { recursive: true });
      },
    });
  });

  it('ends an SSH session that hangs, with its forwards, and notes those of its own that are made anew', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nv-claim-'));
    const [rawA, rawB] = [connect(), connect()];
    const [a, b] = [shellOwner(rawA, dir), shellOwner(rawB, dir)];
    const socketPath = join(dir, 'socket');
    const server = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const links = (): string[] => readdirSync(join(dir, 'claim', 'links'));
    await a.claim.take(wish(1, 's1'));
    const first = links();
    sshd.signal('SIGKILL', 'sessions');
    await until(async () => (await codeOf(a.change())) === 'no error', { what: 'it is connected again' });
    const libvirt = await a.shell.connectUnix(socketPath);
    const cut = new Promise((resolve) => libvirt.once('close', resolve));
    libvirt.on('error', () => undefined);
    expect(links()).toHaveLength(1);
    expect(links()).not.toEqual(first);
    const frozen = marked();
    const result = codeOf(a.shell.exec(frozen.argv));
    await until(frozen.runs, { what: 'it runs' });
    sshd.signal('SIGSTOP', 'sessions');
    const taken = await b.claim.take(wish(2, 's2'));
    expect(taken).toMatchObject({ endedConnections: 1 });
    expect(await frozen.runs()).toBe(false);
    await cut;
    await result;
    expect(readFileSync(join(dir, 'claim', 'links', links()[0] ?? ''), 'utf8')).toBe('h-1:2:s2\n');
    // It dials again, and is refused on the host.
    expect(await codeOf(a.change())).toBe('StaleEpoch');
    expect(await codeOf(a.shell.connectUnix(socketPath))).toBe('StaleEpoch');
    await b.change();
    expect(existsSync(join(dir, 'changed'))).toBe(true);
    await Promise.all([rawA.close(), rawB.close()]);
    server.close();
    rmSync(dir, { recursive: true });
  });
});
