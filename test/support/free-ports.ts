import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** Below those that the kernel gives to connections (ip_local_port_range): there a port would be taken by somebody's connection before it is listened at. */
const [LOWEST, BEHIND] = [10_000, 32_768];
const TRIES = 50;

async function hold(): Promise<Server> {
  for (let tries = 1; ; tries += 1) {
    const server = createServer();
    try {
      await once(server.listen(randomInt(LOWEST, BEHIND), '127.0.0.1'), 'listening');
      return server;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/** Loopback ports that nobody listens on. All are held until the last is known, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, hold));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
  return ports;
}
