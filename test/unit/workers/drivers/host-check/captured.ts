/** What Debian 12 hosts answered. */
export type Answers = Readonly<Record<string, string | Error | { exitCode: number; stdout?: string; stderr?: string }>>;

export const NOW_MS = 1_795_355_918_000;

const METAINFO = '{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}';

/** iptables-nft with policy DROP in FORWARD, as Docker leaves it, and an input chain that ends in a drop. */
export const NFT_DOCKER = `{"nftables": [${METAINFO}, {"table": {"family": "ip", "name": "filter", "handle": 1}}, {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}}, {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 2, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}, {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 3, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}}, {"table": {"family": "inet", "name": "mine", "handle": 2}}, {"chain": {"family": "inet", "table": "mine", "name": "guard", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}, {"rule": {"family": "inet", "table": "mine", "chain": "guard", "handle": 2, "expr": [{"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}}]}`;

/** Our own tables drop what they must, and one of an administrator lets our bridges through. */
const NFT_FIT = `{"nftables": [${METAINFO}, {"chain": {"family": "inet", "table": "novactl", "name": "forward", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}}, {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}}, {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 3, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "nvb*"}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}}]}`;

/** Beginning of the command -> its output. */
export const CAPTURED: Answers = {
  true: '',
  'id -u': '0\n',
  'cat /var/lib/novactl-host/claim': { exitCode: 1, stderr: 'cat: No such file or directory' },
  'sh -c for p': '',
  'uname -m': 'x86_64\n',
  'sh -c d=$1': '      Avail Mounted on\n84790673408 /\n',
  'cat /proc/meminfo':
    'MemTotal:       24636400 kB\nMemFree:         9412120 kB\nMemAvailable:   22653708 kB\nBuffers:          119424 kB\n',
  'sh -c if [ -d': 'loaded\nip utility, iproute2-6.1.0, libbpf 1.1.2\n',
  'ip -j -4 route':
    '[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},{"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"192.0.2.2","flags":[]},{"dst":"10.200.4.0/22","dev":"nvb-5af99d","flags":["linkdown"]}]',
  'cat /proc/sys/net/ipv4/ip_forward': '1\n',
  'nft -j list ruleset': NFT_FIT,
  'sh -c grep -q filter': { exitCode: 1 },
  'ss -H -lunp': '',
  'ss -H -ltnp': '',
  'date +%s.%N': `${NOW_MS / 1000}.343691481\n`,
};
