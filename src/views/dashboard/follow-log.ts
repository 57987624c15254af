import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { withLog, withLogProblem } from './feed.ts';
import type { DashboardModel } from './model.ts';
import { screenOf } from './state.ts';

const PAUSE_MS = 1000;

interface Logs {
  log(id: string, fromByte: number | undefined): Promise<{ readonly bytes: Uint8Array; readonly nextByte: number }>;
}

/** While a log is on the screen, what the guest prints is read into the model. Answers how to stop. */
export function followLog(model: DashboardModel, port: Logs, clock: Clock, signal: AbortSignal): () => void {
  let shown: object | undefined;
  const check = (): void => {
    const screen = screenOf(model.state);
    const id = screen.kind === 'log' ? screen.id : undefined;
    const state = id === undefined ? undefined : model.state;
    if (id === undefined) shown = undefined;
    // `log` is emptied when the screen is opened, so that it is read from its last part again.
    else if (shown === undefined || state?.log === undefined) {
      const mine = {};
      shown = mine;
      model.update((before) => ({ ...before, log: { id, lines: [] } }));
      void read(model, port, clock, signal, id, () => shown === mine);
    }
  };
  return model.subscribe(check);
}

async function read(
  model: DashboardModel,
  port: Logs,
  clock: Clock,
  signal: AbortSignal,
  id: string,
  wanted: () => boolean,
): Promise<void> {
  const decoder = new TextDecoder();
  let fromByte: number | undefined;
  while (wanted() && !signal.aborted) {
    try {
      const part = await port.log(id, fromByte);
      if (!wanted() || signal.aborted) return;
      fromByte = part.nextByte;
      const text = decoder.decode(part.bytes, { stream: true });
      model.update((state) => withLog(state, id, text));
    } catch (error) {
      if (wanted() && !signal.aborted) model.update((state) => withLogProblem(state, id, errorText(error)));
    }
    await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
  }
}
