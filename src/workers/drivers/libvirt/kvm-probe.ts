import { randomHex, type Random } from '../../../base/random.ts';
import type { HostShell } from '../../../ports/host-shell.ts';

const SECTOR_BYTES = 512;

/**
 * x86 code for 0000:7C00: enters 64-bit mode with paging, counts to 2^24, writes 16 to port 0xf4, halts. Real mode alone would prove
 * too little: a KVM that emulates it, and then fails or crawls in 64-bit mode, exists. Keep equal to packaging/libvirtd-start.
 */
const PROBE_CODE_HEX =
  'fa31c08ed88ec08ed0bc007c66bf001000000f22df6631c066b9000c000066f3abc70600100320c70600200330c706003083000f20e00c200f22e066b9800000' +
  'c00f32660d000100000f300f0116987c0f20c0660d010000800f22c0ea617c0800b8100000008ed8b90000000148ffc975fbb010e6f4f4ebfd0f1f8000000000' +
  '000000000000000000000000009a200000000000009200001700807c';

/** isa-debug-exit ends QEMU with (value << 1) | 1. */
const GUEST_RAN = 33;
const KILLED = 137;
const NOT_INSTALLED = 127;
/** A working KVM needs well under a second. */
const PROBE_SECONDS = 10;
const SHELL_TIMEOUT_MS = 30_000;

export interface KvmVerdict {
  readonly works: boolean;
  /** For people: what was seen. */
  readonly why: string;
}

/** The probe as a bootable disk: the code, zeros, 55 AA. */
export function kvmProbeSector(): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  Buffer.from(PROBE_CODE_HEX, 'hex').copy(sector);
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return sector;
}

/** argv that boots the sector at `path`; exit status 33 says that the guest's code ran to its end. */
export function kvmProbeArgv(path: string, accelerator: 'kvm' | 'tcg'): string[] {
  return [
    ...['timeout', '-s', 'KILL', String(PROBE_SECONDS), 'qemu-system-x86_64'],
    ...['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'qemu64', '-machine', 'pc', '-m', '16'],
    ...['-display', 'none', '-nodefaults', '-no-user-config'],
    ...['-drive', `file=${path},format=raw,if=floppy,readonly=on`],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4'],
  ];
}

/** What the exit status and the last words of QEMU mean. */
export function kvmVerdict(exitCode: number, stderr: string, under = 'KVM'): KvmVerdict {
  if (exitCode === GUEST_RAN) return { works: true, why: `a guest ran under ${under}` };
  if (exitCode === KILLED) {
    return { works: false, why: `a guest that needs milliseconds did not end in ${PROBE_SECONDS} s under ${under}` };
  }
  if (exitCode === NOT_INSTALLED) return { works: false, why: 'qemu-system-x86_64 is not installed' };
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const said = lines.find((line) => !line.includes('warning:')) ?? lines.at(-1) ?? 'nothing';
  return { works: false, why: `QEMU ended with status ${exitCode}: ${said.slice(0, 200)}` };
}

interface ProbeOptions {
  readonly random: Random;
  /** Whom libvirt runs QEMU as (HypervisorFacts.qemuUid); absent: whoever our commands run as. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Really boots a guest under KVM. x86-64 only. Never throws for a host without KVM; HostShell's own errors pass through. */
export async function kvmBootsGuest(shell: HostShell, options: ProbeOptions): Promise<KvmVerdict> {
  const device = await shell.exec(['test', '-c', '/dev/kvm']);
  if (device.exitCode !== 0) return { works: false, why: 'there is no /dev/kvm on that host' };
  return bootsGuest(shell, 'kvm', options);
}

/** The same under software emulation. */
export function tcgBootsGuest(shell: HostShell, options: ProbeOptions): Promise<KvmVerdict> {
  return bootsGuest(shell, 'tcg', options);
}

async function bootsGuest(
  shell: HostShell,
  accelerator: 'kvm' | 'tcg',
  { random, owner }: ProbeOptions,
): Promise<KvmVerdict> {
  const path = `/tmp/novactl-kvm-${randomHex(random, 16)}.img`;
  const asOwner =
    owner === undefined ? [] : ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups'];
  await shell.writeFile(path, kvmProbeSector(), { mode: 0o644 });
  try {
    const argv = [...asOwner, ...kvmProbeArgv(path, accelerator)];
    const { exitCode, stderr } = await shell.exec(argv, { timeoutMs: SHELL_TIMEOUT_MS });
    return kvmVerdict(exitCode, stderr, accelerator === 'kvm' ? 'KVM' : 'software emulation');
  } finally {
    await shell.exec(['rm', '-f', path]);
  }
}
