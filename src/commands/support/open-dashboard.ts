import { cutMark, wantsColor } from '../../views/paint.ts';
import { runDashboard } from '../../views/dashboard/run-dashboard.tsx';
import { readConsole } from './console.ts';
import type { Session } from './session.ts';

/** ssh says why it failed, and the dashboard would draw over it. */
const SSH = `"$@"; code=$?; [ $code -eq 0 ] || { printf 'ended with %s; press Enter to go back ' $code; read -r _; }`;

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
    ...(flags.set ?? []).flatMap((word) => ['--set', word]),
  ];
  await runDashboard({
    ...options,
    clock: io.clock,
    signal: io.signal,
    style: { color, cutMark: cutMark(env) },
    port: {
      feed: (signal) => session.watch('WatchCloud', {}, signal),
      log: (id, fromByte) => readConsole(session, id, fromByte),
      terminate: async (id) => (await session.change('TerminateInstances', { InstanceIds: [id] })).operationId,
      ssh: async (id) => {
        await io.exec('sh', ['-c', SSH, 'sh', ...io.self, 'instance', 'ssh', id, ...same]);
      },
    },
  });
}
