import type { NamespaceHost } from './namespace-host.ts';

/** Everything on a host that a command of the cloud would change, a line for each thing. Not: connections, counters, what only looks. */
const FOOTPRINT = `
base=/var/lib/novactl-host
virsh -q -c qemu:///system list --all | sed 's/^ *[0-9-]* */domain /'
for name in qemu-system-x86 dnsmasq; do
  for pid in $(pgrep -x "$name"); do echo "process $pid $(tr '\\000' ' ' <"/proc/$pid/cmdline")"; done
done
find "$base" -type f -not -path "$base/claim/links/*" -printf 'file %p %i %s %T@\\n'
cat "$base"/net/*/hosts 2>/dev/null | sed 's/^/dhcp /'
[ ! -e "$base/claim/claim.json" ] || { cat "$base/claim/claim.json"; echo; }
for i in /sys/class/net/nv[bt]*; do [ -e "$i" ] && echo "link \${i##*/} $(cat "$i/ifindex")"; done
nft -s list ruleset
`;

/** To be compared with another of the same host. */
export async function hostFootprint(host: NamespaceHost): Promise<string[]> {
  const lines = (await host.ok('sh', '-c', FOOTPRINT)).split('\n').map((line) => line.trimEnd());
  return lines.filter((line) => line !== '').toSorted();
}

/** The process id of the domain's QEMU; undefined: it does not run there. */
export async function qemuOf(host: NamespaceHost, domain: string): Promise<number | undefined> {
  const { stdout } = await host.exec('pgrep', '-f', `^/?[^ ]*qemu-system-x86_64 -name guest=${domain},`);
  const [pid] = stdout.split('\n').filter(Boolean).map(Number);
  return pid;
}
