import { describe, expect, it } from 'vitest';
import { audit } from '../../system/chaos/audit.ts';
import type { Asked, Facts, HostFacts, KeptRecord } from '../../system/chaos/facts.ts';
import { healthyFacts } from './healthy-facts.ts';

const ONE = 'i-00000000000000001';
const STOPPED = 'i-00000000000000002';
const GONE = 'i-00000000000000004';
const H1 = 'h-00000000000000001';

type Damage = (facts: Facts) => Facts;

const record =
  (key: string, patch: KeptRecord): Damage =>
  (facts) => ({ ...facts, records: { ...facts.records, [key]: { ...facts.records[key], ...patch } } });

const lost =
  (key: string): Damage =>
  (facts) => ({ ...facts, records: Object.fromEntries(Object.entries(facts.records).filter(([one]) => one !== key)) });

const host =
  (name: string, change: (host: HostFacts) => Partial<HostFacts>): Damage =>
  (facts) => ({ ...facts, hosts: facts.hosts.map((one) => (one.name === name ? { ...one, ...change(one) } : one)) });

const asked =
  (token: string, patch: Partial<Asked>): Damage =>
  (facts) => ({ ...facts, asked: facts.asked.map((one) => (one.token === token ? { ...one, ...patch } : one)) });

/** Each way in which a cloud can be wrong, and what the auditor says of it. */
const DAMAGES: Readonly<Record<string, readonly [damage: Damage, finding: RegExp]>> = {
  'a state that is stuck': [record(`instance/${ONE}`, { state: 'pending' }), /^stuck: i-\S+1 is pending/],
  'a state that is not what it shall be': [record(`instance/${ONE}`, { desired: 'stopped' }), /^stuck: .*shall be/],
  'work that nobody does': [record(`instance/${ONE}`, { work: { verb: 'run' } }), /^stuck: .*has work/],
  'an operation without an end': [record('operation/run-1', { status: 'running' }), /^stuck: operation op-run-1/],
  'half a reservation': [record('reservation/r-1', { remaining: {} }), /^stuck: reservation r-1/],
  'a cloud that is held': [record('held', { reason: 'old' }), /^stuck: the cloud waits/],
  'capacity not given back': [record(`capacity/${H1}`, { vcpus: 2 }), /^capacity: h1 counts 2 vcpus/],
  'capacity given back twice': [record(`capacity/${H1}`, { instances: 0 }), /^capacity: h1 counts 0 instances/],
  'an address that nobody claims': [lost('address/net-1/10.216.0.11'), /^claim: address\/.*missing/],
  'an address of one who is gone': [record('address/net-1/10.216.0.99', { owner: GONE }), /^claim: address.*no reason/],
  'a MAC of somebody else': [record('mac/02:16:3e:00:00:01', { owner: STOPPED }), /^claim: mac.*no reason/],
  'an interface name that leaked': [record('ifname/nvt9', { owner: GONE }), /^claim: ifname\/nvt9/],
  'two with one address': [
    record(`instance/${STOPPED}`, {
      nic: { networkId: 'net-1', address: '10.216.0.11', mac: '02:16:3e:00:00:02', tap: 'nvt2' },
    }),
    /two owners/,
  ],
  'an instance without a reservation': [lost('reservation/r-1'), /^reservation: i-\S+1 of r-1 has no reason/],
  'an instance that a reservation lost': [lost(`instance/${GONE}`), /^missing: i-\S+4 was acknowledged/],
  'a domain too many': [
    host('h1', ({ domains }) => ({ domains: [...domains, { name: GONE, state: 'running' }] })),
    /^h1: domain: i-\S+4 running has no reason/,
  ],
  'a domain that is missing': [host('h1', () => ({ domains: [] })), /^h1: domain: i-\S+1 running is missing/],
  'a domain that is off': [
    host('h1', () => ({ domains: [{ name: ONE, state: 'shut off' }] })),
    /^h1: domain: i-\S+1 running is missing/,
  ],
  'a domain on two hosts': [
    host('h2', ({ domains }) => ({ domains: [...domains, { name: ONE, state: 'shut off' }] })),
    /twice: it has a domain on two hosts/,
  ],
  'a QEMU that libvirt does not know': [host('h1', () => ({ qemus: 2 })), /^h1: 2 processes of QEMU/],
  'a disk that was left': [host('h1', ({ disks }) => ({ disks: [...disks, GONE] })), /^h1: disk: i-\S+4/],
  'a tap that was left': [host('h1', ({ taps }) => ({ taps: [...taps, 'nvt4'] })), /^h1: tap: nvt4/],
  'a DHCP entry too many': [host('h1', ({ dhcp }) => ({ dhcp: [...dhcp, 'x,y'] })), /^h1: DHCP entry: x,y/],
  'a DHCP entry too few': [host('h1', () => ({ dhcp: [] })), /^h1: DHCP entry: .* is missing/],
  'a tap without its guard': [host('h1', () => ({ guards: [] })), /^h1: guard: nvt1 of .* is not guarded/],
  'a guard that was left': [host('h1', ({ guards }) => ({ guards: [...guards, 'nvt4'] })), /^h1: guard: nvt4/],
  'a bridge that was left': [host('h1', () => ({ bridges: ['nvb-1', 'nvb-2'] })), /^h1: 2 bridges/],
  'no DHCP server': [host('h1', () => ({ dhcpServers: 0 })), /^h1: 0 DHCP servers/],
  'a host that obeys another': [record(`assign/compute/${H1}`, { epoch: 4 }), /^h1: owner: it obeys/],
  'a process of an earlier session': [host('h1', () => ({ marks: [`${H1}:2:old`] })), /^h1: owner: something of/],
  'a controller that is dead owns': [record(`own/${H1}`, { session: 'before' }), /^owner: h1 belongs to/],
  'a worker that is dead is assigned': [record(`assign/compute/${H1}`, { workerId: 'w9' }), /^owner: h1 is assigned/],
  'a controller that is gone counts as alive': [record('alive/controller/c9', { session: 's' }), /^alive: c9/],
  'an acknowledged change that is missing': [
    lost('token/admin/StopInstances/stop-2'),
    /^missing: StopInstances stop-2/,
  ],
  'an operation that is missing': [lost('operation/stop-2'), /^missing: operation op-stop-2/],
  'a change that was done twice': [asked('stop-2', { operationId: 'op-other' }), /^twice: StopInstances stop-2/],
  'a refused change that was done': [asked('stop-2', { outcome: 'refused' }), /^token: StopInstances stop-2/],
  'two reservations of one token': [
    record('reservation/r-9', { id: 'r-9', instanceIds: [] }),
    /^twice: reservation r-9/,
  ],
  'a token that nobody used': [record('token/admin/RunInstances/x', { operationId: 'y' }), /^twice: nobody used x/],
  'other instances than were answered': [asked('run-1', { instanceIds: [ONE, GONE] }), /^missing: run-1 was answered/],
  'a stop that was forgotten': [
    (facts) => record(`instance/${STOPPED}`, { state: 'running', desired: 'running' })(facts),
    /^intent: i-\S+2 is running/,
  ],
  'a termination that was forgotten': [
    asked('end-4', { operation: 'RebootInstances' }),
    /^intent: i-\S+4 is terminated/,
  ],
  'a key pair that is missing': [lost('keypair/admin/mine'), /^key: CreateKeyPair mine/],
  'a key pair that nobody asked for': [record('keypair/admin/other', { name: 'other' }), /^key: nobody asked/],
  'a key pair that was to go': [asked('key-1', { operation: 'DeleteKeyPair' }), /^key: DeleteKeyPair mine/],
  'an api that lags': [
    (facts) => ({
      ...facts,
      reads: { ...facts.reads, a2: { ...facts.reads['a2'], [ONE]: `pending ${H1} 10.216.0.11` } },
    }),
    /^read of a2: i-\S+1/,
  ],
  'a dead letter': [
    (facts) => ({ ...facts, deadLetters: [{ topic: 't', type: 'strange', reason: 'maxlen' }] }),
    /^dead letter: strange/,
  ],
  'an error in a log': [
    (facts) => ({ ...facts, logs: [{ process: 'w1', line: '{"level":"error","message":"InternalError"}' }] }),
    /^log: w1/,
  ],
  'a stack trace in a log': [(facts) => ({ ...facts, logs: [{ process: 'w1', line: 'TypeError: x' }] }), /^log: w1/],
  'an answer that a client could not believe': [(facts) => ({ ...facts, wrong: ['x'] }), /^answer: x/],
};

describe("the chaos run's auditor", () => {
  it('finds nothing in a cloud in order', () => {
    expect(audit(healthyFacts())).toEqual([]);
  });

  it.each(Object.entries(DAMAGES))('finds %s', (_, [damage, finding]) => {
    expect(audit(damage(healthyFacts())).join('\n')).toMatch(new RegExp(finding.source, 'm'));
  });

  it('lets a change whose outcome is not known be one or the other', () => {
    const unknown = asked('stop-2', { outcome: 'unknown' });
    expect(audit(unknown(healthyFacts()))).toEqual([]);
    const undone = lost('token/admin/StopInstances/stop-2')(unknown(healthyFacts()));
    expect(audit(undone)).toEqual([]);
  });
});
