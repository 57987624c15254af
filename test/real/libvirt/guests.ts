import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DomainSpec, Hypervisor, HypervisorEvent } from '../../../src/ports/hypervisor.ts';
import type { PrivateLibvirtd } from '../../support/private-libvirtd.ts';
import { writeStillImage, writeStillKernel } from '../../support/still-image.ts';
import { stillSpec } from '../../support/still-spec.ts';
import { until } from '../../support/until.ts';

/** The files of one instance as a compute worker lays them out: what is shared belongs to root, what is written to QEMU's user. */
export interface GuestFiles {
  readonly base: string;
  readonly kernel: string;
  readonly overlay: string;
  readonly console: string;
}

export function guestDir(daemon: PrivateLibvirtd): string {
  return join(daemon.dir, 'files');
}

/** A guest that boots its own raw still disk, readable by QEMU's user. */
export async function stillGuest(daemon: PrivateLibvirtd, number: number): Promise<DomainSpec> {
  const spec = stillSpec(number, guestDir(daemon));
  const path = spec.disks[0]?.source.path ?? '';
  writeStillImage(path, 0o600);
  await giveToQemu(daemon, path);
  return spec;
}

/** A guest with a kernel of its own, which prints STILL on the console, and a qcow2 overlay on a shared base image. */
export async function kernelGuest(
  daemon: PrivateLibvirtd,
  number: number,
): Promise<{ spec: DomainSpec; files: GuestFiles }> {
  const plain = stillSpec(number, guestDir(daemon));
  const dir = join(guestDir(daemon), plain.name);
  mkdirSync(dir, { mode: 0o711 });
  const files: GuestFiles = {
    base: join(guestDir(daemon), 'base.raw'),
    kernel: join(guestDir(daemon), 'kernel'),
    overlay: join(dir, 'disk.qcow2'),
    console: join(dir, 'console.log'),
  };
  writeStillImage(files.base, 0o644);
  writeStillKernel(files.kernel, 0o644);
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', files.base, files.overlay, '1M']);
  await giveToQemu(daemon, files.overlay);
  const disk = {
    source: { kind: 'file', path: files.overlay },
    format: 'qcow2',
    target: 'vda',
    bus: 'virtio',
  } as const;
  const spec: DomainSpec = {
    ...plain,
    boot: { kind: 'kernel', kernelPath: files.kernel, cmdline: 'console=ttyS0' },
    disks: [{ ...disk, cache: 'writeback', backing: { path: files.base, format: 'raw' } }],
    consoleLogPath: files.console,
  };
  return { spec, files };
}

let owner: { qemuUid: number; qemuGid: number } | undefined;

/** chown to whom libvirt runs QEMU as. */
export async function giveToQemu(daemon: PrivateLibvirtd, path: string): Promise<void> {
  owner ??= await daemon.withHypervisor((hypervisor) => hypervisor.facts());
  chownSync(path, owner.qemuUid, owner.qemuGid);
}

/** Events of one domain, as details in order. */
export function detailsOf(events: readonly HypervisorEvent[], uuid: string): string[] {
  return events.flatMap((event) => (event.kind === 'domain' && event.uuid === uuid ? [event.detail] : []));
}

export async function untilPower(hypervisor: Hypervisor, uuid: string, power: string): Promise<void> {
  const reached = async (): Promise<boolean> => (await hypervisor.lookup(uuid))?.power === power;
  await until(reached, { what: `${uuid} is ${power}`, timeoutMs: 30_000 });
  expect(await hypervisor.lookup(uuid)).toMatchObject({ power });
}
