import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError } from '../../base/errors.ts';
import { ID_PREFIX, type IdKind } from '../../base/ids.ts';
import type { PublicAddressRecord } from '../../domain/address.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord, KeyPairRecord } from '../../domain/records.ts';
import type { SecurityGroupRecord } from '../../domain/security-groups.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { VolumeRecord } from '../../domain/volume.ts';
import { type NetworkPart, partId } from '../../domain/vpc-ids.ts';
import type { VpcRecord } from '../../domain/vpcs.ts';
import { groupOf, groupsIn } from '../networks/security-groups.ts';
import { type NetworkCloud, vpcsOf } from '../networks/vpcs.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUse } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

/** Whose something is, and EC2's word for what it is. */
export interface Tagged {
  readonly resourceId: string;
  readonly projectId: string;
  readonly kind: string;
}

interface Asked {
  readonly draft: Draft;
  readonly cloud: NetworkCloud;
  readonly principal: Principal;
  readonly id: string;
}

interface Row {
  readonly id: IdKind;
  readonly kind: string;
  readonly notFound: ErrorCode;
  /** The project that it belongs to, guarded as far as its record goes; undefined: there is none that the caller may use. */
  readonly projectOf: (asked: Asked) => string | undefined;
}

type Owned = { readonly projectId: string } | undefined;

const own = (record: Owned, { principal }: Asked): string | undefined =>
  record !== undefined && mayUse(principal, record.projectId) ? record.projectId : undefined;

const image = (id: 'image' | 'kernel' | 'ramdisk'): Row => ({
  id,
  kind: 'image',
  notFound: 'InvalidAMIID.NotFound',
  projectOf: (asked) => own(asked.draft.get<ImageRecord>(KEYS.image(asked.id)), asked),
});

/** A part of a VPC of the caller's own project, which may be there without a record. */
const partOfVpc = (
  id: IdKind,
  kind: string,
  notFound: ErrorCode,
  isPart: (vpc: VpcRecord, id: string) => boolean,
): Row => ({
  id,
  kind,
  notFound,
  projectOf: ({ draft, cloud, principal, id: asked }) =>
    vpcsOf(draft, cloud, principal.projectId).some((vpc) => isPart(vpc, asked)) ? principal.projectId : undefined,
});

const derived =
  (part: NetworkPart) =>
  (vpc: VpcRecord, id: string): boolean =>
    partId(vpc.id, part) === id;

/** Everything that can have tags, by the prefix of its id. */
const ROWS: readonly Row[] = [
  {
    id: 'instance',
    kind: 'instance',
    notFound: 'InvalidInstanceID.NotFound',
    projectOf: (asked) => own(asked.draft.get<InstanceRecord>(KEYS.instance(asked.id)), asked),
  },
  image('image'),
  image('kernel'),
  image('ramdisk'),
  {
    id: 'keyPair',
    kind: 'key-pair',
    notFound: 'InvalidKeyPair.NotFound',
    projectOf: ({ draft, principal, id }) => {
      const rows = draft.replica.range<KeyPairRecord>(`${PREFIX.keyPair}${principal.projectId}/`);
      const found = rows.find(({ value }) => value.id === id);
      return found === undefined ? undefined : draft.get<KeyPairRecord>(found.key)?.projectId;
    },
  },
  {
    id: 'volume',
    kind: 'volume',
    notFound: 'InvalidVolume.NotFound',
    projectOf: (asked) => own(asked.draft.get<VolumeRecord>(KEYS.volume(asked.id)), asked),
  },
  {
    id: 'snapshot',
    kind: 'snapshot',
    notFound: 'InvalidSnapshot.NotFound',
    projectOf: (asked) => own(asked.draft.get<SnapshotRecord>(KEYS.snapshot(asked.id)), asked),
  },
  {
    id: 'allocation',
    kind: 'elastic-ip',
    notFound: 'InvalidAllocationID.NotFound',
    projectOf: (asked) => {
      const rows = asked.draft.replica.range<PublicAddressRecord>(PREFIX.publicAddress);
      const found = rows.find(({ value }) => value.allocationId === asked.id);
      return found === undefined ? undefined : own(asked.draft.get<PublicAddressRecord>(found.key), asked);
    },
  },
  {
    id: 'securityGroup',
    kind: 'security-group',
    notFound: 'InvalidGroup.NotFound',
    projectOf: ({ draft, cloud, principal, id }) => groupOf(draft, cloud, principal.projectId, id)?.projectId,
  },
  {
    id: 'securityGroupRule',
    kind: 'security-group-rule',
    notFound: 'InvalidSecurityGroupRuleId.NotFound',
    projectOf: ({ draft, cloud, principal, id }) => {
      const hasRule = ({ rules }: SecurityGroupRecord): boolean => rules.some((rule) => rule.id === id);
      return groupsIn(draft, cloud, principal.projectId).find(hasRule)?.projectId;
    },
  },
  partOfVpc('vpc', 'vpc', 'InvalidVpcID.NotFound', (vpc, id) => vpc.id === id),
  partOfVpc('subnet', 'subnet', 'InvalidSubnetID.NotFound', (vpc, id) => vpc.subnets.some((one) => one.id === id)),
  partOfVpc('routeTable', 'route-table', 'InvalidRouteTableID.NotFound', (vpc, id) =>
    vpc.routeTables.some((one) => one.id === id),
  ),
  {
    id: 'internetGateway',
    kind: 'internet-gateway',
    notFound: 'InvalidInternetGatewayID.NotFound',
    projectOf: ({ draft, cloud, principal: { projectId }, id }) => {
      const isStored = draft.get(KEYS.internetGateway(projectId, id)) !== undefined;
      const isOfVpc = vpcsOf(draft, cloud, projectId).some((vpc) => vpc.internetGatewayId === id);
      return isStored || isOfVpc ? projectId : undefined;
    },
  },
  partOfVpc('dhcpOptions', 'dhcp-options', 'InvalidDhcpOptionsID.NotFound', derived('dhcpOptions')),
  partOfVpc('networkAcl', 'network-acl', 'InvalidNetworkAclID.NotFound', derived('networkAcl')),
  {
    id: 'networkInterface',
    kind: 'network-interface',
    notFound: 'InvalidNetworkInterfaceID.NotFound',
    projectOf: (asked) => {
      const record = asked.draft.get<InstanceRecord>(KEYS.instance(`i-${asked.id.slice('eni-'.length)}`));
      return record?.state === 'terminated' ? undefined : own(record, asked);
    },
  },
];

/** What an id names, if it is the caller's. Errors: 'InvalidID' (no kind of thing that has tags), and EC2's "not found" of each kind. */
export function taggedResource(draft: Draft, cloud: NetworkCloud, principal: Principal, id: string): Tagged {
  const row = ROWS.find((one) => id.startsWith(`${ID_PREFIX[one.id]}-`));
  if (row === undefined) {
    throw new CloudError('InvalidID', `ResourceId: ${id} is no id of something that can have tags`, {
      details: { parameter: 'ResourceId' },
    });
  }
  const projectId = row.projectOf({ draft, cloud, principal, id });
  if (projectId !== undefined) return { resourceId: id, projectId, kind: row.kind };
  throw new CloudError(row.notFound, `ResourceId: there is no ${row.kind} ${id}`, {
    details: { parameter: 'ResourceId', resourceId: id },
  });
}
