import type { DomainDisk, DomainNic, DomainSpec } from '../../../../../src/ports/hypervisor.ts';

const HOST_DIR = '/var/lib/novactl-host';
const ID = 'i-0123456789abcdef0';

const root: DomainDisk = {
  source: { kind: 'file', path: `${HOST_DIR}/instances/${ID}/disk.qcow2` },
  format: 'qcow2',
  target: 'vda',
  bus: 'virtio',
  cache: 'writeback',
  backing: { path: `${HOST_DIR}/images/0123abcd.raw`, format: 'raw' },
};
const volume: DomainDisk = {
  source: { kind: 'block', path: '/dev/etherd/e7.3' },
  format: 'raw',
  target: 'sda',
  bus: 'scsi',
  serial: 'vol0123456789abcdef0',
  cache: 'none',
};
const seed: DomainDisk = {
  source: { kind: 'file', path: `${HOST_DIR}/instances/${ID}/seed.img` },
  format: 'raw',
  target: 'vdb',
  bus: 'virtio',
  cache: 'writeback',
  readOnly: true,
};
const nic = (number: number): DomainNic => ({
  mac: `02:00:00:00:00:0${number}`,
  bridge: `nvb10${number}`,
  tap: `nvt0123456789${number}`,
});

const base: DomainSpec = {
  name: ID,
  uuid: '8c6a3a0f-4b4e-5d51-9d3c-0a6f1c2b3d4e',
  virtType: 'qemu',
  memoryMib: 512,
  vcpus: 1,
  boot: { kind: 'disk' },
  disks: [root],
  nics: [nic(1)],
  consoleLogPath: `${HOST_DIR}/instances/${ID}/console.log`,
  metadata: { cloudId: 'cloud-00000000000000001', instanceId: ID, generation: 3 },
};

const kernel = {
  kind: 'kernel',
  kernelPath: `${HOST_DIR}/images/kernel`,
  initrdPath: `${HOST_DIR}/images/initrd`,
  cmdline: 'console=ttyS0 root=/dev/vda',
} as const;

/** What each golden file test/golden/domain-xml/<key>.xml is the rendering of. */
export const DOMAIN_XML_CASES: Readonly<Record<string, DomainSpec>> = {
  'disk-boot-qemu': base,
  'disk-boot-kvm': { ...base, virtType: 'kvm', memoryMib: 2048, vcpus: 2 },
  'direct-kernel': { ...base, boot: kernel },
  'direct-kernel-no-initrd-no-disk': {
    ...base,
    boot: { kind: 'kernel', kernelPath: kernel.kernelPath, cmdline: '' },
    disks: [],
    nics: [],
  },
  'scsi-volume-with-serial': { ...base, disks: [root, volume] },
  'more-volumes-than-one-bus-had': {
    ...base,
    disks: [
      root,
      ...['sda', 'sdh', 'sdz', 'sdaa'].map((target, index) => ({ ...volume, target, serial: `vol${index}` })),
    ],
  },
  'read-only-seed': { ...base, disks: [root, seed] },
  'several-nics': { ...base, nics: [nic(1), { ...nic(2), mtu: 1450 }, nic(3)] },
  'no-nics': { ...base, nics: [] },
  'raw-root-without-backing': {
    ...base,
    disks: [
      { source: { kind: 'file', path: '/srv/disk.raw' }, format: 'raw', target: 'vda', bus: 'virtio', cache: 'none' },
    ],
  },
  'weird-characters': {
    ...base,
    name: `a<b>&"c'd`,
    boot: { ...kernel, cmdline: `quiet init="/bin/sh -c 'echo <&>'" ünïcode=☃ 日本` },
    disks: [{ ...root, source: { kind: 'file', path: `/srv/it's <a> "disk" & more/ü.qcow2` } }],
    consoleLogPath: `/srv/tab\tand'quote.log`,
    metadata: { cloudId: `c"l'o<u>d&`, instanceId: ID, generation: 4_294_967_296 },
  },
};
