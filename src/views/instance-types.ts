import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';

type InstanceTypeView = OperationOutput<'DescribeInstanceTypes'>['instanceTypes'][number];

const COLUMNS: readonly Column<InstanceTypeView>[] = [
  { name: 'type', fixed: true, text: (row) => row.instanceType },
  { name: 'vcpus', right: true, text: (row) => String(row.vcpus) },
  { name: 'memory-mib', right: true, text: (row) => String(row.memoryMib) },
  { name: 'disk-gib', right: true, text: (row) => String(row.diskGib) },
];

export function instanceTypeListing(output: OperationOutput<'DescribeInstanceTypes'>): Listing<InstanceTypeView> {
  return {
    columns: COLUMNS,
    rows: output.instanceTypes,
    id: (row) => row.instanceType,
    data: (kept) => ({ ...output, instanceTypes: kept }),
    empty: 'no instance types',
  };
}
