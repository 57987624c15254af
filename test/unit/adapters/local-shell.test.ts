import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { HostShell } from '../../../src/ports/host-shell.ts';
import { hostShellContract } from '../../contract/host-shell.ts';

const newShell = (): HostShell => createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });

hostShellContract('local [real]', async () => {
  const root = await mkdtemp(join(tmpdir(), 'novactl-shell-'));
  const dir = await mkdtemp(join(root, 'd'));
  const echoSocket = join(root, 'echo');
  const server = createServer((socket) => socket.pipe(socket).on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(echoSocket, resolve));
  return {
    shell: newShell(),
    dir,
    echoSocket,
    root: process.getuid?.() === 0,
    close: async () => {
      server.close();
      await rm(root, { recursive: true });
    },
  };
});

describe('local shell', () => {
  let shell: HostShell;
  beforeEach(() => {
    shell = newShell();
  });
  afterEach(() => shell.close());

  it('keeps the environment of its own process from commands', async () => {
    process.env['NOVACTL_SECRET_PROBE'] = 'secret';
    try {
      const { stdout } = await shell.exec(['env']);
      expect(stdout).not.toContain('NOVACTL_SECRET_PROBE');
      expect(stdout).toContain('LC_ALL=C');
    } finally {
      delete process.env['NOVACTL_SECRET_PROBE'];
    }
  });

  it('is called local unless told otherwise', async () => {
    expect(shell.name).toBe('local');
    const other = createLocalShell({ clock: new SystemClock(), random: new SystemRandom(), name: 'h1' });
    expect(other.name).toBe('h1');
    await other.close();
  });

  it('says that an argv is too long', async () => {
    await expect(shell.exec(['true', 'x'.repeat(4 * 1024 * 1024)])).rejects.toMatchObject({ code: 'HostError' });
  });
});
