import { connect } from 'amqplib';
import type { LabCluster } from '../support/lab-cluster.ts';
import type { NamespaceHost } from '../support/namespace-host.ts';
import type { Asked, DeadLetterFact, Facts, HostFacts, KeptRecord, LogLine } from './facts.ts';

const PREFIX = 'novactl/d/';
const DEAD = 'dead.v1';
/** Far more than a run may leave. */
const MOST_DEAD = 1000;

/** One line a thing: what it is, a blank, then what is to be known of it. */
const LOOK = `
base=/var/lib/novactl-host
for name in $(virsh -q -c qemu:///system list --all --name); do
  echo "domain $name $(virsh -q -c qemu:///system domstate "$name" | head -n 1)"
done
for comm in /proc/[0-9]*/comm; do
  case $(cat "$comm" 2>/dev/null) in qemu-system-*) echo 'qemu 1' ;; dnsmasq) echo 'dnsmasq 1' ;; esac
done
for disk in "$base"/instances/*; do [ -e "$disk" ] && echo "disk \${disk##*/}"; done
ip -o link | sed -n 's/^[0-9]*: \\(nvt[^:@ ]*\\).*/tap \\1/p; s/^[0-9]*: \\(nvb[^:@ ]*\\).*/bridge \\1/p'
sed 's/^/dhcp /' "$base"/net/*/hosts 2>/dev/null
nft list ruleset | sed -n 's/^[[:space:]]*chain port_\\([^ ]*\\) .*/guard \\1/p'
for environ in /proc/[0-9]*/environ; do
  tr '\\000' '\\n' 2>/dev/null <"$environ" | sed -n 's/^NOVACTL_SESSION=/mark /p'
done
sed 's/^/mark /' "$base"/claim/links/* 2>/dev/null
[ ! -e "$base/claim/claim.json" ] || echo "claim $(cat "$base/claim/claim.json")"
`;

async function lookAt(host: NamespaceHost): Promise<HostFacts> {
  const lines = (await host.ok('sh', '-c', LOOK)).split('\n').map((line) => line.trim());
  const all = (kind: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : [])).toSorted();
  const [claim] = all('claim');
  return {
    name: host.name,
    domains: all('domain').map((text) => {
      const at = text.indexOf(' ');
      return { name: text.slice(0, at), state: text.slice(at + 1) };
    }),
    qemus: all('qemu').length,
    disks: all('disk'),
    taps: all('tap'),
    bridges: all('bridge'),
    dhcpServers: all('dnsmasq').length,
    dhcp: all('dhcp').map((line) => line.split(',').slice(0, 2).join(',')),
    guards: all('guard'),
    marks: all('mark'),
    claim: claim === undefined ? undefined : (JSON.parse(claim) as NonNullable<HostFacts['claim']>),
  };
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** By key, as etcd has them. */
export async function recordsOf(cluster: LabCluster): Promise<Record<string, KeptRecord>> {
  const text = await cluster.etcd.etcdctl('get', PREFIX, '--prefix', '--write-out=json');
  const { kvs = [] } = JSON.parse(text) as { kvs?: { key: string; value: string }[] };
  return Object.fromEntries(
    kvs.map(({ key, value }) => [decoded(key).slice(PREFIX.length), JSON.parse(decoded(value)) as KeptRecord]),
  );
}

async function deadLettersOf({ rabbit }: LabCluster): Promise<DeadLetterFact[]> {
  if ((await rabbit.queueDepths())[DEAD] === undefined) return [];
  const { user, password, vhost, port } = rabbit;
  const connection = await connect({ hostname: '127.0.0.1', port, username: user, password, vhost });
  try {
    const channel = await connection.createChannel();
    const found: DeadLetterFact[] = [];
    while (found.length < MOST_DEAD) {
      const message = await channel.get(DEAD);
      if (message === false) break;
      const headers = (message.properties.headers ?? {}) as Record<string, unknown>;
      const [death] = Array.isArray(headers['x-death']) ? (headers['x-death'] as { reason?: unknown }[]) : [];
      const reason = headers['reason'] ?? death?.reason ?? 'none';
      const type = message.properties.type as unknown;
      found.push({ topic: String(headers['topic']), type: String(type), reason: String(reason) });
    }
    return found;
  } finally {
    // What was looked at goes back.
    await connection.close();
  }
}

async function readsOf(cluster: LabCluster, api: string): Promise<Record<string, string>> {
  const { instances } = await cluster.client(api).call('DescribeInstances', { MaxResults: 1000 });
  return Object.fromEntries(
    instances.map(({ instanceId, state, hostId, privateIpAddress }) => [
      instanceId,
      `${state} ${hostId} ${privateIpAddress}`,
    ]),
  );
}

export function logsOf(cluster: LabCluster): LogLine[] {
  return cluster.processes.flatMap(({ name, log }) =>
    log.split('\n').flatMap((line) => (line === '' ? [] : [{ process: name, line }])),
  );
}

export interface ClientLogs {
  readonly asked: readonly Asked[];
  readonly wrong: readonly string[];
}

/** Looks at everything, each thing where it is. */
export async function gatherFacts(cluster: LabCluster, clients: ClientLogs): Promise<Facts> {
  const hosts = await Promise.all(cluster.lab.hosts.map(lookAt));
  const reads = { a1: await readsOf(cluster, 'a1'), a2: await readsOf(cluster, 'a2') };
  return {
    records: await recordsOf(cluster),
    hosts,
    processes: cluster.processes.flatMap(({ name, alive }) => (alive ? [name] : [])),
    reads,
    deadLetters: await deadLettersOf(cluster),
    logs: logsOf(cluster),
    ...clients,
  };
}
