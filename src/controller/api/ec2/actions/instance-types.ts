import type { OperationOutput } from '../../../../messages/operations/index.ts';
import { type FilterFields, matchesFilters, requireFilters } from '../../../operations/filters.ts';
import { pageParams } from '../common-params.ts';
import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import { refusePage } from '../id-params.ts';
import { rowPage } from '../row-pages.ts';
import type { XmlTree } from '../xml-tree.ts';

type TypeView = OperationOutput<'DescribeInstanceTypes'>['instanceTypes'][number];

const describeInstanceTypes: Ec2Action = async (call) => {
  const { Filters, ...page } = pageParams(call.params);
  refusePage(page, 5, 100);
  const asked = given({ InstanceTypes: call.params.list('InstanceType'), Filters });
  const { instanceTypes } = await call.run('DescribeInstanceTypes', asked);
  const { rows, nextToken } = rowPage(instanceTypes, ({ instanceType }) => instanceType, page);
  return { instanceTypeSet: rows.map(typeTree), nextToken };
};

function typeTree({ instanceType, vcpus, memoryMib, diskGib, architectures = [] }: TypeView): XmlTree {
  return {
    instanceType,
    currentGeneration: true,
    freeTierEligible: false,
    supportedUsageClasses: ['on-demand'],
    supportedRootDeviceTypes: ['instance-store'],
    supportedVirtualizationTypes: ['hvm'],
    bareMetal: false,
    processorInfo: { supportedArchitectures: [...architectures] },
    vCpuInfo: { defaultVCpus: vcpus, defaultCores: vcpus, defaultThreadsPerCore: 1 },
    memoryInfo: { sizeInMiB: memoryMib },
    instanceStorageSupported: diskGib > 0,
    ...(diskGib === 0
      ? {}
      : { instanceStorageInfo: { totalSizeInGB: diskGib, disks: [{ sizeInGB: diskGib, count: 1 }] } }),
    ebsInfo: { ebsOptimizedSupport: 'unsupported', encryptionSupport: 'unsupported', nvmeSupport: 'unsupported' },
    networkInfo: {
      maximumNetworkInterfaces: 1,
      maximumNetworkCards: 1,
      defaultNetworkCardIndex: 0,
      ipv4AddressesPerInterface: 1,
      ipv6AddressesPerInterface: 0,
      ipv6Supported: false,
      enaSupport: 'unsupported',
      efaSupported: false,
    },
    placementGroupInfo: { supportedStrategies: [] },
    hibernationSupported: false,
    burstablePerformanceSupported: false,
    dedicatedHostsSupported: false,
    autoRecoverySupported: false,
    supportedBootModes: ['legacy-bios'],
  };
}

interface Offering {
  readonly instanceType: string;
  readonly locationType: string;
  readonly location: string;
}

const OFFERING_FIELDS: FilterFields<Offering> = {
  'instance-type': (row) => row.instanceType,
  location: (row) => row.location,
};

const LOCATION_TYPES = ['region', 'availability-zone'];

/** Every type is offered everywhere: whether there is room is another question. */
const describeOfferings: Ec2Action = async (call) => {
  const { Filters = [], ...page } = pageParams(call.params);
  refusePage(page, 5, 1000);
  requireFilters(Filters, OFFERING_FIELDS);
  const locationType = call.params.text('LocationType') ?? 'region';
  if (!LOCATION_TYPES.includes(locationType)) {
    throw call.params.bad(
      'LocationType',
      `must be ${LOCATION_TYPES.join(' or ')}, not ${JSON.stringify(locationType)}`,
    );
  }
  const { instanceTypes } = await call.run('DescribeInstanceTypes', {});
  const locations = locationType === 'region' ? [call.region] : call.zones;
  const offerings = instanceTypes.flatMap(({ instanceType }) =>
    locations.map((location): Offering => ({ instanceType, locationType, location })),
  );
  const wanted = offerings.filter((row) => matchesFilters(row, Filters, OFFERING_FIELDS));
  const { rows, nextToken } = rowPage(wanted, (row) => `${row.instanceType}/${row.location}`, page);
  return { instanceTypeOfferingSet: rows.map((row) => ({ ...row })), nextToken };
};

export const instanceTypesActions: Ec2Actions = {
  DescribeInstanceTypeOfferings: describeOfferings,
  DescribeInstanceTypes: describeInstanceTypes,
};
