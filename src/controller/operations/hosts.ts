import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { overlaps, parseCidr } from '../../domain/addressing.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord, HostTransport, NetworkRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import { HostFactsMessage } from '../../messages/worker.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';
import { anyWorker, askWorker } from '../hosts/ask-worker.ts';
import { findHost } from '../hosts/find-host.ts';
import { hostView } from '../hosts/host-view.ts';
import { pinTransport } from '../hosts/pin-transport.ts';
import { refuseClaimed } from '../hosts/refuse-claimed.ts';
import { waitForReports } from '../hosts/wait-for-report.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter } from './handler.ts';

/** A probe boots a guest under KVM where there is one, and the first look at QEMU may take long. */
const PROBE_TIMEOUT_MS = 120_000;

/** The report comes right after the host is open; an answer does not wait longer for it. */
const FIRST_REPORT_MS = 5000;

interface Probed {
  readonly workerId: string;
  readonly transport: HostTransport;
  readonly facts: HostFactsMessage;
}

export const addHost: ChangeHandler<'AddHost', Probed> = {
  async prepare({ cloud }, input) {
    if (input.Transport.kind === 'simulated' && !cloud.policy.simulatedHosts) {
      throw badParameter('Transport', 'simulated hosts need a cloud whose configuration says "drivers: simulated"');
    }
    const workerId = anyWorker(cloud);
    const transport = await pinTransport(cloud, workerId, input.Transport);
    const answer = await askWorker(cloud, workerId, 'host-probe', { transport }, PROBE_TIMEOUT_MS);
    refuseClaimed(cloud, answer);
    return { workerId, transport, facts: HostFactsMessage.parse(answer) };
  },

  decide(draft, input, context, { workerId, transport, facts }) {
    const { cloud, nowMs, operationId } = context;
    if (draft.get(KEYS.hostName(input.Name)) !== undefined) {
      throw new CloudError(
        'InvalidHost.Duplicate',
        `Name: a host ${input.Name} exists already; see "novactl host show ${input.Name}"`,
        {
          details: { parameter: 'Name' },
        },
      );
    }
    const hostId = newId('host', cloud.random);
    claimTransport(draft, transport, hostId);
    refuseOverlap(draft.replica, cloud.policy.fixedRange, facts.routes);
    const record: HostRecord = {
      v: 1,
      id: hostId,
      name: input.Name,
      transport,
      roles: ['compute', 'network'],
      zone: input.Zone ?? cloud.policy.zone,
      state: 'up',
      facts,
      addedAtMs: nowMs,
    };
    draft.put(KEYS.host(record.id), record);
    draft.put(KEYS.hostName(record.name), { v: 1, hostId: record.id });
    draft.put(KEYS.capacity(record.id), NO_CAPACITY);
    draft.put(KEYS.assign('compute', record.id), { v: 1, workerId, epoch: 1 } satisfies AssignRecord);
    return { output: { host: hostView(cloud, record), operationId }, targets: [record.id] };
  },

  async after({ cloud }, _input, plan) {
    await cloud.ownership.claim(plan.output.host.hostId);
    await cloud.workers.open(plan.output.host.hostId);
    await waitForReports(cloud, [plan.output.host.hostId], FIRST_REPORT_MS);
  },

  /** Answered once the host has reported, so that the next command can use it. */
  replay({ cloud }, answer) {
    const record = cloud.store.get<HostRecord>(KEYS.host(answer.host.hostId))?.value;
    return record === undefined ? answer : { ...answer, host: hostView(cloud, record) };
  },
};

/** One key a machine: two names for one machine would have its instances twice. */
function claimTransport(draft: Draft, transport: HostTransport, hostId: string): void {
  const key = KEYS.hostTransport(transport);
  const other = draft.get<{ hostId: string }>(key);
  if (other !== undefined) {
    const name = draft.peek<HostRecord>(KEYS.host(other.hostId))?.name ?? other.hostId;
    throw new CloudError('InvalidHost.Duplicate', `Transport: this machine is a host already, as ${name}`, {
      details: { parameter: 'Transport', host: name },
    });
  }
  draft.put(key, { v: 1, hostId });
}

/** A host whose own network lies in the instances' range, or is a project's already, would lose its way to it. */
function refuseOverlap(replica: Replica, range: string, routes: readonly string[]): void {
  const ours = parseCidr(range);
  const taken = replica.range<NetworkRecord>(PREFIX.network).map((entry) => parseCidr(entry.value.cidr));
  const clash = routes.find((route) => {
    const theirs = parseCidr(route);
    const covers = overlaps(ours, theirs) && theirs.prefix <= ours.prefix;
    return covers || taken.some((network) => overlaps(network, theirs));
  });
  if (clash === undefined) return;
  throw new CloudError(
    'InvalidParameterCombination',
    parseCidr(clash).prefix <= ours.prefix
      ? `the host routes ${clash}, which covers the instances' range ${range}; set network.fixedRange to a range that no host uses`
      : `the host routes ${clash}, which overlaps a project's network; give the host's own network another range`,
  );
}

const names = new Intl.Collator('en', { numeric: true });
/** As a person looks for them: host2 before host10. Their ids say nothing. */
const byName = (a: HostRecord, b: HostRecord): number => names.compare(a.name, b.name);

export const describeHosts: ReadHandler<'DescribeHosts'> = ({ cloud }, input) => {
  const records =
    input.Hosts === undefined
      ? cloud.store
          .range<HostRecord>(PREFIX.host)
          .map((entry) => entry.value)
          .toSorted(byName)
      : input.Hosts.map((name) => findHost(cloud.store, name, 'Hosts'));
  return { hosts: records.map((record) => hostView(cloud, record)), rev: cloud.store.rev };
};
