import { accessSync, constants, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userDirs } from '../../base/user-dirs.ts';
import type { Session } from './session.ts';
import { proxyCommand, wayConfig, wayKnownHosts, type SshWay } from './ssh-way.ts';

/**
 * The command that leads ssh to the guests of a host, whose addresses are routed on that host alone. undefined for the machine that the cloud runs on.
 * Logs in to the host as the cloud does where this user may read its key, otherwise by what the user's own ssh has.
 */
export async function wayToGuests(session: Session, hostId: string): Promise<string | undefined> {
  // All of them: without a daemon a host that is asked for by name is looked at first, and here its record will do.
  const { hosts } = await session.read('DescribeHosts', {});
  const ssh = hosts.find((host) => host.hostId === hostId)?.ssh;
  if (ssh === undefined) return undefined;
  const { stateDir, secretsDir } = await session.dirs();
  const { access } = ssh;
  const key =
    access.kind === 'cloud'
      ? join(secretsDir || stateDir, 'ssh', 'id_ed25519')
      : access.kind === 'file'
        ? access.path
        : '';
  const way: SshWay = {
    servers: ssh.servers,
    identity: key !== '' && mayRead(key) ? key : undefined,
    agent: access.kind === 'agent' && mayRead(access.socket) ? access.socket : undefined,
  };
  const dir = join(userDirs(session.io.env).configDir, 'hosts.d');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const knownHostsFile = join(dir, `${hostId}.known_hosts`);
  const configFile = join(dir, `${hostId}.conf`);
  replace(knownHostsFile, wayKnownHosts(way));
  replace(configFile, wayConfig(way, knownHostsFile));
  return proxyCommand(way, configFile);
}

function mayRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whole or not at all: another command may read it now. */
function replace(path: string, text: string): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}
