import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { sha256Hex } from '../../../base/ids.ts';
import type { Logger } from '../../../base/logger.ts';
import { GUARD_VARIABLE, type HostShell } from '../../../ports/host-shell.ts';
import type { NetworkSpec } from '../../../ports/network-backend.ts';
import type { BridgePaths, HostPaths } from './names.ts';
import { bridgePaths } from './names.ts';
import { renderDnsmasqConfig } from './render-dnsmasq.ts';
import { commandError, readText, run } from './run.ts';

const END_POLL_MS = 20;
const END_GRACE_MS = 5000;

/** A dnsmasq of ours that runs, and the configuration it was started with. */
export interface RunningServer {
  readonly pid: number;
  readonly configPath: string;
}

/**
 * Whether a process is the DHCP server of the bridge, by its command line (/proc/PID/cmdline, words ended by NUL): the program's
 * name and a configuration in the bridge's own folder. Its configuration's path; undefined for anybody else.
 */
export function serverConfig(cmdline: string, place: BridgePaths): string | undefined {
  const [program = '', ...args] = cmdline.split('\0');
  if (program !== 'dnsmasq' && !program.endsWith('/dnsmasq')) return undefined;
  const prefix = `--conf-file=${place.runDir}/`;
  return args.find((word) => word.startsWith(prefix))?.slice('--conf-file='.length);
}

/**
 * The dnsmasq processes of a host, one a bridge. They are the host's: they detach themselves, outlive us, and are known again by
 * their pid file and command line. The configuration's digest is in its path and so in the command line: a server runs what we
 * want exactly when its command line says so.
 */
export class DnsmasqServers {
  readonly #shell: HostShell;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #paths: HostPaths;
  #user: string | undefined;
  #launcher: readonly string[] | undefined;

  constructor(parts: { shell: HostShell; clock: Clock; logger: Logger; paths: HostPaths }) {
    this.#shell = parts.shell;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#paths = parts.paths;
  }

  async find(bridge: string): Promise<RunningServer | undefined> {
    const place = bridgePaths(this.#paths, bridge);
    const pid = Number((await readText(this.#shell, place.pid))?.trim() ?? '');
    if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
    return this.#look(pid, place);
  }

  /** Starts the server, or starts it anew when its configuration is not the wanted one. */
  async ensure(network: NetworkSpec, bridgeIndex: number): Promise<void> {
    const { bridge } = network;
    const place = bridgePaths(this.#paths, bridge);
    const config = renderDnsmasqConfig(network, {
      hosts: place.hosts,
      leases: place.leases,
      pid: place.pid,
      user: await this.#dnsmasqUser(),
      bridgeIndex,
    });
    const configPath = `${place.runDir}/dnsmasq-${sha256Hex(config).slice(0, 16)}.conf`;
    const running = await this.find(bridge);
    if (running?.configPath === configPath) return;
    await this.#shell.writeFile(configPath, config, { mode: 0o644 });
    if (running !== undefined) await this.#end(running.pid, place);
    await this.#start(place, configPath);
    this.#logger.info('DHCP server started', { host: this.#shell.name, bridge, restarted: running !== undefined });
    const others = ['(', '-name', 'dnsmasq-*.conf', '-not', '-path', configPath, ')'];
    await run(this.#shell, ['find', place.runDir, '-maxdepth', '1', ...others, '-delete']);
  }

  /** Makes a server that was just found read its hosts file again. */
  async reload(server: RunningServer): Promise<void> {
    await this.#shell.exec(['kill', '-HUP', String(server.pid)]);
  }

  /** Absent is success. Returns when the process is gone. */
  async stop(bridge: string): Promise<void> {
    const place = bridgePaths(this.#paths, bridge);
    const running = await this.find(bridge);
    if (running !== undefined) await this.#end(running.pid, place);
    await this.#endStrays(place);
  }

  /** Ends the server, runs `between`, and starts the same configuration again. None that runs: `between` alone. */
  async restart(bridge: string, between: () => Promise<void>): Promise<void> {
    const place = bridgePaths(this.#paths, bridge);
    const running = await this.find(bridge);
    if (running !== undefined) await this.#end(running.pid, place);
    await between();
    if (running !== undefined) await this.#start(place, running.configPath);
  }

  async #look(pid: number, place: BridgePaths): Promise<RunningServer | undefined> {
    const result = await this.#shell.exec(['cat', `/proc/${pid}/cmdline`]);
    const configPath = result.exitCode === 0 ? serverConfig(result.stdout, place) : undefined;
    return configPath === undefined ? undefined : { pid, configPath };
  }

  async #start(place: BridgePaths, configPath: string): Promise<void> {
    const argv = [...(await this.#launchPrefix()), 'dnsmasq', `--conf-file=${configPath}`];
    const first = await this.#shell.exec(argv);
    if (first.exitCode === 0) return;
    // A server of ours whose pid file was lost still holds the addresses.
    if (!(await this.#endStrays(place))) throw commandError(this.#shell, argv, first);
    await run(this.#shell, argv);
  }

  /** Ends servers of this bridge that no pid file names; whether there were any. */
  async #endStrays(place: BridgePaths): Promise<boolean> {
    const found = await this.#shell.exec(['pgrep', '-f', '--', `--conf-file=${place.runDir}/dnsmasq-`]);
    let ended = false;
    for (const line of found.stdout.split('\n')) {
      const pid = Number(line);
      if (!Number.isSafeInteger(pid) || pid <= 1 || (await this.#look(pid, place)) === undefined) continue;
      await this.#end(pid, place);
      ended = true;
    }
    return ended;
  }

  /** Ends a process that was looked at just before, and waits until it is gone. */
  async #end(pid: number, place: BridgePaths): Promise<void> {
    for (const signal of ['-TERM', '-KILL']) {
      await this.#shell.exec(['kill', signal, String(pid)]);
      const deadlineMs = this.#clock.monotonicMs() + END_GRACE_MS;
      do {
        if ((await this.#look(pid, place)) === undefined) return;
        await this.#clock.sleep(END_POLL_MS);
      } while (this.#clock.monotonicMs() < deadlineMs);
    }
    throw new CloudError('HostError', `dnsmasq (process ${pid}) on host ${this.#shell.name} does not end`);
  }

  async #dnsmasqUser(): Promise<string> {
    this.#user ??= (await this.#shell.exec(['id', '-u', 'dnsmasq'])).exitCode === 0 ? 'dnsmasq' : 'nobody';
    return this.#user;
  }

  /**
   * Under systemd a process started here would belong to our own unit and end with it; a scope of its own keeps it.
   * (Over SSH it belongs to the login session, which may end it too.)
   */
  async #launchPrefix(): Promise<readonly string[]> {
    if (this.#launcher === undefined) {
      const systemd = await this.#shell.exec(['test', '-d', '/run/systemd/system']);
      // It is the host's, whoever owns the host: what carries a session's mark is ended by the next owner.
      const unmarked = ['env', '-u', GUARD_VARIABLE];
      const scope = ['systemd-run', '--quiet', '--collect', '--scope', '--slice=novactl-host.slice', '--'];
      this.#launcher = systemd.exitCode === 0 ? [...scope, ...unmarked] : unmarked;
    }
    return this.#launcher;
  }
}
