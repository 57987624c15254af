import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { until } from './until.ts';

/** More than the slowest test file takes. */
const TURN_MS = 15 * 60_000;

async function listen(name: string): Promise<Server | undefined> {
  const server = createServer();
  try {
    // In the abstract namespace: no file is left, and the kernel frees the name with whoever has it.
    await once(server.listen(`\0${name}`), 'listening');
    return server.unref();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

/** Waits until nobody on this machine has the turn of that name. It is over with close(), or with the process. */
export function takeTurn(name: string): Promise<Server> {
  return until(() => listen(name), { what: `nobody has the turn ${name}`, timeoutMs: TURN_MS });
}
