import type { InstanceSpec } from '../messages/worker.ts';
import type { DomainDisk, DomainSpec } from '../ports/hypervisor.ts';

/** What the worker adds to the controller's specification: where things are on this host. */
export interface HostChoices {
  readonly generation: number;
  readonly virtType: 'kvm' | 'qemu';
  readonly consoleLogPath: string;
  readonly diskPath: string;
  readonly basePath: string;
  readonly seedPath?: string;
  readonly kernelPath?: string;
  readonly ramdiskPath?: string;
}

/** A disk and no CD-ROM: every guest that finds its root disk has the driver for this one too, and cloud-init looks for the label alone. */
function seedDisk(path: string): DomainDisk {
  return {
    source: { kind: 'file', path },
    format: 'raw',
    target: 'vdb',
    bus: 'virtio',
    serial: 'novactl-seed',
    cache: 'writeback',
    readOnly: true,
  };
}

/** Policy: which bus, cache mode and boot an instance gets. Rendering it is the driver's. */
export function designDomain(spec: InstanceSpec, choices: HostChoices): DomainSpec {
  return {
    name: spec.instanceId,
    uuid: spec.domainUuid,
    virtType: choices.virtType,
    memoryMib: spec.memoryMib,
    vcpus: spec.vcpus,
    boot:
      choices.kernelPath === undefined
        ? { kind: 'disk' }
        : {
            kind: 'kernel',
            kernelPath: choices.kernelPath,
            ...(choices.ramdiskPath === undefined ? {} : { initrdPath: choices.ramdiskPath }),
            cmdline: spec.kernelArgs,
          },
    disks: [
      {
        source: { kind: 'file', path: choices.diskPath },
        format: 'qcow2',
        target: 'vda',
        bus: 'virtio',
        cache: 'none',
        backing: { path: choices.basePath, format: spec.image.format === 'qcow2' ? 'qcow2' : 'raw' },
      },
      ...(choices.seedPath === undefined ? [] : [seedDisk(choices.seedPath)]),
    ],
    nics: [{ mac: spec.port.mac, bridge: spec.network.bridge, tap: spec.port.tap, mtu: spec.network.mtu }],
    consoleLogPath: choices.consoleLogPath,
    metadata: { cloudId: spec.cloudId, instanceId: spec.instanceId, generation: choices.generation },
  };
}
