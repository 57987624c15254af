import type { Clock } from '../../base/clock.ts';
import type { ConsoleChannel, ConsoleEnd } from '../../messages/console.ts';
import { plainText } from '../../views/text.ts';
import { splitTyped, type ConsoleKeys } from './console-keys.ts';
import { TerminalAftercare } from './terminal-aftercare.ts';

/** Of a paste that the guest does not take; more is dropped, with a bell. */
const TYPED_MAX_BYTES = 1024 * 1024;
/** How long a terminal has to answer what the guest asked it, when the console is left. */
const ANSWERS_MS = 300;
const LOOK_MS = 10;

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export type ConsoleOutcome = { readonly kind: 'detached' } | ({ readonly kind: 'ended' } & ConsoleEnd);

async function print(stdout: NodeJS.WriteStream, bytes: Uint8Array | string): Promise<void> {
  if (stdout.write(bytes)) return;
  await new Promise<void>((resolve) => stdout.once('drain', resolve));
}

/** Prints until the console ends; undefined when it was closed here. */
async function output(
  channel: ConsoleChannel,
  { stdout, stderr }: Terminal,
  options: {
    readonly seen?: (bytes: Uint8Array) => void;
    readonly signal?: AbortSignal;
    /** Leaves out what would steer the terminal. */
    readonly plain?: boolean;
  } = {},
): Promise<ConsoleEnd | undefined> {
  const { seen, signal, plain = false } = options;
  const decoder = new TextDecoder();
  for await (const item of channel.read()) {
    if (signal?.aborted === true) return undefined;
    if (item.kind === 'ended') return { reason: item.reason, message: item.message };
    if (item.kind === 'skipped') stderr.write(`\r\n[${item.byteCount} bytes came too fast; they are in the log]\r\n`);
    else {
      seen?.(item.bytes);
      await print(stdout, plain ? plainText(decoder.decode(item.bytes, { stream: true })) : item.bytes);
    }
  }
  return undefined;
}

/** What a shell on the serial line has to be told, since the line has no way to say it. */
const sizeCommand = ({ rows, columns }: NodeJS.WriteStream): string => ` stty rows ${rows} columns ${columns}\r`;

/** Keys to the console, from a terminal in raw mode; `heard` gets them all. Resolves at the detach key. */
function typing(
  channel: ConsoleChannel,
  { stdin, stdout }: Terminal,
  keys: ConsoleKeys,
  heard: (bytes: Buffer) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let waiting = 0;
    let left = false;
    const send = (bytes: Buffer): void => {
      if (waiting + bytes.length > TYPED_MAX_BYTES) {
        stdout.write('\x07');
        return;
      }
      waiting += bytes.length;
      void channel.write(bytes).finally(() => (waiting -= bytes.length));
    };
    // The keyboard is always read: who waits for a guest that takes nothing must be able to leave.
    stdin.on('data', (chunk: Buffer) => {
      heard(chunk);
      if (left) return;
      for (const typed of splitTyped(chunk, keys)) {
        if (typed.kind === 'detach') left = true;
        else send(typed.kind === 'size' ? Buffer.from(sizeCommand(stdout)) : typed.bytes);
      }
      if (left) resolve();
    });
    stdin.once('end', () => resolve());
  });
}

/** One person's terminal and a console, until the detach key or the console's end. The terminal is given back whatever happens. */
export async function attachTerminal(
  channel: ConsoleChannel,
  terminal: Terminal,
  options: { readonly keys: ConsoleKeys; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ConsoleOutcome> {
  const { stdin, stdout } = terminal;
  const { signal, keys, clock } = options;
  const aftercare = new TerminalAftercare();
  const leaving = new AbortController();
  stdin.setRawMode(true);
  try {
    const ended = output(channel, terminal, { seen: (bytes) => aftercare.see(bytes), signal: leaving.signal });
    const detached = typing(channel, terminal, keys, (bytes) => aftercare.hear(bytes));
    const how = await Promise.race([ended, detached.then(() => 'detached' as const), aborted(signal)]);
    leaving.abort();
    signal.throwIfAborted();
    return how === undefined || how === 'detached' ? { kind: 'detached' } : { kind: 'ended', ...how };
  } finally {
    leaving.abort();
    await channel.close();
    // What the terminal still answers to the guest's questions must not reach the shell.
    for (let waited = 0; aftercare.owed && waited < ANSWERS_MS; waited += LOOK_MS) await clock.sleep(LOOK_MS);
    stdin.removeAllListeners('data');
    stdin.setRawMode(false);
    stdin.pause();
    stdout.write(`${aftercare.restore()}\r\n`);
  }
}

/** Input that is no terminal: it is sent, and what comes until lingerMs after its end is printed. */
export async function attachPipe(
  channel: ConsoleChannel,
  terminal: Terminal,
  options: { readonly lingerMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ConsoleOutcome> {
  const { lingerMs, clock, signal } = options;
  const sent = async (): Promise<'detached'> => {
    for await (const chunk of terminal.stdin as AsyncIterable<Buffer>) await channel.write(chunk);
    await clock.sleep(lingerMs, signal);
    return 'detached';
  };
  try {
    // Nobody here takes what a terminal would answer to the guest: the shell would get it, as if it were typed.
    const ended = output(channel, terminal, { plain: terminal.stdout.isTTY });
    const how = await Promise.race([ended, sent(), aborted(signal)]);
    signal.throwIfAborted();
    return how === undefined || how === 'detached' ? { kind: 'detached' } : { kind: 'ended', ...how };
  } finally {
    terminal.stdin.destroy();
    await channel.close();
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
