import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchHostKey } from '../../../../src/adapters/host-shell/fetch-host-key.ts';
import { createSshShell, type SshShell } from '../../../../src/adapters/host-shell/ssh-shell.ts';
import type { SshEndpoint, SshIdentity } from '../../../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { generateSshKeyPair } from '../../../../src/base/openssh-key.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { startSsh2Server, type Ssh2Server } from '../../../support/ssh2-server.ts';

let server: Ssh2Server;
let dir: string;
const shells: SshShell[] = [];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nv-login-'));
  server = await startSsh2Server();
});
afterEach(async () => {
  for (const shell of shells.splice(0)) await shell.close();
  await server.close();
  rmSync(dir, { recursive: true });
});

function shellTo(endpoint: SshEndpoint): SshShell {
  const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger, name: 'h1' };
  const shell = createSshShell({ ...parts, target: { ...endpoint, sudo: false } });
  shells.push(shell);
  return shell;
}

const failure = (endpoint: SshEndpoint): Promise<CloudError> =>
  shellTo(endpoint)
    .exec(['true'])
    .then(
      () => Promise.reject(new Error('it did not fail')),
      (error: unknown) => error as CloudError,
    );
const as = (identity: SshIdentity): SshEndpoint => ({ ...server.endpoint, identity });
const works = async (endpoint: SshEndpoint): Promise<void> => {
  expect((await shellTo(endpoint).exec(['echo', 'in'])).stdout).toBe('in\n');
};

describe('host keys', () => {
  it('pinned by key or by fingerprint, the right one is taken', async () => {
    const { type, base64, fingerprint } = server.hostKey;
    await works({ ...server.endpoint, hostKey: { type, base64 } });
    await works({ ...server.endpoint, hostKey: { fingerprint } });
  });

  it('a changed one is refused, both are named, and nothing was sent', async () => {
    const other = generateSshKeyPair('ed25519', '');
    const [type = '', base64 = ''] = other.publicKey.split(' ');
    for (const hostKey of [{ type, base64 }, { fingerprint: other.fingerprint }]) {
      const error = await failure({ ...server.endpoint, hostKey });
      expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'host-key', outcome: 'not-sent' } });
      expect(error.message).toContain(other.fingerprint);
      expect(error.message).toContain(server.hostKey.fingerprint);
    }
    expect(server.logins()).toBe(0);
  });

  it('a pin that no key can match is refused at once', () => {
    const bad = [
      { fingerprint: 'MD5:aa:bb' },
      { fingerprint: 'SHA256:short' },
      { type: 'ssh-rsa', base64: server.hostKey.base64 },
    ];
    for (const hostKey of bad) {
      expect(() => shellTo({ ...server.endpoint, hostKey })).toThrow(CloudError);
    }
    expect(() => shellTo({ ...server.endpoint, port: 0 })).toThrow(/port 0/);
    expect(() => shellTo({ ...server.endpoint, jump: { ...server.endpoint, user: '' } })).toThrow(
      /needs a host and a user/,
    );
  });

  it('are fetched for an administrator to compare', async () => {
    const clock = new SystemClock();
    const at = { host: '127.0.0.1', port: server.port, timeoutMs: 5000, clock };
    expect(await fetchHostKey(at)).toEqual(server.hostKey);
    expect(await fetchHostKey({ ...at, fingerprint: server.hostKey.fingerprint })).toEqual(server.hostKey);
    const { fingerprint } = generateSshKeyPair('ed25519', '');
    const error = await fetchHostKey({ ...at, fingerprint }).catch((caught: unknown) => caught as CloudError);
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'host-key', wanted: fingerprint } });
    await server.close();
    const gone = await fetchHostKey(at).catch((caught: unknown) => caught as CloudError);
    expect(gone).toMatchObject({ code: 'Unavailable', details: { reason: 'refused' } });
    server = await startSsh2Server();
  });
});

