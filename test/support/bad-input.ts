import { join } from 'node:path';
import { expect } from 'vitest';
import { SystemClock } from '../../src/base/clock.ts';
import { SocketClient } from '../../src/client/socket-client.ts';
import type { TestCloud } from './test-cloud.ts';

/** One kind of bad input and what the answer must be. */
export interface BadInput {
  readonly what: string;
  /** Words with one space between them; @NAME is a file of the test's own folder. */
  readonly argv: string;
  readonly exit: number;
  /** What the line must name. */
  readonly names: readonly RegExp[];
  readonly env?: Record<string, string>;
}

export const bad = (what: string, argv: string, exit: number, ...names: RegExp[]): BadInput => ({
  what,
  argv,
  exit,
  names,
});

export interface Refusal {
  readonly argv: readonly string[];
  readonly exit: number;
  readonly names: readonly RegExp[];
  readonly env: Record<string, string>;
}

/** Asked at the socket itself: it is asked twice for each refusal, and two more processes took most of the test's time. */
async function revision(cloud: TestCloud): Promise<number> {
  const socketPath = join(cloud.dir, 'run', 'novactl.sock');
  const client = new SocketClient({ socketPath, clock: new SystemClock() });
  try {
    return (await client.call('DescribeCloud', {})).store.rev;
  } finally {
    await client.close();
  }
}

/** One line on stderr that names all that it must, nothing on stdout, that exit code, no sign of a fault inside, and no record changed. */
export async function expectRefused(cloud: TestCloud, { argv, exit, names, env }: Refusal): Promise<void> {
  const before = await revision(cloud);
  const { code, stdout, stderr } = await cloud.with(env).cli(...argv);
  expect(code, stderr).toBe(exit);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^novactl: [^\n]+\n$/);
  expect(stderr).not.toMatch(/\bat .*\.(js|ts):\d+|undefined|\[object|a fault of novactl/);
  for (const name of names) expect(stderr).toMatch(name);
  expect(await revision(cloud)).toBe(before);
}
