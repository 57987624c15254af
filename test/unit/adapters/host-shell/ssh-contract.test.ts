import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSshShell } from '../../../../src/adapters/host-shell/ssh-shell.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { hostShellContract } from '../../../contract/host-shell.ts';
import { startSsh2Server } from '../../../support/ssh2-server.ts';

hostShellContract('SSH to a server in this process', async () => {
  const root = await mkdtemp(join(tmpdir(), 'nv-ssh-'));
  const dir = await mkdtemp(join(root, 'd'));
  const echoSocket = join(root, 'echo');
  const echo = createServer((socket) => socket.pipe(socket).on('error', () => undefined));
  await new Promise<void>((resolve) => echo.listen(echoSocket, resolve));
  const server = await startSsh2Server();
  const target = { ...server.endpoint, sudo: false };
  return {
    shell: createSshShell({ target, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger }),
    dir,
    echoSocket,
    root: process.getuid?.() === 0,
    close: async () => {
      await server.close();
      echo.close();
      await rm(root, { recursive: true });
    },
  };
});
