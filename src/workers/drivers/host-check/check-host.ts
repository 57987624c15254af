import type { Clock } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { HostCheckContext, HostCheckRow } from '../../../ports/host-reach.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import type { HypervisorFacts } from '../../../ports/hypervisor.ts';
import { judgeFirewall, LEGACY_ARGV, RULESET_ARGV } from './foreign-firewall.ts';
import {
  BRIDGE_ARGV,
  FORWARDING_ARGV,
  judgeBridge,
  judgeForwarding,
  judgeRoutes,
  ROUTES_ARGV,
} from './network-facts.ts';
import { DHCP_ARGV, judgeDhcp, judgeMetadataPort, metadataArgv } from './ports-in-use.ts';
import { judgePrograms, PROGRAMS_ARGV } from './programs.ts';
import { diskArgv, judgeDisk, judgeMemory } from './room.ts';
import { CLOCK_ARGV, claimArgv, judgeClaim, judgeClock, judgeRoot } from './small-facts.ts';
import { fail, ok, warn, type Verdict } from './verdict.ts';

export interface GuestVerdict {
  readonly works: boolean;
  readonly why: string;
}

export interface CheckHostParts extends HostCheckContext {
  readonly shell: HostShell;
  readonly clock: Clock;
  readonly hostDir: string;
  readonly metadataPort: number;
  /** How we are there: `root@10.0.0.5:22, host key SHA256:...`, or that it is this machine. */
  readonly login: { readonly user: string; readonly sudo: boolean; readonly remote: boolean; readonly text: string };
  /** Errors say what mends them. */
  readonly libvirt: () => Promise<HypervisorFacts>;
  /** Really boots a guest that halts at once; nothing is defined. */
  readonly bootGuest: (accelerator: 'kvm' | 'tcg') => Promise<GuestVerdict>;
}

interface Check {
  readonly name: string;
  readonly look: (parts: CheckHostParts) => Promise<Verdict>;
}

const out = async (shell: HostShell, argv: readonly string[]): Promise<string> => (await shell.exec(argv)).stdout;

/** Without these two nothing else can be looked at; in this order. */
const WAY_IN: readonly Check[] = [
  { name: 'ssh', look: seeLogin },
  { name: 'root', look: async ({ shell, login }) => judgeRoot(await out(shell, ['id', '-u']), login) },
];

/** Looked at side by side, and shown in this order. */
const CHECKS: readonly Check[] = [
  {
    name: 'claim',
    look: async ({ shell, hostDir, cloudId }) => judgeClaim(await shell.exec(claimArgv(hostDir)), hostDir, cloudId),
  },
  { name: 'programs', look: async ({ shell }) => judgePrograms(await out(shell, PROGRAMS_ARGV)) },
  { name: 'libvirt', look: seeLibvirt },
  { name: 'guest', look: seeGuest },
  { name: 'disk', look: async ({ shell, hostDir }) => judgeDisk(await out(shell, diskArgv(hostDir)), hostDir) },
  { name: 'memory', look: async ({ shell }) => judgeMemory(await out(shell, ['cat', '/proc/meminfo'])) },
  { name: 'bridge', look: seeBridge },
  { name: 'routes', look: async ({ shell, fixedRange }) => judgeRoutes(await out(shell, ROUTES_ARGV), fixedRange) },
  { name: 'forwarding', look: async ({ shell }) => judgeForwarding(await out(shell, FORWARDING_ARGV)) },
  { name: 'firewall', look: seeFirewall },
  { name: 'dhcp', look: async ({ shell }) => judgeDhcp(await out(shell, DHCP_ARGV)) },
  { name: 'metadata', look: seeMetadataPort },
  { name: 'time', look: seeClock },
];

async function seeLogin({ shell, login }: CheckHostParts): Promise<Verdict> {
  try {
    await shell.exec(['true']);
  } catch (error) {
    // The login went well: what comes after it does not.
    if (isCode(error, 'HostError') && error.details?.['reason'] === 'sudo') return ok(login.text);
    throw error;
  }
  return ok(login.text);
}

async function seeLibvirt({ libvirt }: CheckHostParts): Promise<Verdict> {
  const facts = await libvirt();
  return ok(`libvirt ${facts.libvirtVersion}, ${facts.hypervisor} ${facts.hypervisorVersion}, ${facts.arch}`);
}

async function seeGuest({ bootGuest, shell }: CheckHostParts): Promise<Verdict> {
  if ((await out(shell, ['uname', '-m'])).trim() !== 'x86_64') {
    return warn('a guest is tried on x86-64 only', 'start an instance there to see that it runs');
  }
  const kvm = await bootGuest('kvm');
  if (kvm.works) return ok(kvm.why);
  const tcg = await bootGuest('tcg');
  const mend = 'switch virtualisation (VT-x, AMD-V) on in the firmware, then: modprobe kvm_intel || modprobe kvm_amd';
  if (tcg.works) return warn(`guests run by software emulation, about 6 times slower: ${kvm.why}`, mend);
  return fail(`no guest boots: ${tcg.why}`, 'apt-get install qemu-system-x86');
}

async function seeBridge({ shell }: CheckHostParts): Promise<Verdict> {
  const { stdout, exitCode } = await shell.exec(BRIDGE_ARGV);
  return judgeBridge(stdout, exitCode);
}

async function seeFirewall({ shell }: CheckHostParts): Promise<Verdict> {
  const [nft, legacy] = await Promise.all([shell.exec(RULESET_ARGV), out(shell, LEGACY_ARGV)]);
  return judgeFirewall(nft, legacy);
}

async function seeMetadataPort({ shell, metadataPort, login }: CheckHostParts): Promise<Verdict> {
  return judgeMetadataPort(await out(shell, metadataArgv(metadataPort)), metadataPort, login.remote);
}

async function seeClock({ shell, clock }: CheckHostParts): Promise<Verdict> {
  const beforeMs = clock.nowMs();
  return judgeClock(await out(shell, CLOCK_ARGV), beforeMs, clock.nowMs());
}

/** What a look could not even be taken for is a failure of its own. */
async function rowOf(check: Check, parts: CheckHostParts): Promise<HostCheckRow> {
  const verdict = await check.look(parts).catch((error: unknown) => {
    const mend = error instanceof CloudError ? error.details?.['mend'] : undefined;
    return fail(errorText(error), typeof mend === 'string' ? mend : undefined);
  });
  return { check: check.name, ...verdict };
}

/** Looks at a machine; nothing on it is changed. Rows in a fixed order; after a way in that is closed there are no more. */
export async function checkHost(parts: CheckHostParts): Promise<HostCheckRow[]> {
  const rows: HostCheckRow[] = [];
  for (const check of WAY_IN) {
    if (check.name === 'ssh' && !parts.login.remote) continue;
    const row = await rowOf(check, parts);
    rows.push(row);
    if (row.result === 'fail') return rows;
  }
  return [...rows, ...(await Promise.all(CHECKS.map((check) => rowOf(check, parts))))];
}
