import { CloudError } from '../../../base/errors.ts';
import type { HostShell, ShellGuard } from '../../../ports/host-shell.ts';

/**
 * The shell as drivers get it: while `guard` says so, every command and every file that it writes needs the claim on the host, and a connection to a
 * socket is handed out after `enrol` has compared the claim (what then goes through it is not compared again: the next owner cuts it). What only
 * reads files is not guarded.
 */
export function guardedShell(
  shell: HostShell,
  parts: { guard: () => ShellGuard | undefined; enrol: (guard: ShellGuard) => Promise<void> },
): HostShell {
  const { guard, enrol } = parts;
  const { forwardIn } = shell;
  const enrolNow = async (): Promise<void> => {
    const now = guard();
    if (now !== undefined) await enrol(now);
  };
  return {
    name: shell.name,
    exec: (argv, options = {}) => shell.exec(argv, { ...options, guard: guard() }),
    readFile: (path, options) => shell.readFile(path, options),
    writeFile: (path, body, options = {}) => shell.writeFile(path, body, { ...options, guard: guard() }),
    upload: (path, body, options) => shell.upload(path, body, { ...options, guard: guard() }),
    download: (path) => shell.download(path),
    async connectUnix(path) {
      const socket = await shell.connectUnix(path);
      let broken: Error | undefined;
      const onError = (error: Error): void => void (broken ??= error);
      // Nobody else listens yet: without us a connection that is lost now would end the process, and later nobody would hear of it.
      socket.on('error', onError);
      try {
        // After it is open: only then is it certain which connection to the host carries it.
        await enrolNow();
        if (broken !== undefined || socket.destroyed || socket.readableEnded) {
          throw new CloudError('Unavailable', `${shell.name}: the connection to ${path} was lost before it was used`, {
            cause: broken,
            details: { outcome: 'not-sent' },
          });
        }
        return socket;
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    ...(forwardIn === undefined
      ? {}
      : {
          forwardIn: async (port, onConnection) => {
            const forward = await forwardIn.call(shell, port, onConnection);
            await enrolNow().catch(async (error: unknown) => {
              await forward.close();
              throw error;
            });
            return forward;
          },
        }),
    close: () => shell.close(),
  };
}
