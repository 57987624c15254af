export interface SshTarget {
  readonly instanceId: string;
  readonly address: string;
  readonly login: string;
  readonly identity: string | undefined;
  readonly knownHostsFile: string;
  /** Leads to the guest; undefined: its address is routed from here. */
  readonly proxyCommand: string | undefined;
  /** Nobody can be asked for a password or a passphrase. */
  readonly batch: boolean;
  /** Words of the command to run; none: a login shell. */
  readonly command: readonly string[];
}

/** Words for ssh(1): nothing is trusted but the pinned keys, and only the named private key is tried. */
export function sshArgv(target: SshTarget): string[] {
  const options = {
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: target.knownHostsFile,
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: target.instanceId,
    UpdateHostKeys: 'no',
    ConnectTimeout: '10',
    ConnectionAttempts: '5',
    LogLevel: 'ERROR',
    ...(target.proxyCommand === undefined ? {} : { ProxyCommand: target.proxyCommand }),
    ...(target.batch ? { BatchMode: 'yes' } : {}),
    ...(target.identity === undefined ? {} : { IdentitiesOnly: 'yes' }),
  };
  return [
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...(target.identity === undefined ? [] : ['-i', target.identity]),
    '-l',
    target.login,
    '--',
    target.address,
    ...target.command,
  ];
}
