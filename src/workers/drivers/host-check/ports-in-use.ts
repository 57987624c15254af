import { ok, warn, type Verdict } from './verdict.ts';

export const DHCP_ARGV: readonly string[] = ['ss', '-H', '-lunp', 'sport = :67'];
export const metadataArgv = (port: number): string[] => ['ss', '-H', '-ltnp', `sport = :${port}`];

interface Listener {
  /** `0.0.0.0`, `*`, `127.0.0.1`. */
  readonly address: string;
  /** The interface that it is bound to. */
  readonly device: string | undefined;
  readonly program: string;
}

/** Reads `ss -H -l.np`: queue, queue, `address%device:port`, peer, `users:(("dnsmasq",pid=1,fd=4))`; with or without the state in front. */
export function parseListeners(stdout: string): Listener[] {
  return stdout.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const local = words.find((word) => /:\d+$/.test(word));
    if (local === undefined) return [];
    const place = local.slice(0, local.lastIndexOf(':')).replaceAll(/[[\]]/g, '');
    const [address = '', device] = place.split('%');
    return [{ address, device, program: /\(\("([^"]+)"/.exec(line)?.[1] ?? 'another program' }];
  });
}

/** A DHCP server that is bound to an interface of its own is no trouble; one on every interface would answer our guests. */
export function judgeDhcp(stdout: string): Verdict {
  const listeners = parseListeners(stdout);
  const everywhere = listeners.filter(
    ({ device, address }) => device === undefined && /^(0\.0\.0\.0|\*|::)$/.test(address),
  );
  const [first] = everywhere;
  if (first !== undefined) {
    return warn(
      `${first.program} listens on port 67 of every interface, also of the guests' bridges`,
      first.program === 'dnsmasq'
        ? 'add "bind-dynamic" and "except-interface=nvb*" to /etc/dnsmasq.conf, then: systemctl restart dnsmasq'
        : `keep ${first.program} to its own interfaces, for isc-dhcp-server by INTERFACESv4 in /etc/default/isc-dhcp-server`,
    );
  }
  const bound = listeners.flatMap(({ program, device }) => (device === undefined ? [] : [`${program} on ${device}`]));
  return ok(bound.length === 0 ? 'nobody serves DHCP' : `only ${[...new Set(bound)].join(', ')}`);
}

/** The port of the host's loopback address that guests' metadata requests go to. sshd listens there for a cloud that serves the host already. */
export function judgeMetadataPort(stdout: string, port: number, remote: boolean): Verdict {
  const strangers = parseListeners(stdout).filter(
    ({ address, program }) =>
      /^(0\.0\.0\.0|\*|::|127\.0\.0\.1)$/.test(address) && !(remote && program.startsWith('sshd')),
  );
  const [first] = strangers;
  if (first === undefined) return ok(`port ${port} is free for the metadata service`);
  // On this machine it is the metadata service itself.
  if (!remote && first.program !== 'another program') return ok(`${first.program} listens on port ${port}`);
  return warn(
    `${first.program} has port ${port}, so guests there get no metadata`,
    `stop it (ss -ltnp 'sport = :${port}' shows it), or set metadata.port of the cloud to a port that no host uses`,
  );
}
