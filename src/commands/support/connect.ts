import type { CloudClient } from '../../client/cloud-client.ts';
import type { Output } from '../../views/output.ts';
import { chosenCloud, type CloudContext } from './contexts.ts';
import { socketPathIn, type CloudDirs } from './dirs.ts';
import type { Io } from './io.ts';
import { warnOnce } from './stale-warning.ts';
import { settings, type GlobalFlags } from './global-flags.ts';

export interface ConnectOptions {
  readonly io: Io;
  readonly output: Output;
  readonly flags: GlobalFlags;
  readonly dirs: CloudDirs;
  readonly version: string;
  /** The words of the command without its flags, for those who wait for it. */
  readonly command: string;
  /** To work in; undefined: the caller's own. */
  readonly project?: string | undefined;
}

/** How long a change waits for others and for its own work, where the command has no --timeout. */
const TIMEOUT_MS = 600_000;

/** The cloud elsewhere that the context says; undefined: this machine. */
export function cloudElsewhere({ io, flags }: Pick<ConnectOptions, 'io' | 'flags'>): Promise<CloudContext | undefined> {
  return chosenCloud({ env: io.env, context: flags.context, set: settings(flags.set) });
}

/** The daemon of this machine alone. */
export async function connectDaemon({ io, output, dirs, project }: ConnectOptions): Promise<CloudClient> {
  const { SocketClient } = await import('../../client/socket-client.ts');
  return new SocketClient({
    socketPath: socketPathIn(dirs),
    clock: io.clock,
    sudoUser: io.env['SUDO_USER'],
    project,
    onStale: warnOnce(output),
    onRequest: ({ name, status, tookMs }) => output.detail(`${name}: ${status} in ${tookMs.toFixed(1)} ms`),
  });
}

/** The cloud that a command works with: the one of the context, else the daemon where one answers at the socket, else this process. */
export async function connect(options: ConnectOptions): Promise<CloudClient> {
  const elsewhere = await cloudElsewhere(options);
  if (elsewhere !== undefined) {
    return (await import('./https-client-of.ts')).httpsClientOf(elsewhere, options.io, options.output, options.project);
  }
  const [daemon, { LocalClient }] = await Promise.all([connectDaemon(options), import('../../client/local-client.ts')]);
  const socketPath = socketPathIn(options.dirs);
  const daemonAnswers = async (): Promise<boolean> =>
    (await import('../../client/socket-answers.ts')).socketAnswers(socketPath);
  return new LocalClient({ daemon, daemonAnswers, embedded: () => openEmbedded(options, daemonAnswers) });
}

/** Loaded only where no daemon answers: it is the whole cloud. */
async function openEmbedded(
  { io, output, flags, version, command, project }: ConnectOptions,
  daemonAnswers: () => Promise<boolean>,
): Promise<CloudClient> {
  const [{ loadWholeConfig }, { openEmbeddedCloud }] = await Promise.all([
    import('./load-config.ts'),
    import('../../launch/embedded/open-embedded-cloud.ts'),
  ]);
  const { config, warnings } = await loadWholeConfig(io, flags);
  for (const warning of warnings) output.warn(warning);
  output.detail('no daemon answers; this process does it itself');
  return openEmbeddedCloud({
    config,
    version,
    clock: io.clock,
    command,
    project,
    sudoUser: io.env['SUDO_USER'],
    noWaitLock: flags['no-wait-lock'] === true,
    timeoutMs: flags.timeout ?? TIMEOUT_MS,
    signal: io.signal,
    say: (text) => output.message(text),
    log: (line) => output.detail(line),
    progress: (text) => output.progress(text),
    daemonAnswers,
  });
}
