import type { Asked, Facts, HostFacts, KeptRecord } from '../../system/chaos/facts.ts';

const HOST = { h1: 'h-00000000000000001', h2: 'h-00000000000000002' } as const;
const PROJECT = 'admin';

interface Planned {
  readonly id: string;
  readonly host: keyof typeof HOST;
  readonly state: 'running' | 'stopped' | 'terminated';
  readonly number: number;
}

const PLANNED: readonly Planned[] = [
  { id: 'i-00000000000000001', host: 'h1', state: 'running', number: 1 },
  { id: 'i-00000000000000002', host: 'h2', state: 'stopped', number: 2 },
  { id: 'i-00000000000000003', host: 'h2', state: 'running', number: 3 },
  { id: 'i-00000000000000004', host: 'h1', state: 'terminated', number: 4 },
];

const nicOf = ({ number }: Planned): { networkId: string; address: string; mac: string; tap: string } => ({
  networkId: 'net-1',
  address: `10.216.0.1${number}`,
  mac: `02:16:3e:00:00:0${number}`,
  tap: `nvt${number}`,
});

function instanceRecords(planned: Planned): Record<string, KeptRecord> {
  const { id, host, state, number } = planned;
  const reservationId = `r-${number}`;
  const operationId = `op-run-${number}`;
  const size = { vcpus: 1, memoryMib: 128, diskGib: 1 };
  const nic = nicOf(planned);
  const claim = state === 'terminated' ? { owner: id, releasedAtMs: 5 } : { owner: id };
  return {
    [`instance/${id}`]: { id, reservationId, hostId: HOST[host], state, desired: state, nic, ...size },
    [`reservation/${reservationId}`]: { id: reservationId, instanceIds: [id] },
    [`operation/run-${number}`]: { id: operationId, name: 'RunInstances', status: 'succeeded', pending: [] },
    [`token/${PROJECT}/RunInstances/run-${number}`]: { operationId, answer: JSON.stringify({ reservationId }) },
    [`address/${nic.networkId}/${nic.address}`]: claim,
    [`mac/${nic.mac}`]: claim,
    [`ifname/${nic.tap}`]: claim,
  };
}

const change = (operation: Asked['operation'], token: string, target: string): Asked => ({
  ...{ client: 'u', token, operation, targets: [target], beganMs: 1, endedMs: 2, outcome: 'done' },
  operationId: `op-${token}`,
});

const ran = ({ id, number }: Planned): Asked => ({
  ...change('RunInstances', `run-${number}`, id),
  ...{ targets: [], instanceIds: [id], reservationId: `r-${number}` },
});

function changeRecords({ operation, token }: Asked): Record<string, KeptRecord> {
  return {
    [`operation/${token}`]: { id: `op-${token}`, name: operation, status: 'succeeded', pending: [] },
    [`token/${PROJECT}/${operation}/${token}`]: { operationId: `op-${token}`, answer: '{}' },
  };
}

function hostFacts(name: keyof typeof HOST): HostFacts {
  const mine = PLANNED.filter(({ host, state }) => host === name && state !== 'terminated');
  const running = mine.filter(({ state }) => state === 'running');
  return {
    name,
    domains: mine.map(({ id, state }) => ({ name: id, state: state === 'running' ? 'running' : 'shut off' })),
    qemus: running.length,
    disks: mine.map(({ id }) => id),
    taps: running.map((one) => nicOf(one).tap),
    bridges: ['nvb-1'],
    dhcpServers: 1,
    dhcp: mine.map((one) => `${nicOf(one).mac},${nicOf(one).address}`),
    guards: mine.map((one) => nicOf(one).tap),
    marks: [`${HOST[name]}:3:session-w`],
    claim: { hostId: HOST[name], epoch: 3, session: 'session-w' },
  };
}

function hostRecords(name: keyof typeof HOST): Record<string, KeptRecord> {
  const id = HOST[name];
  const count = PLANNED.filter(({ host, state }) => host === name && state !== 'terminated').length;
  return {
    [`host/${id}`]: { id, name },
    [`capacity/${id}`]: { instances: count, vcpus: count, memoryMib: count * 128, diskGib: count },
    [`own/${id}`]: { controllerId: 'c1', session: 'session-c1', epoch: 1 },
    [`assign/compute/${id}`]: { workerId: 'w1', epoch: 3, session: 'session-w' },
  };
}

/** A cloud in order: four instances of four reservations on two hosts, one of each state, and a key pair. A new copy each time, free to be damaged. */
export function healthyFacts(): Facts {
  const changes = [
    change('StopInstances', 'stop-2', 'i-00000000000000002'),
    change('TerminateInstances', 'end-4', 'i-00000000000000004'),
    change('CreateKeyPair', 'key-1', 'mine'),
  ];
  const reads = Object.fromEntries(
    PLANNED.map((one) => [one.id, `${one.state} ${HOST[one.host]} ${nicOf(one).address}`]),
  );
  const records = [
    ...PLANNED.map(instanceRecords),
    ...changes.map(changeRecords),
    hostRecords('h1'),
    hostRecords('h2'),
    { [`keypair/${PROJECT}/mine`]: { name: 'mine' } },
    { 'alive/controller/c1': { session: 'session-c1' } },
  ];
  return {
    records: Object.assign({}, ...records) as Facts['records'],
    hosts: [hostFacts('h1'), hostFacts('h2')],
    processes: ['a1', 'a2', 'c1', 'w1'],
    reads: { a1: reads, a2: { ...reads } },
    deadLetters: [],
    logs: [{ process: 'c1', line: '{"level":"info","message":"ready"}' }],
    asked: [...PLANNED.map(ran), ...changes],
    wrong: [],
  };
}
