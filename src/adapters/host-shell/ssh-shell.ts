import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import {
  SHELL_LIMITS,
  type ExecOptions,
  type ExecResult,
  type HostShell,
  type RemoteForward,
} from '../../ports/host-shell.ts';
import { ChannelSocket } from './channel-socket.ts';
import { downloadInParts } from './download.ts';
import { refuseStale } from './guard-script.ts';
import { execSteps } from './remote-script.ts';
import { readRemote, uploadRemote, writeWhole } from './ssh-files.ts';
import { ReverseForwards } from './ssh-forwards.ts';
import { checkPin } from './ssh-host-key.ts';
import { SshLink } from './ssh-link.ts';
import { onConnection, runOnHost, type HostAccess } from './ssh-run.ts';
import { SSH_LIMITS, type SshEndpoint, type SshLimits, type SshTarget } from './ssh-target.ts';

export interface SshShellParts {
  readonly target: SshTarget;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What messages and logs call the host; default its address. */
  readonly name?: string;
  readonly limits?: Partial<SshLimits>;
}

/** A HostShell over SSH can also listen on the host. */
export type SshShell = HostShell & Required<Pick<HostShell, 'forwardIn'>>;

function checkEndpoint(endpoint: SshEndpoint): void {
  checkPin(endpoint.hostKey);
  if (!Number.isInteger(endpoint.port) || endpoint.port < 1 || endpoint.port > 65_535) {
    throw new CloudError('InvalidParameterValue', `SSH port ${endpoint.port}: 1 to 65535 is allowed`);
  }
  if (endpoint.host === '' || endpoint.user === '') {
    throw new CloudError('InvalidParameterValue', 'an SSH target needs a host and a user');
  }
  if (endpoint.jump !== undefined) checkEndpoint(endpoint.jump);
}

async function runArgv(access: HostAccess, argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { limits } = access;
  const timeoutMs = options.timeoutMs ?? SHELL_LIMITS.timeoutMs;
  const stdin = options.stdin === undefined ? undefined : Buffer.from(options.stdin);
  if (stdin !== undefined && stdin.length > limits.stdinBytes) {
    const sizes = `${stdin.length} bytes, ${limits.stdinBytes} are allowed`;
    throw new CloudError('InvalidParameterValue', `input of ${argv[0] ?? ''}: ${sizes}; upload a file instead`);
  }
  const backstopSeconds = Math.ceil((timeoutMs + limits.backstopMs) / 1000);
  const { exitCode, stdout, stderr } = await runOnHost(access, {
    what: argv[0] ?? '',
    steps: execSteps(argv, options.env, options.guard),
    input: { kind: 'watched', backstopSeconds, ...(stdin === undefined ? {} : { stdin }) },
    outputBytes: SHELL_LIMITS.outputBytes,
    signal: options.signal,
    drive: (run) => run.expectWithin(timeoutMs, `did not end within ${timeoutMs} ms`),
  });
  const result = { exitCode, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
  refuseStale(options.guard, access.target.host, result);
  return result;
}

/**
 * A host over one SSH connection, dialled when it is first needed and again when it is needed after a loss. Everything goes through it: commands
 * (RFC 4254 §6.5), files, UNIX sockets (OpenSSH PROTOCOL §2.4) and connections from the host (RFC 4254 §7). No call waits without a limit.
 *
 * A command lives no longer than its session: at its deadline, on abort, when the connection is lost or our process dies, the host kills its process
 * group as soon as sshd notices, and by its own clock soon after the deadline in any case. What made a session of its own (a daemon) stays.
 */
export function createSshShell(parts: SshShellParts): SshShell {
  const { target, clock, random, logger } = parts;
  checkEndpoint(target);
  const name = parts.name ?? target.host;
  const limits: SshLimits = { ...SSH_LIMITS, ...parts.limits };
  const link = new SshLink({ target, name, clock, random, logger, limits });
  const access: HostAccess = { link, target, clock, random, limits };
  const forwards = new ReverseForwards({ link, clock, logger, limits, name });
  let streams = 0;
  const connectUnix = async (path: string): Promise<ChannelSocket> => {
    if (streams >= limits.streams) {
      const details = { outcome: 'not-sent', streams };
      throw new CloudError('Busy', `${name}: ${streams} connections to its sockets are open already`, { details });
    }
    streams += 1;
    try {
      const opened = await onConnection(link, undefined, async (connection) => ({
        connection,
        socket: new ChannelSocket(await connection.openUnix(path)),
      }));
      const { socket } = opened;
      // A shell that is closed ends its sockets quietly; a lost connection is an error.
      const off = opened.connection.onLost((problem) =>
        socket.destroy(problem.code === 'Unavailable' ? problem : undefined),
      );
      socket.once('close', () => {
        off();
        streams -= 1;
      });
      return socket;
    } catch (error) {
      streams -= 1;
      throw error;
    }
  };
  return {
    name,
    exec: (argv, options = {}) => runArgv(access, argv, options),
    readFile: (path, options = {}) => readRemote(access, path, options),
    writeFile: (path, body, options = {}) => writeWhole(access, path, body, options),
    upload: (path, body, options) => uploadRemote(access, path, body, options),
    download: (path) => downloadInParts((fromByte, maxBytes) => readRemote(access, path, { fromByte, maxBytes })),
    connectUnix,
    forwardIn: (port: number, onConnection): Promise<RemoteForward> => forwards.add(port, onConnection),
    close: () => {
      forwards.close();
      link.close(new CloudError('HostError', `the shell on ${name} is closed`));
      return Promise.resolve();
    },
  };
}
