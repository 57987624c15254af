import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { CloudClient } from '../../../../src/client/cloud-client.ts';
import { HttpsClient } from '../../../../src/client/https-client.ts';
import { SocketClient } from '../../../../src/client/socket-client.ts';
import { AdminServer } from '../../../../src/controller/api/admin/admin-server.ts';
import { InProcessClient } from '../../../../src/launch/in-process-client.ts';
import type { ConsoleChannel, ConsoleItem } from '../../../../src/messages/console.ts';
import { HttpsCloud } from '../../../support/https-cloud.ts';
import { ADMIN, STRANGER } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

const clock = new SystemClock();
const random = new SystemRandom();
let cloud: HttpsCloud;
let server: AdminServer;
let socketPath: string;
const opened: ConsoleChannel[] = [];

beforeAll(async () => {
  cloud = await HttpsCloud.start();
  const { gateway, blobs } = cloud.sim.cloud;
  socketPath = join(cloud.dir, 'run', 'admin.sock');
  server = new AdminServer({ gateway, blobs, clock, random, logger: silentLogger, socketPath });
  await server.start();
});
afterAll(async () => {
  await server.close();
  await cloud.close();
});
afterEach(async () => {
  for (const channel of opened.splice(0)) await channel.close();
});

async function started(): Promise<string> {
  const { instances } = await cloud.sim.run();
  const id = instances[0]?.instanceId ?? '';
  await cloud.sim.settled('running', [id]);
  return id;
}

async function open(client: CloudClient, InstanceId: string, Force = false): Promise<ConsoleChannel> {
  const channel = await client.duplex('OpenConsole', { InstanceId, Force });
  opened.push(channel);
  return channel;
}

async function collect(
  channel: ConsoleChannel,
  mark: string,
): Promise<{ text: string; last: ConsoleItem | undefined }> {
  let text = '';
  let last: ConsoleItem | undefined;
  for await (const item of channel.read()) {
    last = item;
    if (item.kind === 'output') text += Buffer.from(item.bytes).toString();
    if (text.includes(mark)) break;
  }
  return { text, last };
}

const EDGES: readonly [string, () => CloudClient][] = [
  ['the socket', () => new SocketClient({ socketPath, clock })],
  [
    'TLS with signatures',
    () => new HttpsClient({ url: cloud.url, ca: cloud.ca, key: cloud.key, region: 'nova', clock }),
  ],
  [
    'the same process',
    () => {
      const { gateway, blobs } = cloud.sim.cloud;
      return new InProcessClient({ gateway, blobs, random, principal: ADMIN.principal });
    },
  ],
];

describe.each(EDGES)('[sim] a console over %s', (_name, make) => {
  it('echoes, is freed by close, and can be opened again', async () => {
    const id = await started();
    for (const word of ['first', 'second']) {
      const channel = await open(make(), id);
      await channel.write(Buffer.from(`${word}\r`));
      expect((await collect(channel, '\n')).text).toBe(`${word}\r\n`);
      await channel.close();
    }
  });

  it('is refused while another has it, and taken over by force', async () => {
    const id = await started();
    const first = await open(make(), id);
    await expect(open(make(), id)).rejects.toMatchObject({ code: 'Conflict' });
    await open(make(), id, true);
    expect((await collect(first, 'never')).last).toMatchObject({ kind: 'ended', reason: 'taken-over' });
  });

  it('ends when the guest powers off, and is refused after', async () => {
    const id = await started();
    const channel = await open(make(), id);
    cloud.sim.world.host('node1').guestPowersOff(id);
    expect((await collect(channel, 'never')).last).toMatchObject({ kind: 'ended', reason: 'guest-stopped' });
    await expect(open(make(), id)).rejects.toMatchObject({ code: 'IncorrectInstanceState' });
  });

  it('ends when the host is lost', async () => {
    const id = await started();
    const channel = await open(make(), id);
    const host = cloud.sim.world.host('node1');
    host.disconnect();
    expect((await collect(channel, 'never')).last).toMatchObject({ kind: 'ended', reason: 'host-lost' });
    host.reconnect();
    const isUp = (): boolean => cloud.sim.cloud.context.observations.host(hostId)?.up === true;
    const hostId = cloud.sim.record(id).hostId;
    await until(isUp, { what: 'the host is up again', everyMs: 5 });
  });

  it('refuses what is wrong before anything is opened', async () => {
    await expect(open(make(), 'i-00000000000000000')).rejects.toMatchObject({ code: 'InvalidInstanceID.NotFound' });
    await expect(make().duplex('OpenConsole', { InstanceId: 'x' })).rejects.toMatchObject({ status: 400 });
  });

  it('carries a megabyte each way, whole', async () => {
    const id = await started();
    const channel = await open(make(), id);
    const text = Array.from({ length: 16_384 }, (_, index) => String(index).padStart(63, '.') + '\n').join('') + 'END';
    const reading = collect(channel, 'END');
    for (let at = 0; at < text.length; at += 10_000) await channel.write(Buffer.from(text.slice(at, at + 10_000)));
    expect((await reading).text).toBe(text);
  });
});