describe('logins', () => {
  it('a key that the host does not know: the line to add is said, and no secret', async () => {
    const stranger = generateSshKeyPair('ed25519', '');
    const error = await failure(as({ kind: 'key', pem: stranger.privateKey }));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'login', outcome: 'not-sent' } });
    expect(error.message).toContain(stranger.publicKey.trim());
    expect(error.message).toContain('~tester/.ssh/authorized_keys');
    expect(error.message).not.toContain('PRIVATE');
  });

  it('a server without key logins: the setting is said', async () => {
    const strict = await startSsh2Server({ methodsInstead: ['password', 'keyboard-interactive'] });
    const error = await failure(strict.endpoint);
    await strict.close();
    expect(error.message).toContain('only password, keyboard-interactive logins: set `PubkeyAuthentication yes`');
  });

  it('an RSA key works, too', async () => {
    const rsa = generateSshKeyPair('rsa', 'user');
    const other = await startSsh2Server({ user: rsa });
    await works(other.endpoint);
    await other.close();
  });

  it('key files: absent, open to others, protected, public, no key at all', async () => {
    const path = join(dir, 'key');
    const problem = async (): Promise<string> => (await failure(as({ kind: 'key', path }))).message;
    expect(await problem()).toContain(`there is no key file ${path}: make one with`);
    writeFileSync(path, server.userPem, { mode: 0o644 });
    expect(await problem()).toContain(`chmod 600 ${path}`);
    chmodSync(path, 0o600);
    await works(as({ kind: 'key', path }));
    writeFileSync(path, 'no key');
    expect(await problem()).toContain('no private key that can be read');
    writeFileSync(path, generateSshKeyPair('ed25519', '').publicKey);
    expect(await problem()).toContain('the private one is needed');
    rmSync(path);
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', path]);
    expect(await problem()).toContain('protected by a passphrase');
  });

  it('an agent: absent, empty, with the key [real]', async (context) => {
    const socket = join(dir, 'agent');
    expect((await failure(as({ kind: 'agent', socket }))).message).toContain(`no SSH agent answers at ${socket}`);
    const started = spawnSync('ssh-agent', ['-a', socket], { encoding: 'utf8' });
    if (started.error !== undefined) context.skip('ssh-agent is not installed');
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started.stdout)?.[1]);
    try {
      expect((await failure(as({ kind: 'agent', socket }))).message).toContain('holds no key: add one with ssh-add');
      const add = (pem: string): void => {
        writeFileSync(join(dir, 'k'), pem, { mode: 0o600 });
        spawnSync('ssh-add', ['-q', join(dir, 'k')], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      };
      add(generateSshKeyPair('ed25519', 'other').privateKey);
      expect((await failure(as({ kind: 'agent', socket }))).message).toContain('refuses the login');
      add(server.userPem);
      await works(as({ kind: 'agent', socket }));
    } finally {
      process.kill(pid);
    }
  });
});

describe('a jump host', () => {
  it('is gone through, and its troubles are told apart', async () => {
    const jump = await startSsh2Server();
    try {
      await works({ ...server.endpoint, jump: jump.endpoint });
      expect(jump.logins()).toBe(1);
      const wrong = generateSshKeyPair('ed25519', '');
      const untrusted = { ...jump.endpoint, hostKey: { fingerprint: wrong.fingerprint } };
      const changed = await failure({ ...server.endpoint, jump: untrusted });
      expect(changed.message).toContain('refused the jump host of h1');
      const dead = await failure({ ...server.endpoint, port: 1, jump: jump.endpoint });
      expect(dead).toMatchObject({ code: 'Unavailable', details: { reason: 'jump' } });
      const shell = shellTo({ ...server.endpoint, jump: jump.endpoint });
      const running = shell.exec(['sleep', '60']).catch((error: unknown) => error as CloudError);
      await shell.exec(['true']);
      jump.cut();
      expect(await running).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown' } });
    } finally {
      await jump.close();
    }
  });
});
