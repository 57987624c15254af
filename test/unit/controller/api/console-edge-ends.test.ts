import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/base/clock.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { ConsoleEdge } from '../../../../src/controller/api/admin/console-edge.ts';
import type { CallMeta } from '../../../../src/controller/operations/handler.ts';
import type { ConsoleChannel, ConsoleItem } from '../../../../src/messages/console.ts';
import { encodeConsoleFrame } from '../../../../src/messages/console-frames.ts';
import { ADMIN } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

const HEAD =
  'POST /v1/OpenConsole?input=%7B%7D HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: novactl-console\r\n\r\n';
const ended: (() => void)[] = [];

afterEach(() => {
  for (const end of ended.splice(0)) end();
});

/** A guest that prints nothing and takes no input. */
class DeafChannel implements ConsoleChannel {
  closed = 0;
  written = 0;
  readonly #over = Promise.withResolvers<void>();

  async *read(): AsyncGenerator<ConsoleItem> {
    await this.#over.promise;
  }

  write(): Promise<void> {
    this.written += 1;
    return this.#over.promise;
  }

  close(): Promise<void> {
    this.closed += 1;
    this.#over.resolve();
    return Promise.resolve();
  }
}

async function listen(parts: {
  meta?: () => CallMeta;
  duplex: () => Promise<ConsoleChannel>;
}): Promise<{ edge: ConsoleEdge; server: Server; dial: () => Promise<{ socket: Socket; text: () => string }> }> {
  const { meta = () => ADMIN, duplex } = parts;
  const edge = new ConsoleEdge({ gateway: { duplex }, clock: new SystemClock(), logger: silentLogger, meta });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => edge.handle(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ended.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const dial = async (): Promise<{ socket: Socket; text: () => string }> => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    ended.push(() => socket.destroy());
    await once(socket, 'connect');
    socket.write(HEAD);
    return { socket, text: () => text };
  };
  return { edge, server, dial };
}

const connections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

it('who is refused can not keep the connection', async () => {
  const refusal = new CloudError('MissingAuthenticationToken', 'the request is not signed');
  const { server, dial } = await listen({
    meta: () => {
      throw refusal;
    },
    duplex: () => Promise.reject(refusal),
  });
  const { socket, text } = await dial();
  await until(() => text().includes('MissingAuthenticationToken'), { what: 'the refusal came' });
  expect(socket.writable).toBe(true);
  await until(async () => (await connections(server)) === 0, { what: 'the connection is gone', timeoutMs: 10_000 });
});

it('a console that is being opened ends with the server', async () => {
  const opening = Promise.withResolvers<ConsoleChannel>();
  let asked = false;
  const { edge, server, dial } = await listen({
    duplex: () => {
      asked = true;
      return opening.promise;
    },
  });
  await dial();
  await until(() => asked, { what: 'the console is being opened' });
  edge.close();
  await until(async () => (await connections(server)) === 0, { what: 'the connection is gone' });
  const channel = new DeafChannel();
  opening.resolve(channel);
  await until(() => channel.closed === 1, { what: 'what was opened too late is closed' });
});

it('a console whose guest takes no input is free when its client is gone', async () => {
  const channel = new DeafChannel();
  const { dial } = await listen({ duplex: () => Promise.resolve(channel) });
  const { socket, text } = await dial();
  await until(() => text().startsWith('HTTP/1.1 101 '), { what: 'the console is open' });
  socket.write(encodeConsoleFrame({ kind: 'data', bytes: Buffer.from('x') }));
  await until(() => channel.written === 1, { what: 'the input is on its way' });
  socket.resetAndDestroy();
  await until(() => channel.closed > 0, { what: 'the console is closed' });
  expect(channel.closed).toBe(1);
});
