import { sshFingerprint } from '../../base/openssh-key.ts';
import { KEYS } from '../../domain/keys.ts';
import { hostLimits } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord, HostTransport, SshLogin, SshServer } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from './host-problem.ts';

export type HostView = OperationOutput<'DescribeHosts'>['hosts'][number];

/** The host as the administrator sees it: record, claims, and what it last reported. */
export function hostView(
  cloud: Pick<ControllerContext, 'store' | 'observations' | 'policy' | 'looksAt'>,
  host: HostRecord,
): HostView {
  const { store, observations, policy } = cloud;
  const seen = observations.host(host.id);
  const unseen = seen === undefined && cloud.looksAt?.(host.id) === false;
  const down = unseen ? undefined : hostProblem(cloud, host, host.id);
  const problem = problemOf(host, down, seen?.warning);
  const used = store.get<CapacityRecord>(KEYS.capacity(host.id))?.value ?? NO_CAPACITY;
  const { routes: _routes, ...facts } = host.facts;
  return {
    hostId: host.id,
    name: host.name,
    state: down === undefined ? host.state : 'down',
    ...(problem === undefined ? {} : { problem }),
    ...(unseen ? { unseen } : {}),
    zone: host.zone,
    roles: [...host.roles],
    ...reachOf(host.transport),
    facts,
    usage: { instances: used.instances, vcpus: used.vcpus, memoryMib: used.memoryMib, diskGib: used.diskGib },
    capacity: hostLimits(host, policy.placement),
    orphans: orphansOf(cloud, host.id),
    ...(seen === undefined ? {} : { lastReportMs: seen.atMs }),
    addedAtMs: host.addedAtMs,
  };
}

function problemOf(host: HostRecord, down: string | undefined, warning: string | undefined): string | undefined {
  if (host.lost !== undefined) return `it is being removed as lost (${host.lost.operationId})`;
  return down ?? warning;
}

/** How the host is reached, for people. */
function reachOf(transport: HostTransport): Pick<HostView, 'transport' | 'ssh'> {
  if (transport.kind !== 'ssh') return { transport: transport.kind };
  const { hostKey, login, sudo, jump } = transport;
  return {
    transport: `ssh://${addressText(transport)}`,
    ssh: {
      fingerprint: sshFingerprint(hostKey.base64),
      login: LOGIN_TEXT[login.kind](login as never),
      sudo,
      ...(jump === undefined ? {} : { jump: addressText(jump) }),
      servers: [...(jump === undefined ? [] : [jump]), transport].map(serverOf),
      access: login,
    },
  };
}

const serverOf = ({ host, port, user, hostKey }: SshServer): SshServer => ({ host, port, user, hostKey });

const addressText = ({ user, host, port }: SshServer): string =>
  `${user}@${host.includes(':') ? `[${host}]` : host}:${port}`;

const LOGIN_TEXT: { readonly [K in SshLogin['kind']]: (login: Extract<SshLogin, { kind: K }>) => string } = {
  cloud: () => "the cloud's own key",
  file: ({ path }) => `the key ${path}`,
  agent: ({ socket }) => `the agent ${socket}`,
};

/** Domains on the host that no live record puts there. Listed, never touched. */
export function orphansOf(
  { store, observations }: Pick<ControllerContext, 'store' | 'observations'>,
  hostId: string,
): string[] {
  const orphans: string[] = [];
  for (const [name, { power, atMs }] of observations.host(hostId)?.domains ?? []) {
    const record = store.get<InstanceRecord>(KEYS.instance(name))?.value;
    const isHere = record?.hostId === hostId;
    const wanted = isHere && record.state !== 'terminated';
    // Its removal was told to the host's owner alone: others hear of it by the next whole report.
    const justRemoved = isHere && record.state === 'terminated' && atMs <= record.stateChangedAtMs;
    if (power !== 'absent' && !wanted && !justRemoved) orphans.push(name);
  }
  return orphans;
}
