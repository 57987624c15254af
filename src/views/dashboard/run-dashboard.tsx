import { render } from 'ink';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { DashboardScreen } from './dashboard-screen.tsx';
import { followFeed } from './follow-feed.ts';
import { followLog } from './follow-log.ts';
import type { LineStyle } from './line.ts';
import { DashboardModel } from './model.ts';
import type { Effect, FeedItem, Screen } from './state.ts';
import { dashboardState } from './state.ts';

/** What the dashboard asks of the cloud and of the terminal. */
export interface DashboardPort {
  feed(signal: AbortSignal): AsyncIterable<FeedItem>;
  /** A console log: its last part, and then what comes. */
  log(id: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Answers the operation's id. */
  terminate(id: string): Promise<string>;
  /** Runs ssh on this terminal to its end. */
  ssh(id: string): Promise<void>;
}

export interface DashboardOptions {
  readonly port: DashboardPort;
  readonly clock: Clock;
  /** Ends the dashboard; its reason is thrown. */
  readonly signal: AbortSignal;
  readonly style: LineStyle;
  readonly readOnly: boolean;
  readonly screen?: Screen;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

const MAX_FPS = 8;
/** The alternate screen, and its first cell: ink enters the screen too, and then draws from where the cursor was on the other one. */
const ENTER = '\x1b[?1049h\x1b[H';

/**
 * Ink has stopped listening, and Node goes on reading until its buffer is full: keys that are meant for ssh. A pause stops the reading itself, but only
 * of a stream that flows, and it does not as long as Node has not noticed that the listener is gone: that, and the stop, each take a turn of the loop.
 */
async function stopReading(stdin: NodeJS.ReadStream, clock: Clock): Promise<void> {
  await clock.sleep(0);
  stdin.resume();
  stdin.pause();
  await clock.sleep(0);
}

/**
 * Draws on the alternate screen until `q` or ctrl-c. However it ends, the terminal is as it was: ink gives it back on unmount, on signals and on exit,
 * and an error that nobody caught ends it from here. (Against SIGKILL: bin/terminal-guard.)
 */
export async function runDashboard(options: DashboardOptions): Promise<void> {
  const { port, clock, style, readOnly, screen, stdin, stdout } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  let lend: ((use: () => Promise<void>) => Promise<void>) | undefined;
  const size = { columns: stdout.columns, rows: stdout.rows };
  const model = new DashboardModel({
    state: dashboardState({ readOnly, ...size, ...(screen === undefined ? {} : { screen }) }),
    clock,
    style,
    onEffect: (effect) => void act(effect),
  });
  const say = (text: string, bad: boolean): void => model.update((state) => ({ ...state, notice: { text, bad } }));
  const ssh = async (id: string): Promise<void> => {
    await stopReading(stdin, clock);
    await port.ssh(id);
    stdout.write(ENTER);
  };
  const act = async (effect: Effect): Promise<void> => {
    try {
      if (effect.kind === 'quit') ending.abort();
      else if (effect.kind === 'ssh') await lend?.(() => ssh(effect.id));
      else say(`terminating ${effect.id} (${await port.terminate(effect.id)})`, false);
    } catch (error) {
      say(errorText(error), true);
    }
  };
  let thrown: unknown;
  const fail = (error: unknown): void => {
    thrown ??= error;
    ending.abort();
  };
  // Before the screen is taken: without a cloud there is a message, as of any other command.
  await followFeed(model, port, { clock, signal, denied: fail });
  stdout.write(ENTER);
  const app = render(<DashboardScreen model={model} onReady={(give) => (lend = give)} />, {
    stdin,
    stdout,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps: MAX_FPS,
  });
  const stopLog = followLog(model, port, clock, signal);
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  signal.addEventListener('abort', () => app.unmount(), { once: true });
  if (signal.aborted) app.unmount();
  try {
    await app.waitUntilExit();
  } finally {
    process.off('uncaughtException', fail);
    process.off('unhandledRejection', fail);
    ending.abort();
    stopLog();
    model.close();
  }
  if (thrown !== undefined) throw thrown;
  options.signal.throwIfAborted();
}
