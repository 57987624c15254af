import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { attachPipe, type Terminal } from '../../../src/commands/support/attach-console.ts';
import type { ConsoleChannel, ConsoleItem } from '../../../src/messages/console.ts';

/** A guest that colours a word and asks the terminal what it is. */
class Guest implements ConsoleChannel {
  async *read(): AsyncGenerator<ConsoleItem> {
    yield { kind: 'output', bytes: Buffer.from('\x1b[31mred\x1b[0m\x1b[c\r\n') };
    yield { kind: 'ended', reason: 'guest-stopped', message: 'the guest has stopped' };
  }

  write(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

it.each([
  ['a terminal', true, 'red\n'],
  ['a file', false, '\x1b[31mred\x1b[0m\x1b[c\r\n'],
])('what a guest prints to %s while its input is a pipe', async (_what, isTTY, printed) => {
  const stdout = Object.assign(new PassThrough(), { isTTY });
  const terminal = { stdin: new PassThrough(), stdout, stderr: new PassThrough() } as unknown as Terminal;
  const options = { lingerMs: 0, clock: new SystemClock(), signal: new AbortController().signal };
  expect(await attachPipe(new Guest(), terminal, options)).toMatchObject({ kind: 'ended', reason: 'guest-stopped' });
  expect(String(stdout.read())).toBe(printed);
});
