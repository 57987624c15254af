import { CloudError } from '../../../../base/errors.ts';
import { type FilterFields, matchesFilters, requireFilters } from '../../../operations/filters.ts';
import { pageParams } from '../common-params.ts';
import type { Ec2Action, Ec2Actions, Ec2Call } from '../ec2-action.ts';
import type { XmlTree } from '../xml-tree.ts';

type Region = Ec2Call['regions'][number];

const OPT_IN = 'opt-in-not-required';

const REGION_FIELDS: FilterFields<Region> = {
  endpoint: ({ endpoint }) => endpoint,
  'opt-in-status': () => OPT_IN,
  'region-name': ({ name }) => name,
};

/** All that were named are there, or the first that is not is refused. */
function refuseUnknown(parameter: string, asked: readonly string[] | undefined, known: readonly string[]): void {
  const unknown = asked?.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new CloudError(
    'InvalidParameterValue',
    `${parameter}: there is no ${JSON.stringify(unknown.slice(0, 64))}; there are: ${known.join(', ')}`,
    { details: { parameter } },
  );
}

const describeRegions: Ec2Action = ({ params, regions }) => {
  // There is none that would have to be opted in.
  params.bool('AllRegions');
  const names = params.list('RegionName');
  const { Filters = [] } = pageParams(params);
  requireFilters(Filters, REGION_FIELDS);
  refuseUnknown(
    'RegionName',
    names,
    regions.map(({ name }) => name),
  );
  const rows = regions
    .filter(({ name }) => names === undefined || names.includes(name))
    .filter((region) => matchesFilters(region, Filters, REGION_FIELDS));
  return Promise.resolve({
    regionInfo: rows.map(({ name, endpoint }) => ({
      regionName: name,
      regionEndpoint: endpoint,
      optInStatus: OPT_IN,
    })),
  });
};

interface Zone {
  readonly name: string;
  readonly id: string;
  readonly region: string;
}

const ZONE_FIELDS: FilterFields<Zone> = {
  'group-name': ({ region }) => region,
  message: () => undefined,
  'opt-in-status': () => OPT_IN,
  'region-name': ({ region }) => region,
  state: () => 'available',
  'zone-id': ({ id }) => id,
  'zone-name': ({ name }) => name,
  'zone-type': () => 'availability-zone',
};

const describeAvailabilityZones: Ec2Action = ({ params, region, zones }) => {
  params.bool('AllAvailabilityZones');
  const names = params.list('ZoneName');
  const ids = params.list('ZoneId');
  const { Filters = [] } = pageParams(params);
  requireFilters(Filters, ZONE_FIELDS);
  const all = zones.map((name, index): Zone => ({ name, id: `${region}-az${index + 1}`, region }));
  refuseUnknown('ZoneName', names, zones);
  refuseUnknown(
    'ZoneId',
    ids,
    all.map(({ id }) => id),
  );
  const rows = all
    .filter(({ name, id }) => (names?.includes(name) ?? true) && (ids?.includes(id) ?? true))
    .filter((zone) => matchesFilters(zone, Filters, ZONE_FIELDS));
  return Promise.resolve({
    availabilityZoneInfo: rows.map(({ name, id }) => ({
      zoneName: name,
      zoneState: 'available',
      regionName: region,
      messageSet: [],
      zoneId: id,
      groupName: region,
      networkBorderGroup: region,
      optInStatus: OPT_IN,
      zoneType: 'availability-zone',
    })),
  });
};

const describeAccountAttributes: Ec2Action = async (call) => {
  const asked = call.params.list('AttributeName');
  const { limits, defaultVpcId } = await call.run('DescribeAccountAttributes', {});
  const values: Readonly<Record<string, string>> = {
    'default-vpc': defaultVpcId,
    'max-elastic-ips': String(limits.addresses),
    'max-instances': String(limits.instances),
    'supported-platforms': 'VPC',
    'vpc-max-elastic-ips': String(limits.addresses),
    'vpc-max-security-groups-per-interface': '5',
  };
  refuseUnknown('AttributeName', asked, Object.keys(values));
  const rows = Object.entries(values).filter(([name]) => asked === undefined || asked.includes(name));
  return {
    accountAttributeSet: rows.map(([attributeName, attributeValue]): XmlTree => ({
      attributeName,
      attributeValueSet: [{ attributeValue }],
    })),
  };
};

export const accountActions: Ec2Actions = {
  DescribeAccountAttributes: describeAccountAttributes,
  DescribeAvailabilityZones: describeAvailabilityZones,
  DescribeRegions: describeRegions,
};
