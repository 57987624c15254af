import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SHELL_TMP } from '../../../src/ports/host-shell.ts';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import { fetchHostKey } from '../../../src/adapters/host-shell/fetch-host-key.ts';
import type { SshShell } from '../../../src/adapters/host-shell/ssh-shell.ts';
import type { SshLimits } from '../../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { freePort, PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { hostFolder, sshShellTo } from '../../support/ssh-subject.ts';
import { until } from '../../support/until.ts';

const MIB = 1024 * 1024;
const missing = sshdMissing();
const here = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });

let sshd: PrivateSshd;
let folder: Awaited<ReturnType<typeof hostFolder>>;
const shells: SshShell[] = [];

function newShell(limits: Partial<SshLimits> = {}): SshShell {
  const shell = sshShellTo({ ...sshd.endpoint, sudo: false }, limits);
  shells.push(shell);
  return shell;
}

/** So many MiB, each of another byte; `pulled` tells how many were asked for. */
function image(mib: number): { body: Readable; sha256: string; pulled: () => number } {
  const piece = (index: number): Buffer => Buffer.alloc(MIB, index);
  const hash = createHash('sha256');
  for (let index = 0; index < mib; index += 1) hash.update(piece(index));
  let pulled = 0;
  const source = function* (): Generator<Buffer> {
    for (; pulled < mib; pulled += 1) yield piece(pulled);
  };
  const body = Readable.from(source(), { highWaterMark: 1 });
  return { body, sha256: hash.digest('hex'), pulled: () => pulled };
}

