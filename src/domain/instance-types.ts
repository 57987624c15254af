import type { InstanceTypeRecord } from './records.ts';

const type = (name: string, memoryMib: number, vcpus: number, diskGib: number): InstanceTypeRecord => ({
  v: 1,
  name,
  vcpus,
  memoryMib,
  diskGib,
});

/** The types a new cloud begins with. A disk of 0 GiB is as large as its image. */
export const DEFAULT_INSTANCE_TYPES: readonly InstanceTypeRecord[] = [
  type('m1.nano', 128, 1, 0),
  type('m1.tiny', 512, 1, 0),
  type('m1.small', 2048, 1, 20),
  type('m1.medium', 4096, 2, 40),
  type('m1.large', 8192, 4, 80),
  type('m1.xlarge', 16384, 8, 160),
];
