import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import { cloudClientContract } from '../../contract/cloud-client.ts';
import { FakeCloud, type FakeBackend } from '../../support/fake-cloud.ts';

/** Does not wait between tries. */
class HastyClock extends SystemClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}
const clock = new HastyClock();

cloudClientContract('socket', async (backend) => {
  const cloud = await FakeCloud.start(backend);
  const client = new SocketClient({ socketPath: cloud.socketPath, clock });
  return { client, close: () => cloud.close() };
});

const backend: FakeBackend = {
  unary: () => ({ instances: [], operationId: 'op-0123456789abcdef0' }),
  stream: async function* () {
    yield await Promise.resolve({});
  },
};
const STOP = { InstanceIds: ['i-0123456789abcdef0'] };

const clean: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const run of clean.splice(0)) await run();
});

async function open(): Promise<{ cloud: FakeCloud; client: SocketClient }> {
  const cloud = await FakeCloud.start(backend);
  clean.push(() => cloud.close());
  return { cloud, client: new SocketClient({ socketPath: cloud.socketPath, clock, sudoUser: 'ann' }) };
}

describe('a connection that breaks', () => {
  it('is tried again with the same token', async () => {
    const { cloud, client } = await open();
    cloud.cutNext = 2;
    await client.call('StopInstances', STOP, { clientToken: 'one' });
    expect(cloud.calls.map(({ clientToken, sudoUser }) => [clientToken, sudoUser])).toEqual([
      ['one', 'ann'],
      ['one', 'ann'],
      ['one', 'ann'],
    ]);
  });

  it('is never tried again for a change without a token', async () => {
    const { cloud, client } = await open();
    cloud.cutNext = 1;
    await expect(client.call('StopInstances', STOP)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(cloud.calls).toHaveLength(1);
  });

  it('is given up after some tries, saying that the outcome is unknown', async () => {
    const { cloud, client } = await open();
    cloud.cutNext = 100;
    const refused = client.call('StopInstances', STOP, { clientToken: 'one' });
    await expect(refused).rejects.toThrow(/whether it was done is not known, novactl op list says so/);
    expect(cloud.calls).toHaveLength(4);
  });
});

describe('what is not there or not novactl', () => {
  it('says that no cloud runs and how to start one', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'novactl-none-'));
    clean.push(() => rm(dir, { recursive: true }));
    const client = new SocketClient({ socketPath: join(dir, 'novactl.sock'), clock });
    const error = await client.call('DescribeCloud', {}).catch((caught: unknown) => caught as CloudError);
    expect(error).toBeInstanceOf(CloudError);
    expect(error).toMatchObject({ code: 'Unavailable' });
    expect((error as CloudError).message).toContain('no cloud is running here');
    expect((error as CloudError).message).toContain('novactl up');
  });

  it('refuses an answer that is not JSON', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'novactl-odd-'));
    const server = createServer((_request, response) => response.end('<html>'));
    const socketPath = join(dir, 'novactl.sock');
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    clean.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(dir, { recursive: true });
    });
    const client = new SocketClient({ socketPath, clock });
    await expect(client.call('DescribeCloud', {})).rejects.toThrow(/answered 200 with what is not JSON/);
  });

  it('gives up waiting after the time asked for', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'novactl-slow-'));
    const server = createServer(() => undefined);
    const socketPath = join(dir, 'novactl.sock');
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    clean.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(dir, { recursive: true });
    });
    const client = new SocketClient({ socketPath, clock });
    await expect(client.call('DescribeCloud', {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'Timeout' });
  });
});
