import { uuidFrom } from '../../src/base/ids.ts';
import type { DomainSpec } from '../../src/ports/hypervisor.ts';

/**
 * A domain that is unlike those of other test processes, for libvirt names cgroups after domains, and two daemons of one machine share
 * those: one raw disk `<dir>/<name>.raw`, the console in `<dir>/<name>.log`.
 */
export function stillSpec(number: number, dir: string): DomainSpec {
  const name = `i-${String(process.pid).padStart(8, '0')}${String(number).padStart(9, '0')}`;
  return {
    name,
    uuid: uuidFrom('test', name),
    virtType: 'qemu',
    memoryMib: 32,
    vcpus: 1,
    boot: { kind: 'disk' },
    disks: [
      {
        source: { kind: 'file', path: `${dir}/${name}.raw` },
        format: 'raw',
        target: 'vda',
        bus: 'virtio',
        cache: 'writeback',
      },
    ],
    nics: [],
    consoleLogPath: `${dir}/${name}.log`,
    metadata: { cloudId: 'cloud-00000000000000001', instanceId: name, generation: 1 },
  };
}
