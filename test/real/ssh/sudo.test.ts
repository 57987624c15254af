import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isCode } from '../../../src/base/errors.ts';
import { wish } from '../../contract/host-claim.ts';
import { hostShellContract } from '../../contract/host-shell.ts';
import { shellOwner } from '../../support/claim-owner.ts';
import { hasProgram, PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { sshShellTo, sshSubject } from '../../support/ssh-subject.ts';

const missing = sshdMissing() ?? (hasProgram('sudo') ? undefined : 'sudo is not installed');
const NAME = 'nvtest';
const tail = missing === undefined ? '' : `: ${missing}`;

describe.skipIf(missing !== undefined)(`sudo over sshd [real]${tail}`, () => {
  let sshd: PrivateSshd;
  beforeAll(async () => {
    sshd = await PrivateSshd.start({ user: { name: NAME, sudoers: [`${NAME} ALL=(root) NOPASSWD: ALL`] } });
  });
  afterAll(() => sshd.stop());

  hostShellContract('SSH to sshd as a user with sudo', () => sshSubject({ ...sshd.endpoint, sudo: true }, true));

  it('a new owner of the host finds the SSH session of the one before, and ends it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nv-claim-'));
    const target = { ...sshd.endpoint, sudo: true };
    const shells = [sshShellTo(target), sshShellTo(target)] as const;
    const [a, b] = [shellOwner(shells[0], dir), shellOwner(shells[1], dir)];
    await a.claim.take(wish(1, 's1'));
    await a.change();
    expect(await b.claim.take(wish(2, 's2'))).toMatchObject({ endedConnections: 1 });
    await expect(a.change()).rejects.toMatchObject({ code: 'StaleEpoch' });
    await b.change();
    await Promise.all(shells.map((shell) => shell.close()));
    rmSync(dir, { recursive: true });
  });

  it('without it commands are the user’s own', async () => {
    const shell = sshShellTo({ ...sshd.endpoint, sudo: false });
    const asRoot = sshShellTo({ ...sshd.endpoint, sudo: true });
    expect((await shell.exec(['id', '-un'])).stdout).toBe(`${NAME}\n`);
    expect((await asRoot.exec(['id', '-un'])).stdout).toBe('root\n');
    await expect(shell.writeFile('/etc/nv-not-allowed', 'x')).rejects.toMatchObject({ code: 'HostError' });
    await expect(shell.readFile('/etc/shadow')).rejects.toMatchObject({ code: 'HostError' });
    await Promise.all([shell.close(), asRoot.close()]);
  });
});

describe.skipIf(missing !== undefined)(`sudo that asks, or uses a terminal [real]${tail}`, () => {
  it('a password that nobody can give is an error that says what to write where', async () => {
    const sshd = await PrivateSshd.start({ user: { name: NAME, sudoers: [`${NAME} ALL=(root) ALL`] } });
    const shell = sshShellTo({ ...sshd.endpoint, sudo: true });
    const error = await shell.exec(['true']).catch((caught: unknown) => caught);
    await shell.close();
    await sshd.stop();
    expect(isCode(error, 'HostError')).toBe(true);
    expect(error).toMatchObject({ details: { reason: 'sudo', outcome: 'not-sent' } });
    expect(String(error)).toContain(`${NAME} ALL=(root) NOPASSWD: ALL`);
  });

  it('use_pty changes nothing', async () => {
    const sudoers = ['Defaults use_pty', `${NAME} ALL=(root) NOPASSWD: ALL`];
    const sshd = await PrivateSshd.start({ user: { name: NAME, sudoers } });
    const shell = sshShellTo({ ...sshd.endpoint, sudo: true });
    const result = await shell.exec(['sh', '-c', 'cat; echo err >&2; exit 3'], { stdin: 'in\n' });
    const timeout = await shell.exec(['sleep', '60'], { timeoutMs: 300 }).catch((caught: unknown) => caught);
    await shell.close();
    await sshd.stop();
    expect(result).toEqual({ exitCode: 3, stdout: 'in\n', stderr: 'err\n' });
    expect(timeout).toMatchObject({ code: 'Timeout', details: { killed: true } });
  });
});
