import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createSshShell, type SshShell } from '../../../../src/adapters/host-shell/ssh-shell.ts';
import type { SshEndpoint, SshLimits, SshTarget } from '../../../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import type { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { startSsh2Server, type Ssh2Server, type Ssh2ServerOptions } from '../../../support/ssh2-server.ts';
import { until } from '../../../support/until.ts';

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serverWith(options: Ssh2ServerOptions = {}): Promise<Ssh2Server> {
  const server = await startSsh2Server(options);
  closing.push(() => server.close());
  return server;
}

function shellOn(target: SshEndpoint & Partial<SshTarget>, limits: Partial<SshLimits> = {}): SshShell {
  const shell = createSshShell({
    target: { sudo: false, ...target },
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    name: 'h1',
    limits: { backoffMinMs: 20, backoffMaxMs: 100, ...limits },
  });
  closing.push(() => shell.close());
  return shell;
}

const errorOf = (promise: Promise<unknown>): Promise<CloudError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as CloudError,
  );

const running = async (shell: SshShell, pattern: string): Promise<boolean> =>
  (await shell.exec(['pgrep', '-r', 'R,S,D', '-fx', pattern])).exitCode === 0;

describe('a command over SSH', () => {
  it('may be longer than one argument of a shell', async () => {
    const shell = shellOn((await serverWith()).endpoint);
    const words = Array.from({ length: 30 }, (_, index) => String(index % 10).repeat(10_000));
    const { stdout } = await shell.exec(['printf', '%s', ...words]);
    expect(stdout).toBe(words.join(''));
  });

  it('is not hurt by what the login shell prints', async () => {
    const server = await serverWith({ loginShell: (command) => `echo motd; echo warning >&2; ${command}` });
    expect(await shellOn(server.endpoint).exec(['echo', 'hi'])).toEqual({ exitCode: 0, stdout: 'hi\n', stderr: '' });
  });

  it('has an input of limited size', async () => {
    const shell = shellOn((await serverWith()).endpoint, { stdinBytes: 10 });
    expect(await errorOf(shell.exec(['cat'], { stdin: 'x'.repeat(11) }))).toMatchObject({
      code: 'InvalidParameterValue',
    });
  });

  it('that kills its own group is told by its signal', async () => {
    const shell = shellOn((await serverWith()).endpoint, { drainMs: 100 });
    const { exitCode, stdout } = await shell.exec(['sh', '-c', 'echo before; kill -KILL 0']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 137, stdout: 'before\n' });
  });

  it('that did not begin says why', async () => {
    const forced = await serverWith({ loginShell: () => 'echo This account is not available.; exit 1' });
    const error = await errorOf(shellOn(forced.endpoint).exec(['true']));
    expect(error).toMatchObject({ code: 'HostError', details: { reason: 'login-shell', outcome: 'not-sent' } });
    expect(error.message).toContain('This account is not available.');
    const noSudo = await serverWith({ loginShell: () => 'echo "sudo: a password is required" >&2; exit 1' });
    const refused = await errorOf(shellOn({ ...noSudo.endpoint, sudo: true }).exec(['true']));
    expect(refused).toMatchObject({ code: 'HostError', details: { reason: 'sudo' } });
    expect(refused.message).toContain('tester ALL=(root) NOPASSWD: ALL');
  });

  it('dies on the host when the connection is cut, and nobody says that it did not run', async () => {
    const server = await serverWith();
    const shell = shellOn(server.endpoint);
    const marker = `51${process.pid}.${String(Math.random()).slice(2, 9)}`;
    const cut = errorOf(shell.exec(['sleep', marker]));
    const other = shellOn(server.endpoint);
    await until(() => running(other, `sleep ${marker}`), { what: 'it runs' });
    server.cut();
    expect(await cut).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown', reason: 'lost' } });
    await until(async () => !(await running(other, `sleep ${marker}`)), { what: 'it died' });
  });

  it('works again after a cut', async () => {
    const server = await serverWith();
    const shell = shellOn(server.endpoint);
    for (let round = 0; round < 3; round += 1) {
      expect((await shell.exec(['echo', String(round)])).stdout).toBe(`${round}\n`);
      server.cut();
      await until(() => server.logins() === round + 1, { what: 'no more logins than cuts' });
    }
    expect(server.logins()).toBe(3);
  });
});

describe('limits of one connection', () => {
  it('one login serves many, and the server may give fewer sessions than we want', async () => {
    const server = await serverWith({ maxSessions: 3 });
    const shell = shellOn(server.endpoint);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => shell.exec(['echo', String(i)])));
    expect(all.map(({ stdout }) => stdout)).toEqual(all.map((_, i) => `${i}\n`));
    expect(server.logins()).toBe(1);
  });

  it('no session at all is an error that names the setting', async () => {
    const shell = shellOn((await serverWith({ maxSessions: 0 })).endpoint);
    const error = await errorOf(shell.exec(['true']));
    expect(error).toMatchObject({ code: 'HostError', details: { outcome: 'not-sent' } });
    expect(error.message).toContain('MaxSessions');
  });

  it('a full queue is Busy', async () => {
    const shell = shellOn((await serverWith()).endpoint, { sessions: 1, queue: 1 });
    const [first, second, third] = await Promise.allSettled(['1', '2', '3'].map((word) => shell.exec(['echo', word])));
    expect([first, second].map((one) => one?.status)).toEqual(['fulfilled', 'fulfilled']);
    expect(third).toMatchObject({ status: 'rejected', reason: { code: 'Busy', details: { outcome: 'not-sent' } } });
  });

  it('too many streams is Busy, and a closed one gives its place back', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nv-ssh-'));
    closing.push(() => rmSync(dir, { recursive: true }));
    const echo = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(join(dir, 's'), resolve));
    closing.push(() => void echo.close());
    const shell = shellOn((await serverWith()).endpoint, { streams: 1 });
    const first = await shell.connectUnix(join(dir, 's'));
    expect(await errorOf(shell.connectUnix(join(dir, 's')))).toMatchObject({ code: 'Busy' });
    first.destroy();
    await once(first, 'close');
    const second = await shell.connectUnix(join(dir, 's'));
    second.end('bye');
    const [answer] = (await once(second, 'data')) as [Buffer];
    expect(answer.toString()).toBe('bye');
  });

  it('an upload that moves nothing is given up', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nv-ssh-'));
    closing.push(() => rmSync(dir, { recursive: true }));
    const shell = shellOn((await serverWith()).endpoint, { stallMs: 200 });
    const stuck = new Readable({ read: () => undefined });
    stuck.push('begin');
    const error = await errorOf(shell.upload(join(dir, 'f'), stuck, { sha256: '0'.repeat(64) }));
    expect(error).toMatchObject({ code: 'Timeout' });
    expect(stuck.destroyed).toBe(true);
    expect((await shell.exec(['ls', '-A', dir])).stdout).toBe('');
  });
});