describe.skipIf(missing !== undefined)(`sshd under load [real]${missing === undefined ? '' : `: ${missing}`}`, () => {
  beforeAll(async () => {
    sshd = await PrivateSshd.start();
    folder = await hostFolder();
  });
  afterEach(async () => {
    for (const shell of shells.splice(0)) await shell.close();
  });
  afterAll(async () => {
    await sshd.stop();
    folder.remove();
  });

  it('64 MiB arrive, and no more of them wait in memory than a window, however long the host does not read', async () => {
    const shell = newShell({ keepaliveMs: 60_000 });
    const path = `${folder.dir}/image`;
    const { body, sha256, pulled } = image(64);
    const upload = shell.upload(path, body, { sha256, mode: 0o644 });
    const find = ['find', folder.dir, '-name', `${SHELL_TMP.prefix}*`, '-size', '+4M'];
    await until(async () => (await here.exec(find)).stdout !== '', { what: 'some of it is there', everyMs: 2 });
    sshd.signal('SIGSTOP');
    let before = -1;
    const stands = (): boolean => {
      const same = pulled() === before;
      before = pulled();
      return same;
    };
    await until(stands, { what: 'the source is not read any more', everyMs: 300 });
    const tmp = (await here.exec(find)).stdout.trim();
    const arrivedMib = statSync(tmp).size / MIB;
    expect(pulled()).toBeLessThan(64);
    // A channel window of 2 MiB, what sockets and pipes hold, one piece of the source.
    expect(pulled() - arrivedMib).toBeLessThan(16);
    sshd.signal('SIGCONT');
    await upload;
    expect((await here.exec(['sha256sum', path])).stdout).toBe(`${sha256}  ${path}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  it('64 commands at once are answered through sshd’s ten sessions, and one connection', async () => {
    const shell = newShell();
    const all = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        shell.exec(['sh', '-c', 'cat; exit "$1"', 'sh', String(index)], { stdin: `n${index}` }),
      ),
    );
    expect(all.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(all.map((_, index) => [`n${index}`, index]));
    expect(sshd.pids().length).toBe(2);
  });

  it('an sshd that allows two sessions is enough', async () => {
    const narrow = await PrivateSshd.start({ config: ['MaxSessions 2'] });
    const shell = sshShellTo({ ...narrow.endpoint, sudo: false });
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => shell.exec(['echo', String(index)])));
    await shell.close();
    await narrow.stop();
    expect(all.map(({ stdout }) => stdout)).toEqual(all.map((_, index) => `${index}\n`));
  });

  it('16 connections to a socket carry a MiB each, side by side', async () => {
    const shell = newShell();
    const carry = async (index: number): Promise<boolean> => {
      const body = Buffer.alloc(MIB, index);
      const socket = await shell.connectUnix(folder.echoSocket);
      const parts: Buffer[] = [];
      const ended = (async () => {
        for await (const part of socket) {
          parts.push(part as Buffer);
          if (parts.reduce((sum, { length }) => sum + length, 0) === MIB) break;
        }
      })();
      socket.write(body);
      await ended;
      return Buffer.concat(parts).equals(body);
    };
    expect(await Promise.all(Array.from({ length: 16 }, (_, index) => carry(index)))).toEqual(Array(16).fill(true));
  });

  it('what it is not allowed to do is said in its own settings', async () => {
    const config = ['AllowStreamLocalForwarding no', 'AllowTcpForwarding no'];
    const strict = await PrivateSshd.start({ config });
    const shell = sshShellTo({ ...strict.endpoint, sudo: false });
    const socket = await shell.connectUnix(folder.echoSocket).catch((error: unknown) => error);
    const forward = await shell.forwardIn(await freePort(), () => undefined).catch((error: unknown) => error);
    await shell.close();
    await strict.stop();
    expect(socket).toMatchObject({ code: 'HostError' });
    expect(String(socket)).toContain('AllowStreamLocalForwarding yes');
    expect(forward).toMatchObject({ code: 'HostError' });
    expect(String(forward)).toContain('AllowTcpForwarding no');
  });

  it('a port of the host leads here, also after sshd was killed and started', async () => {
    const shell = newShell({ backoffMinMs: 50, backoffMaxMs: 200 });
    const port = await freePort();
    const forward = await shell.forwardIn(port, (socket, source) => socket.end(source));
    const ask = async (): Promise<string> => {
      const socket = connect(port, '127.0.0.1');
      const [said] = (await once(socket, 'data')) as [Buffer];
      return said.toString();
    };
    expect(await ask()).toBe('127.0.0.1');
    await sshd.kill();
    await until(() => !forward.isUp(), { what: 'it is down' });
    await sshd.startDaemon();
    await until(() => forward.isUp(), { what: 'it is back' });
    expect(await ask()).toBe('127.0.0.1');
  });

  it('a port that the old session still holds is asked for until that is gone; commands do not wait for it', async () => {
    const shell = newShell({ backoffMinMs: 20, backoffMaxMs: 100, keepaliveMs: 100, keepaliveCount: 2 });
    const forward = await shell.forwardIn(await freePort(), () => undefined);
    const old = sshd.pids().slice(1);
    sshd.signal('SIGSTOP', 'sessions');
    await until(() => !forward.isUp(), { what: 'the host that hangs is given up' });
    const works = (): Promise<boolean> =>
      shell.exec(['true']).then(
        () => true,
        () => false,
      );
    await until(works, { what: 'another session works' });
    await until(() => sshd.pids().length > old.length + 1, { what: 'both sessions are there' });
    expect(forward.isUp()).toBe(false);
    for (const pid of old) process.kill(pid, 'SIGKILL');
    await until(() => forward.isUp(), { what: 'the port is had' });
  });

  it('new keys are agreed in the middle of everything', async () => {
    const often = await PrivateSshd.start({ config: ['RekeyLimit 1M'] });
    const shell = sshShellTo({ ...often.endpoint, sudo: false });
    const { body, sha256 } = image(16);
    const path = `${folder.dir}/rekeyed`;
    const bytes = randomBytes(2 * MIB);
    const text = bytes.toString('hex').slice(0, 3 * MIB);
    const [, ...echoes] = await Promise.all([
      shell.upload(path, body, { sha256 }),
      ...Array.from({ length: 8 }, () => shell.exec(['cat'], { stdin: text })),
    ]);
    await shell.close();
    await often.stop();
    expect(echoes.every(({ stdout }) => stdout === text)).toBe(true);
    expect((await here.exec(['sha256sum', path])).stdout).toBe(`${sha256}  ${path}\n`);
  });

  it('what is given on input or in the environment is in no list of processes', async () => {
    const shell = newShell();
    const canary = `canary-${randomBytes(8).toString('hex')}`;
    const abort = new AbortController();
    const command = shell.exec(['sh', '-c', 'cat >/dev/null; sleep 77'], {
      stdin: `password ${canary}`,
      env: { NV_SECRET: canary },
      signal: abort.signal,
    });
    const lines = async (): Promise<string> => (await here.exec(['ps', '-eww', '-o', 'args'])).stdout;
    await until(async () => /^sleep 77$/m.test(await lines()), { what: 'it runs' });
    const seen = await lines();
    abort.abort();
    await expect(command).rejects.toBe(abort.signal.reason);
    expect(seen).not.toContain(canary);
    expect(seen).not.toContain(Buffer.from(canary).toString('base64').slice(0, 20));
  });

  it('its host key is fetched by kind', async () => {
    const at = { host: '127.0.0.1', port: sshd.port, timeoutMs: 5000, clock: new SystemClock() };
    const key = await fetchHostKey(at);
    expect(key).toEqual(sshd.endpoint.hostKey);
    expect(await fetchHostKey({ ...at, fingerprint: key.fingerprint })).toEqual(key);
    await expect(fetchHostKey({ ...at, fingerprint: `SHA256:${'A'.repeat(43)}` })).rejects.toMatchObject({
      details: { reason: 'host-key', offered: `ssh-ed25519 ${key.fingerprint}` },
    });
  });
});
