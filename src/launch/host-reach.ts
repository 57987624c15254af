import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sshFingerprint } from '../base/openssh-key.ts';
import type { Random } from '../base/random.ts';
import type { HostTransport } from '../domain/records.ts';
import type { HostCheckContext, HostCheckRow, HostReach } from '../ports/host-reach.ts';
import type { HypervisorFacts } from '../ports/hypervisor.ts';
import { checkHost, type CheckHostParts } from '../workers/drivers/host-check/check-host.ts';
import { kvmBootsGuest, tcgBootsGuest } from '../workers/drivers/libvirt/kvm-probe.ts';
import { createLibvirtHypervisor, libvirtSocketCandidates } from '../workers/drivers/libvirt/libvirt-hypervisor.ts';
import type { CloudKey } from './cloud-key.ts';
import { explainLibvirt, libvirtSockets } from './explain-libvirt.ts';
import { openShell } from './real-host.ts';
import { askHostKey } from './ssh-access.ts';

export interface HostReachParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cloudKey: CloudKey;
  readonly hostDir: string;
  readonly metadataPort: number;
}

/** Machines looked at before they are hosts: their key, and the preflight. */
export function createHostReach(parts: HostReachParts): HostReach {
  return {
    hostKey: (query) => askHostKey(query, parts),
    cloudKey: () => parts.cloudKey.publicLine(),
    check: (transport, context) => check(transport, context, parts),
  };
}

async function check(
  transport: HostTransport,
  context: HostCheckContext,
  parts: HostReachParts,
): Promise<HostCheckRow[]> {
  const { clock, random, logger, hostDir, metadataPort } = parts;
  const shell = await openShell(transport, parts);
  const [dial = () => shell.connectUnix(''), ...dialFallbacks] = libvirtSocketCandidates.map(
    (path) => () => shell.connectUnix(path),
  );
  const hypervisor = createLibvirtHypervisor({ dial, dialFallbacks, clock, random, logger });
  const login = loginOf(transport);
  let facts: Promise<HypervisorFacts> | undefined;
  const libvirt = (): Promise<HypervisorFacts> =>
    (facts ??= hypervisor.facts().catch(async (error: unknown) => {
      throw explainLibvirt(error, login.remote ? login.user : undefined, await libvirtSockets(shell));
    }));
  const bootGuest: CheckHostParts['bootGuest'] = async (accelerator) => {
    // Whom libvirt would run the guest as; where libvirt does not answer that is a row of its own.
    const owner = await libvirt().then(
      ({ qemuUid, qemuGid }) => ({ owner: { uid: qemuUid, gid: qemuGid } }),
      () => ({}),
    );
    return (accelerator === 'kvm' ? kvmBootsGuest : tcgBootsGuest)(shell, { random, ...owner });
  };
  try {
    return await checkHost({ ...context, shell, clock, hostDir, metadataPort, login, libvirt, bootGuest });
  } finally {
    await hypervisor.close();
    await shell.close();
  }
}

function loginOf(transport: HostTransport): CheckHostParts['login'] {
  if (transport.kind !== 'ssh')
    return { user: 'the user that runs novactl', sudo: false, remote: false, text: 'this machine' };
  const { user, host, port, sudo, hostKey, jump } = transport;
  const via = jump === undefined ? '' : ` by way of ${jump.host}`;
  const text = `${user} at ${host} port ${port}${via}, host key ${hostKey.type} ${sshFingerprint(hostKey.base64)}`;
  return { user, sudo, remote: true, text };
}
