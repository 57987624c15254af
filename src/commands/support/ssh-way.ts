import { CloudError } from '../../base/errors.ts';
import type { HostView } from '../../views/hosts.ts';

type Ssh = NonNullable<HostView['ssh']>;

/** The way over SSH servers to the guests of a host. */
export interface SshWay {
  /** Each reached through the one before it; the last is the host. */
  readonly servers: Ssh['servers'];
  /** A private key file for all of them; undefined: what ssh has by itself. */
  readonly identity: string | undefined;
  /** The socket of an agent. */
  readonly agent: string | undefined;
}

const hopName = (at: number): string => `novactl-hop-${at + 1}`;

/** What stands in a file of ssh must be no more than a name: a newline would be another setting, and settings can run programs. */
const PLAIN = {
  host: /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/,
  user: /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/,
  type: /^[a-z0-9@.-]+$/,
  base64: /^[A-Za-z0-9+/]+=*$/,
} as const;

function plain(kind: keyof typeof PLAIN, text: string): string {
  if (PLAIN[kind].test(text)) return text;
  throw new CloudError(
    'InvalidParameterValue',
    `the cloud gives ${JSON.stringify(text)} as the ${kind} of an SSH server`,
  );
}

/** A file's path as ssh_config(5) takes it. */
function quoted(path: string): string {
  if (/[\p{Cc}"\\]/u.test(path)) {
    throw new CloudError('InvalidParameterValue', `the path ${JSON.stringify(path)} can't be written in a file of ssh`);
  }
  return `"${path.replaceAll('%', '%%')}"`;
}

/** Lines of known_hosts: each server by the name that it has in the configuration. */
export function wayKnownHosts(way: SshWay): string {
  const lines = way.servers.map(
    ({ hostKey }, at) => `${hopName(at)} ${plain('type', hostKey.type)} ${plain('base64', hostKey.base64)}\n`,
  );
  return lines.join('');
}

/** An ssh_config(5) in which the last server of the way has the name that proxyCommand uses. Nothing is asked and no key but the pinned one is trusted. */
export function wayConfig(way: SshWay, knownHostsFile: string): string {
  const servers = way.servers.flatMap(({ host, port, user }, at) => [
    `Host ${hopName(at)}`,
    `  HostName ${plain('host', host)}`,
    `  Port ${port}`,
    `  User ${plain('user', user)}`,
    `  HostKeyAlias ${hopName(at)}`,
    ...(at === 0 ? [] : [`  ProxyJump ${hopName(at - 1)}`]),
  ]);
  const { identity, agent } = way;
  return [
    ...servers,
    'Host *',
    '  StrictHostKeyChecking yes',
    `  UserKnownHostsFile ${quoted(knownHostsFile)}`,
    '  GlobalKnownHostsFile /dev/null',
    '  UpdateHostKeys no',
    '  BatchMode yes',
    '  ConnectTimeout 10',
    '  LogLevel ERROR',
    ...(identity === undefined ? [] : [`  IdentityFile ${quoted(identity)}`, '  IdentitiesOnly yes']),
    ...(agent === undefined ? [] : [`  IdentityAgent ${quoted(agent)}`]),
    '',
  ].join('\n');
}

/** What ssh runs to reach a guest: standard input and output are its connection. */
export function proxyCommand(way: SshWay, configFile: string): string {
  const file = configFile.replaceAll("'", "'\\''").replaceAll('%', '%%');
  return `ssh -F '${file}' -W '[%h]:%p' ${hopName(way.servers.length - 1)}`;
}
