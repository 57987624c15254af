import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { HostShell, ShellGuard } from '../../../../../src/ports/host-shell.ts';
import { guardedShell } from '../../../../../src/workers/drivers/host-claim/guarded-shell.ts';

function shellWith(socket: PassThrough): HostShell {
  const no = (): Promise<never> => Promise.reject(new Error('not of this test'));
  return {
    name: 'node1',
    ...{ exec: no, readFile: no, writeFile: no, upload: no },
    download: () => {
      throw new Error('not asked for');
    },
    connectUnix: () => Promise.resolve(socket),
    close: () => Promise.resolve(),
  };
}

const guard = {} as ShellGuard;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a socket of a host, while its claim is compared', () => {
  it('is no use when it is lost meanwhile, and ends nothing but itself', async () => {
    const socket = new PassThrough();
    const enrol = async (): Promise<void> => {
      socket.destroy(new Error('the host closed it'));
      await turn();
    };
    const shell = guardedShell(shellWith(socket), { guard: () => guard, enrol });
    await expect(shell.connectUnix('/run/x')).rejects.toMatchObject({
      code: 'Unavailable',
      details: { outcome: 'not-sent' },
    });
  });

  it('is handed out when it stands', async () => {
    const socket = new PassThrough();
    const shell = guardedShell(shellWith(socket), { guard: () => guard, enrol: turn });
    expect(await shell.connectUnix('/run/x')).toBe(socket);
    expect(socket.destroyed).toBe(false);
  });

  it('is closed when the claim is another’s', async () => {
    const socket = new PassThrough();
    const enrol = (): Promise<void> => Promise.reject(new Error('another owner'));
    const shell = guardedShell(shellWith(socket), { guard: () => guard, enrol });
    await expect(shell.connectUnix('/run/x')).rejects.toThrow('another owner');
    expect(socket.destroyed).toBe(true);
  });
});
