import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { stdinPieces } from '../../../src/commands/support/stdin.ts';

async function readAll(stdin: PassThrough, signal: AbortSignal): Promise<string> {
  let all = '';
  for await (const piece of stdinPieces({ stdin, signal })) all += String(piece);
  return all;
}

describe('what comes on stdin', () => {
  it('is read to its end', async () => {
    const stdin = new PassThrough();
    stdin.write('one ');
    stdin.end('two');
    expect(await readAll(stdin, new AbortController().signal)).toBe('one two');
  });

  it('is not waited for after an interrupt, before it or while nothing comes', async () => {
    const reason = new Error('interrupted');
    await expect(readAll(new PassThrough(), AbortSignal.abort(reason))).rejects.toBe(reason);
    const aborter = new AbortController();
    const stdin = new PassThrough();
    stdin.write('one');
    const reading = readAll(stdin, aborter.signal);
    aborter.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it('that breaks off is told as such', async () => {
    const stdin = new PassThrough();
    const reading = readAll(stdin, new AbortController().signal);
    stdin.destroy(new Error('read ECONNRESET'));
    await expect(reading).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/stdin.*read ECONNRESET/) as unknown,
    });
  });
});
