import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CloudError } from '../../base/errors.ts';
import { Interrupted, type Io } from './io.ts';

export interface Dialogue {
  /** A line, without blanks around it. */
  ask(question: string): Promise<string>;
  /** A line that is not shown while it is typed. */
  askSecret(question: string): Promise<string>;
}

/**
 * Questions to the person at the terminal, one after the other. They go to stderr. Ends with an Interrupted on ctrl-c, and with 'MissingParameter' when the
 * input ends.
 */
export async function dialogue<T>(io: Io, run: (with_: Dialogue) => Promise<T>): Promise<T> {
  const isTty = 'isTTY' in io.stdin && io.stdin.isTTY === true;
  let hidden = false;
  const screen = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!hidden) io.stderr.write(chunk.toString('utf8'));
      done();
    },
  });
  // At a terminal readline is who echoes, so that it can be kept from it.
  // Nothing is remembered: the arrow up would show what was typed hidden.
  const lines = createInterface({ input: io.stdin, output: screen, terminal: isTty, historySize: 0 });
  const typed: string[] = [];
  let wake: (() => void) | undefined;
  let end: Error | undefined;
  const stop = (reason: Error): void => {
    end ??= reason;
    wake?.();
  };
  lines.on('line', (line) => {
    typed.push(line);
    wake?.();
  });
  lines.on('SIGINT', () => stop(new Interrupted('interrupted')));
  lines.on('close', () => stop(new CloudError('MissingParameter', 'the input ended before all was answered')));
  const abort = (): void => stop(io.signal.reason as Error);
  io.signal.addEventListener('abort', abort, { once: true });
  const next = async (): Promise<string> => {
    while (typed.length === 0 && end === undefined) await new Promise<void>((resolve) => (wake = resolve));
    const line = typed.shift();
    if (line === undefined) throw end ?? new Interrupted('interrupted');
    return line;
  };
  let asks = false;
  const question = (text: string): void => {
    asks = true;
    lines.setPrompt(text);
    lines.prompt();
  };
  /** Readline is who ends the line at Enter, when it shows it; else the next text begins on a line of its own by this. */
  const endLine = (): void => {
    if (isTty && asks) io.stderr.write('\n');
    asks = false;
  };
  try {
    return await run({
      async ask(text) {
        question(text);
        const line = await next();
        asks = false;
        return line.trim();
      },
      async askSecret(text) {
        question(text);
        hidden = true;
        try {
          return await next();
        } finally {
          hidden = false;
          endLine();
        }
      },
    });
  } finally {
    endLine();
    io.signal.removeEventListener('abort', abort);
    lines.close();
  }
}
