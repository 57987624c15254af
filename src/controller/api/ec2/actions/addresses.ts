import { CloudError } from '../../../../base/errors.ts';
import { ID_PREFIX, isId } from '../../../../base/ids.ts';
import { interfaceId } from '../../../../domain/vpc-ids.ts';
import type { OperationOutput } from '../../../../messages/operations/index.ts';
import { tagSet, tagSpecifications } from '../common-params.ts';
import type { Ec2Actions, Ec2Call } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import type { Params } from '../params.ts';
import type { XmlTree } from '../xml-tree.ts';
import { askedPage } from './security-groups.ts';

type Address = OperationOutput<'DescribeAddresses'>['addresses'][number];

/** Before this version of the API all addresses were of the domain standard, and had no ids. */
const FIRST_WITH_VPC = '2011-01-01';

function addressTree({ accountOf, region }: Ec2Call, address: Address): XmlTree {
  const { publicIp, allocationId, domain, instanceId, associationId, privateIpAddress, projectId, tags } = address;
  if (domain === 'standard') return { publicIp, domain, instanceId: instanceId ?? '', tagSet: tagSet(tags) };
  return {
    ...{ publicIp, allocationId, domain, instanceId, associationId, privateIpAddress },
    ...(instanceId === undefined
      ? {}
      : { networkInterfaceId: interfaceId(instanceId), networkInterfaceOwnerId: accountOf(projectId) }),
    tagSet: tagSet(tags),
    publicIpv4Pool: 'amazon',
    networkBorderGroup: region,
  };
}

const whichAddress = (params: Params) =>
  given({ PublicIp: params.text('PublicIp') || undefined, AllocationId: params.text('AllocationId') || undefined });

/** The instance, by its id or by that of its only interface. */
function instanceFor(params: Params): string {
  const eni = params.text('NetworkInterfaceId');
  if (eni === undefined) return params.need('InstanceId');
  if (isId('networkInterface', eni))
    return `${ID_PREFIX.instance}-${eni.slice(`${ID_PREFIX.networkInterface}-`.length)}`;
  throw new CloudError('InvalidNetworkInterfaceID.NotFound', `NetworkInterfaceId: there is no ${eni.slice(0, 64)}`, {
    details: { parameter: 'NetworkInterfaceId' },
  });
}

function domainFor({ params, version }: Ec2Call): 'vpc' | 'standard' {
  const asked = params.text('Domain');
  if (asked === undefined || asked === '') return version < FIRST_WITH_VPC ? 'standard' : 'vpc';
  if (asked === 'vpc' || asked === 'standard') return asked;
  throw params.bad('Domain', 'must be vpc or standard');
}

export const addressesActions: Ec2Actions = {
  AllocateAddress: async (call) => {
    const { params, run, region } = call;
    const pool = params.text('PublicIpv4Pool');
    if (pool !== undefined && pool !== 'amazon') throw params.bad('PublicIpv4Pool', 'must be amazon, the only pool');
    const group = params.text('NetworkBorderGroup');
    if (group !== undefined && group !== region)
      throw params.bad('NetworkBorderGroup', `must be the region, ${region}`);
    const { address } = await run('AllocateAddress', {
      Domain: domainFor(call),
      ...given({ Address: params.text('Address'), Tags: tagSpecifications(params)['elastic-ip'] }),
    });
    const { publicIp, domain, allocationId } = address;
    if (domain === 'standard') return { publicIp, domain };
    return { publicIp, domain, allocationId, publicIpv4Pool: 'amazon', networkBorderGroup: region };
  },

  AssociateAddress: async ({ params, run }) => {
    const { address } = await run('AssociateAddress', {
      ...whichAddress(params),
      InstanceId: instanceFor(params),
      ...given({
        PrivateIpAddress: params.text('PrivateIpAddress'),
        AllowReassociation: params.bool('AllowReassociation'),
      }),
    });
    return { return: true, associationId: address.domain === 'standard' ? undefined : address.associationId };
  },

  DescribeAddresses: async (call) => {
    const { Filters } = askedPage(call);
    const { addresses } = await call.run(
      'DescribeAddresses',
      given({ PublicIps: call.params.list('PublicIp'), AllocationIds: call.params.list('AllocationId'), Filters }),
    );
    return { addressesSet: addresses.map((address) => addressTree(call, address)) };
  },

  /** The names of addresses elsewhere: there are none. */
  DescribeAddressesAttribute: async ({ params, run }) => {
    params.int('MaxResults');
    params.text('NextToken');
    const attribute = params.text('Attribute');
    if (attribute !== undefined && attribute !== 'domain-name') throw params.bad('Attribute', 'must be domain-name');
    const { addresses } = await run('DescribeAddresses', given({ AllocationIds: params.list('AllocationId') }));
    return { addressSet: addresses.map(({ publicIp, allocationId }) => ({ publicIp, allocationId })) };
  },

  DisassociateAddress: async ({ params, run }) => {
    await run(
      'DisassociateAddress',
      given({
        PublicIp: params.text('PublicIp') || undefined,
        AssociationId: params.text('AssociationId') || undefined,
      }),
    );
    return { return: true };
  },

  ReleaseAddress: async ({ params, run, region }) => {
    const group = params.text('NetworkBorderGroup');
    if (group !== undefined && group !== region)
      throw params.bad('NetworkBorderGroup', `must be the region, ${region}`);
    await run('ReleaseAddress', whichAddress(params));
    return { return: true };
  },
};