describe('[sim] the log as a stream', () => {
  it('gives its end, then what comes, and goes on at a cursor', async () => {
    const id = await started();
    const { consoles } = cloud.sim.world.host('node1');
    const client = new SocketClient({ socketPath, clock });
    let cursor = '';
    const seen: string[] = [];
    for await (const item of client.stream('WatchConsole', { InstanceId: id, TailBytes: 7 })) {
      if (item.kind === 'ended') break;
      cursor = item.cursor;
      seen.push(item.kind === 'output' ? Buffer.from(item.output, 'base64').toString() : item.kind);
      if (item.kind === 'caught-up') consoles.set(id, `${consoles.get(id) ?? ''}more\n`);
      if (seen.at(-1) === 'more\n') break;
    }
    expect(seen).toEqual(['boot 1\n', 'caught-up', 'more\n']);
    consoles.set(id, `${consoles.get(id) ?? ''}while away\n`);
    for await (const item of client.stream('WatchConsole', { InstanceId: id, Cursor: cursor, Follow: false })) {
      if (item.kind === 'output') expect(Buffer.from(item.output, 'base64').toString()).toBe('while away\n');
    }
  });

  it('ends when the instance is terminated', async () => {
    const id = await started();
    const client = new SocketClient({ socketPath, clock });
    let last: unknown;
    for await (const item of client.stream('WatchConsole', { InstanceId: id })) {
      last = item;
      if (item.kind === 'caught-up') await cloud.sim.call('TerminateInstances', { InstanceIds: [id] });
    }
    expect(last).toMatchObject({ kind: 'ended', reason: expect.stringContaining('terminated') });
  }, 30_000);
});

describe('[sim] who may', () => {
  it('a stranger finds neither console nor log, and who opened one is in the log of the cloud', async () => {
    const id = await started();
    const { gateway } = cloud.sim.cloud;
    await expect(gateway.duplex('OpenConsole', { InstanceId: id }, STRANGER)).rejects.toMatchObject({
      code: 'InvalidInstanceID.NotFound',
    });
    const stream = gateway.stream('WatchConsole', { InstanceId: id }, STRANGER, new AbortController().signal);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'InvalidInstanceID.NotFound' });
  });
});

/** What the server answers to a request by hand. */
async function raw(head: string, after = ''): Promise<string> {
  const socket = connect(socketPath);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(`${head.replaceAll('\n', '\r\n')}\r\n\r\n${after}`);
  await until(() => text.includes('\r\n\r\n'), { what: 'an answer came' });
  socket.destroy();
  return text;
}

describe('[sim] an upgrade that is wrong', () => {
  const upgrade = 'Host: x\nConnection: Upgrade\nUpgrade: novactl-console';
  it.each([
    ['another protocol', 'POST /v1/OpenConsole HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket', '400'],
    ['another method', `GET /v1/OpenConsole HTTP/1.1\n${upgrade}`, '400'],
    ['a body', `POST /v1/OpenConsole HTTP/1.1\n${upgrade}\nContent-Length: 2`, '400'],
    ['input that is no JSON', `POST /v1/OpenConsole?input=%7B HTTP/1.1\n${upgrade}`, '400'],
    ['no input', `POST /v1/OpenConsole HTTP/1.1\n${upgrade}`, '400'],
    ['an operation that is none', `POST /v1/Nothing?input=%7B%7D HTTP/1.1\n${upgrade}`, '400'],
    ['an operation of another kind', `POST /v1/DescribeHosts?input=%7B%7D HTTP/1.1\n${upgrade}`, '400'],
  ])('%s is refused with an error', async (_what, head, status) => {
    const answer = await raw(head, head.includes('Content-Length') ? '{}' : '');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toHaveProperty('error.code');
  });

  it('frames that are none end the connection, and the console is free', async () => {
    const id = await started();
    const input = encodeURIComponent(JSON.stringify({ InstanceId: id }));
    const answer = await raw(`POST /v1/OpenConsole?input=${input} HTTP/1.1\n${upgrade}`, '\xff\xff\xff\xff\xff');
    expect(answer).toMatch(/^HTTP\/1.1 101 /);
    const client = new SocketClient({ socketPath, clock });
    await until(
      () =>
        open(client, id).then(
          () => true,
          () => false,
        ),
      { what: 'the console is free' },
    );
  });
});
