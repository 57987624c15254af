import { z } from 'zod';
import type { NamespaceHost } from './namespace-host.ts';

/** A process on a host that carries a session's mark. */
export interface MarkedProcess {
  /** `HOST:EPOCH:SESSION`. */
  readonly tag: string;
  readonly command: string;
}

/** All of a cloud that can be found on a host, asked of the host itself. */
export interface HostView {
  /** name -> what its libvirt says. */
  readonly domains: ReadonlyMap<string, string>;
  readonly qemus: number;
  /** Folders of instances. */
  readonly disks: readonly string[];
  readonly taps: readonly string[];
  readonly bridges: readonly string[];
  /** `mac,address`. */
  readonly dhcp: readonly string[];
  readonly dhcpServers: number;
  /** Taps that have a guard. */
  readonly guards: readonly string[];
  readonly tables: readonly string[];
  readonly marked: readonly MarkedProcess[];
  /** Marks of the owners whose SSH server processes are noted. */
  readonly links: readonly string[];
  /** The mark of who may change the host; undefined: nobody has claimed it. */
  readonly owner: string | undefined;
}

/** One line a thing: what it is, then what is to be known of it. */
const LOOK = `
base=/var/lib/novactl-host
virsh -q -c qemu:///system list --all | sed -n 's/^ *[0-9-]\\{1,\\} */domain /p'
grep -lsx qemu-system-x86 /proc/[0-9]*/comm | sed 's/^/qemu /'
ls "$base/instances" 2>/dev/null | sed 's/^/disk /'
for i in /sys/class/net/nvt*; do [ -e "$i" ] && echo "tap \${i##*/}"; done
for i in /sys/class/net/nvb*; do [ -e "$i" ] && echo "bridge \${i##*/}"; done
cat "$base"/net/*/hosts 2>/dev/null | sed 's/^/dhcp /'
grep -lsx dnsmasq /proc/[0-9]*/comm | sed 's/^/dnsmasq /'
nft list chains netdev | sed -n 's/^[[:space:]]*chain port_\\([^ ]*\\) .*/guard \\1/p'
nft list tables | grep novactl | sed 's/^table /table /'
for e in $(grep -lsz '^NOVACTL_SESSION=' /proc/[0-9]*/environ); do
  t=$(tr '\\000' '\\n' <"$e" 2>/dev/null | sed -n 's/^NOVACTL_SESSION=//p')
  [ -z "$t" ] || echo "marked $t $(tr '\\000\\n' '  ' <"\${e%environ}cmdline" 2>/dev/null)"
done
cat "$base"/claim/links/* 2>/dev/null | sed 's/^/link /'
[ ! -e "$base/claim/claim.json" ] || { printf 'claim '; cat "$base/claim/claim.json"; }
`;

const Claim = z.object({ epoch: z.int(), session: z.string(), hostId: z.string() });

function ownerOf(line: string | undefined): string | undefined {
  if (line === undefined) return undefined;
  const { hostId, epoch, session } = Claim.parse(JSON.parse(line));
  return `${hostId}:${epoch}:${session}`;
}

/** `name   shut off` -> its two parts. */
function nameAndState(text: string): [string, string] {
  const at = text.indexOf(' ');
  return [text.slice(0, at), text.slice(at).trim()];
}

/** Looks at all of it by one command. */
export async function lookAtHost(host: NamespaceHost): Promise<HostView> {
  const found = new Map<string, string[]>();
  for (const line of (await host.ok('sh', '-c', LOOK)).split('\n')) {
    const [kind, rest] = nameAndState(`${line} `);
    if (kind !== '') found.set(kind, [...(found.get(kind) ?? []), rest]);
  }
  const all = (kind: string): string[] => (found.get(kind) ?? []).toSorted();
  return {
    domains: new Map(all('domain').map((text) => nameAndState(`${text} `))),
    qemus: all('qemu').length,
    disks: all('disk'),
    taps: all('tap'),
    bridges: all('bridge'),
    dhcp: all('dhcp').map((line) => line.split(',').slice(0, 2).join(',')),
    dhcpServers: all('dnsmasq').length,
    guards: all('guard'),
    tables: all('table'),
    marked: all('marked').map((text) => {
      const [tag, command] = nameAndState(`${text} `);
      return { tag, command };
    }),
    links: all('link'),
    owner: ownerOf(all('claim')[0]),
  };
}
