import type { Facts, HostFacts } from './facts.ts';
import { below, differences, type KnownInstance, liveIn } from './known-records.ts';

interface KnownAssign {
  readonly workerId: string;
  readonly epoch: number;
  readonly session?: string;
}

const DOMAIN_STATE: Readonly<Record<string, string>> = { running: 'running', stopped: 'shut off' };

/** What one host has, against what the records of its instances say. */
function hostFindings(host: HostFacts, mine: readonly KnownInstance[]): string[] {
  const { name } = host;
  const running = mine.filter(({ state }) => state === 'running');
  const networks = mine.length === 0 ? 0 : 1;
  const count = (what: string, wanted: number, found: number): string[] =>
    wanted === found ? [] : [`${name}: ${found} ${what}, and it shall be ${wanted}`];
  return [
    ...differences(
      `${name}: domain`,
      mine.map(({ id, state }) => `${id} ${DOMAIN_STATE[state] ?? state}`),
      host.domains.map((domain) => `${domain.name} ${domain.state}`),
    ),
    ...count('processes of QEMU', running.length, host.qemus),
    ...differences(
      `${name}: disk`,
      mine.map(({ id }) => id),
      host.disks,
    ),
    ...differences(
      `${name}: tap`,
      running.map(({ nic }) => nic.tap),
      host.taps,
    ),
    ...differences(
      `${name}: DHCP entry`,
      mine.map(({ nic }) => `${nic.mac},${nic.address}`),
      host.dhcp,
    ),
    ...running.flatMap(({ id, nic }) =>
      host.guards.includes(nic.tap) ? [] : [`${name}: guard: ${nic.tap} of ${id} is not guarded`],
    ),
    // One that was switched off keeps its guard until it is terminated.
    ...host.guards.flatMap((tap) =>
      mine.some(({ nic }) => nic.tap === tap) ? [] : [`${name}: guard: ${tap} belongs to nobody`],
    ),
    ...count('bridges', networks, host.bridges.length),
    ...count('DHCP servers', networks, host.dhcpServers),
  ];
}

/** Whom the host obeys is whom the records name, and nothing of anybody before runs there any more. */
function ownerFindings({ records }: Facts, hostId: string, { name, claim, marks }: HostFacts): string[] {
  const assigned = records[`assign/compute/${hostId}`] as KnownAssign | undefined;
  if (claim === undefined || assigned === undefined) return [`${name}: owner: nobody has claimed it`];
  const owner = `${claim.hostId}:${claim.epoch}:${claim.session}`;
  const wanted = `${hostId}:${assigned.epoch}:${assigned.session ?? 'nobody'}`;
  return [
    ...(owner === wanted ? [] : [`${name}: owner: it obeys ${owner}, and the records say ${wanted}`]),
    ...marks.flatMap((mark) => (mark === owner ? [] : [`${name}: owner: something of ${mark} still runs`])),
  ];
}

/** The domains, disks and networks of every host against the records; no instance is on two hosts. */
export function auditHosts(facts: Facts): string[] {
  const live = liveIn(facts.records);
  const known = below<{ name: string }>(facts.records, 'host/');
  const each = facts.hosts.flatMap((host) => {
    const [hostId] = known.find(([, record]) => record.name === host.name) ?? [];
    if (hostId === undefined) return [`${host.name}: no record`];
    const mine = live.filter((record) => record.hostId === hostId);
    return [...hostFindings(host, mine), ...ownerFindings(facts, hostId, host)];
  });
  const names = facts.hosts.flatMap(({ domains }) => domains.map(({ name }) => name));
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [...each, ...twice.map((name) => `${name}: twice: it has a domain on two hosts`)];
}