/** A port that takes connections and never says a word. */
async function blackHole(): Promise<{ port: number; taken: () => number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, taken: () => sockets.size };
}

describe('a host that is not there', () => {
  it('that says nothing costs the time to connect, and then nothing for a while', async () => {
    const server = await serverWith();
    const hole = await blackHole();
    const shell = shellOn(
      { ...server.endpoint, port: hole.port },
      { connectTimeoutMs: 300, backoffMinMs: 60_000, backoffMaxMs: 60_000 },
    );
    const [a, b] = await Promise.all([errorOf(shell.exec(['true'])), errorOf(shell.readFile('/etc/hostname'))]);
    expect(a).toMatchObject({ code: 'Unavailable', details: { reason: 'no-answer', outcome: 'not-sent' } });
    expect(b.code).toBe('Unavailable');
    const again = await errorOf(shell.exec(['true']));
    expect(again.message).toMatch(/no SSH login within 300 ms.*next attempt in [3-6]\d s/);
    expect(hole.taken()).toBe(1);
  });

  it('does not keep another waiting', async () => {
    const server = await serverWith();
    const hole = await blackHole();
    const dead = shellOn({ ...server.endpoint, port: hole.port });
    const hanging = errorOf(dead.exec(['true']));
    const alive = shellOn(server.endpoint);
    expect((await alive.exec(['echo', 'alive'])).stdout).toBe('alive\n');
    await dead.close();
    expect(await hanging).toMatchObject({ code: 'HostError' });
  });

  it('an abort does not wait for it', async () => {
    const hole = await blackHole();
    const shell = shellOn({ ...(await serverWith()).endpoint, port: hole.port });
    const reason = new Error('never mind');
    expect(await errorOf(shell.exec(['true'], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const abort = new AbortController();
    const waiting = errorOf(shell.exec(['true'], { signal: abort.signal }));
    await until(() => hole.taken() === 1, { what: 'it dials' });
    abort.abort(reason);
    expect(await waiting).toBe(reason);
  });

  it('that refuses is said to', async () => {
    const server = await serverWith();
    await server.close();
    const error = await errorOf(shellOn(server.endpoint).exec(['true']));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'refused' } });
    expect(error.message).toContain(`h1 (tester@127.0.0.1:${server.port})`);
    const unknown = await errorOf(shellOn({ ...server.endpoint, host: 'no-such-host.invalid' }).exec(['true']));
    expect(unknown).toMatchObject({ code: 'Unavailable', details: { reason: 'unknown-name' } });
  });
});

describe('ports of the host', () => {
  const freePort = async (): Promise<number> => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  };
  const ask = async (port: number): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    return Buffer.concat(parts).toString();
  };

  it('bring connections here, with where they came from, also after a cut', async () => {
    const server = await serverWith();
    const shell = shellOn(server.endpoint);
    const port = await freePort();
    const forward = await shell.forwardIn(port, (socket, source) => socket.end(`hello ${source}`));
    expect(forward.isUp()).toBe(true);
    expect(await ask(port)).toBe('hello 127.0.0.1');
    server.cut();
    await until(() => !forward.isUp(), { what: 'it is known to be lost' });
    await until(() => forward.isUp(), { what: 'it is back' });
    expect(await ask(port)).toBe('hello 127.0.0.1');
    await forward.close();
    await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('that are taken, twice asked for, or none, are refused', async () => {
    const server = await serverWith();
    const shell = shellOn(server.endpoint);
    const taken = await shell
      .forwardIn(server.port, () => undefined)
      .then(
        () => undefined,
        (error: unknown) => error as CloudError,
      );
    expect(taken).toMatchObject({ code: 'HostError', details: { port: server.port } });
    const port = await freePort();
    await shell.forwardIn(port, () => undefined);
    expect(await errorOf(shell.forwardIn(port, () => undefined))).toMatchObject({ code: 'AlreadyExists' });
    expect(await errorOf(shell.forwardIn(0, () => undefined))).toMatchObject({ code: 'InvalidParameterValue' });
  });

  it('take a limited number of connections', async () => {
    const shell = shellOn((await serverWith()).endpoint, { forwarded: 1 });
    const port = await freePort();
    let seen = 0;
    await shell.forwardIn(port, () => (seen += 1));
    const first = connect(port, '127.0.0.1');
    closing.push(() => void first.destroy());
    await until(() => seen === 1, { what: 'the first is there' });
    expect(await ask(port)).toBe('');
    expect(seen).toBe(1);
  });
});
