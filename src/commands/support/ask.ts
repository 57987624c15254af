import { createInterface } from 'node:readline/promises';
import type { Io } from './io.ts';

/** `y` or `yes` at the terminal is yes, all else is no. The question goes to stderr. */
export async function askYesNo(io: Io, question: string): Promise<boolean> {
  io.stderr.write(`${question} [y/N] `);
  const lines = createInterface({ input: io.stdin, terminal: false });
  try {
    const abort = new Promise<string>((_resolve, reject) => {
      io.signal.addEventListener('abort', () => reject(io.signal.reason as Error), { once: true });
    });
    const line = new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
    return /^y(es)?$/i.test((await Promise.race([line, abort])).trim());
  } finally {
    lines.close();
  }
}
