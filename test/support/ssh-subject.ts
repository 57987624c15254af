import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSshShell, type SshShell } from '../../src/adapters/host-shell/ssh-shell.ts';
import type { SshLimits, SshTarget } from '../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { HostShellSubject } from '../contract/host-shell.ts';

export function sshShellTo(target: SshTarget, limits: Partial<SshLimits> = {}): SshShell {
  return createSshShell({
    target,
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    name: 'h1',
    limits,
  });
}

/** A folder that commands on the host may fill, and a socket there that everybody may use and that sends back what it gets. */
export async function hostFolder(): Promise<{ dir: string; echoSocket: string; remove: () => void }> {
  const root = mkdtempSync(join(tmpdir(), 'nv-ssh-'));
  chmodSync(root, 0o755);
  const echoSocket = join(root, 'echo');
  const echo = createServer((socket) => socket.pipe(socket).on('error', () => undefined));
  await new Promise<void>((resolve) => echo.listen(echoSocket, resolve));
  chmodSync(echoSocket, 0o777);
  const remove = (): void => {
    echo.close();
    rmSync(root, { recursive: true });
  };
  return { dir: mkdtempSync(join(root, 'd')), echoSocket, remove };
}

/** What the contract suite wants, over SSH. */
export async function sshSubject(target: SshTarget, root: boolean): Promise<HostShellSubject> {
  const { dir, echoSocket, remove } = await hostFolder();
  return {
    shell: sshShellTo(target),
    dir,
    echoSocket,
    root,
    close: () => {
      remove();
      return Promise.resolve();
    },
  };
}
