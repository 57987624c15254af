import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { withLog, withLogProblem } from './feed.ts';
import type { DashboardModel } from './model.ts';
import { screenOf } from './state.ts';

/** After a stream that ended or failed. */
const AGAIN_MS = 2000;

interface Logs {
  log(id: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** While a log is on the screen, what the guest prints goes into the model. Answers how to stop. */
export function followLog(model: DashboardModel, port: Logs, clock: Clock, signal: AbortSignal): () => void {
  let shown: AbortController | undefined;
  const check = (): void => {
    const screen = screenOf(model.state);
    const id = screen.kind === 'log' ? screen.id : undefined;
    const state = id === undefined ? undefined : model.state;
    if (id === undefined) {
      shown?.abort();
      shown = undefined;
    }
    // `log` is emptied when the screen is opened, so that it is read from its last part again.
    else if (shown === undefined || state?.log === undefined) {
      shown?.abort();
      shown = new AbortController();
      model.update((before) => ({ ...before, log: { id, lines: [] } }));
      void read(model, port, clock, AbortSignal.any([signal, shown.signal]), id);
    }
  };
  const unsubscribe = model.subscribe(check);
  return () => {
    unsubscribe();
    shown?.abort();
  };
}

async function read(model: DashboardModel, port: Logs, clock: Clock, signal: AbortSignal, id: string): Promise<void> {
  for (let first = true; !signal.aborted; first = false) {
    const decoder = new TextDecoder();
    // Opened anew it begins with its last part again.
    if (!first) model.update((state) => ({ ...state, log: { id, lines: [] } }));
    try {
      for await (const bytes of port.log(id, signal)) {
        if (signal.aborted) return;
        const text = decoder.decode(bytes, { stream: true });
        model.update((state) => withLog(state, id, text));
      }
    } catch (error) {
      if (!signal.aborted) model.update((state) => withLogProblem(state, id, errorText(error)));
    }
    await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
  }
}
