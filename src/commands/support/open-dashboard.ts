import type { Clock } from '../../base/clock.ts';
import { cutMark, wantsColor } from '../../views/paint.ts';
import { runDashboard } from '../../views/dashboard/run-dashboard.tsx';
import { endWithParent } from './end-with-parent.ts';
import { followConsoleLog } from './follow-console-log.ts';
import type { Session } from './session.ts';

/** ssh says why it failed, and the dashboard would draw over it. */
const SSH = `trap : INT; "$@"; code=$?; [ $code -eq 0 ] || { printf 'ended with %s; press Enter to go back ' $code; read -r _; }`;

const LATE_MS = 100;
const LOG_BYTES = 64 * 1024;

/** Ctrl-c is meant for the program that has the terminal now. */
async function withoutInterrupts(clock: Clock, run: () => Promise<unknown>): Promise<void> {
  const listeners = process.listeners('SIGINT');
  const nothing = (): void => undefined;
  process.on('SIGINT', nothing);
  for (const listener of listeners) process.off('SIGINT', listener);
  try {
    await run();
  } finally {
    // The ctrl-c that ended it may reach us after its end.
    await clock.sleep(LATE_MS);
    for (const listener of listeners) process.on('SIGINT', listener);
    process.off('SIGINT', nothing);
  }
}

async function* logBytes(session: Session, id: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const event of followConsoleLog(session, id, { tailBytes: LOG_BYTES, follow: true, signal })) {
    if (event.kind === 'bytes') yield event.bytes;
  }
}

export async function openDashboard(
  session: Session,
  options: { readonly readOnly: boolean; readonly stdin: NodeJS.ReadStream; readonly stdout: NodeJS.WriteStream },
): Promise<void> {
  const { io, flags } = session;
  const { env } = io;
  const color = wantsColor({ isTty: true, env, noColor: flags['no-color'] });
  const same = [
    ...(flags.config === undefined ? [] : ['--config', flags.config]),
    ...(flags.context === undefined ? [] : ['--context', flags.context]),
    ...(session.project === undefined ? [] : ['--project', session.project]),
    ...(flags.set ?? []).flatMap((word) => ['--set', word]),
  ];
  const parent = endWithParent(io.clock);
  const running = runDashboard({
    ...options,
    clock: io.clock,
    signal: AbortSignal.any([io.signal, parent.signal]),
    style: { color, cutMark: cutMark(env) },
    port: {
      feed: (signal) => session.watch('WatchCloud', {}, signal),
      log: (id, signal) => logBytes(session, id, signal),
      terminate: async (id) => (await session.change('TerminateInstances', { InstanceIds: [id] })).operationId,
      ssh: (id) =>
        withoutInterrupts(io.clock, () => io.exec('sh', ['-c', SSH, 'sh', ...io.self, 'instance', 'ssh', id, ...same])),
    },
  });
  try {
    await running;
  } catch (error) {
    // The terminal belongs to the shell again, so that what else went wrong at the end is no news.
    throw parent.signal.aborted ? parent.signal.reason : error;
  } finally {
    parent.stop();
  }
}
