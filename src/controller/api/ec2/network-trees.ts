import type { OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import { arn } from './group-trees.ts';
import type { XmlTree } from './xml-tree.ts';

type VpcView = OperationOutput<'DescribeVpcs'>['vpcs'][number];
type SubnetView = OperationOutput<'DescribeSubnets'>['subnets'][number];
type RouteTableView = OperationOutput<'DescribeRouteTables'>['routeTables'][number];
type InternetGatewayView = OperationOutput<'DescribeInternetGateways'>['internetGateways'][number];
type InterfaceView = OperationOutput<'DescribeNetworkInterfaces'>['networkInterfaces'][number];
type AclView = OperationOutput<'DescribeNetworkAcls'>['networkAcls'][number];
type DhcpView = OperationOutput<'DescribeDhcpOptions'>['dhcpOptions'][number];

export function vpcTree(call: Ec2Call, vpc: VpcView): XmlTree {
  return {
    vpcId: vpc.vpcId,
    ownerId: call.accountOf(vpc.projectId),
    state: 'available',
    cidrBlock: vpc.cidrBlock,
    cidrBlockAssociationSet: [
      {
        associationId: `vpc-cidr-assoc-${vpc.vpcId.slice('vpc-'.length)}`,
        cidrBlock: vpc.cidrBlock,
        cidrBlockState: { state: 'associated' },
      },
    ],
    dhcpOptionsId: vpc.dhcpOptionsId,
    instanceTenancy: 'default',
    isDefault: vpc.isDefault,
    tagSet: tagSet(vpc.tags),
  };
}

export function subnetTree(call: Ec2Call, subnet: SubnetView): XmlTree {
  return {
    subnetId: subnet.subnetId,
    subnetArn: arn(call, subnet.projectId, 'subnet', subnet.subnetId),
    state: 'available',
    ownerId: call.accountOf(subnet.projectId),
    vpcId: subnet.vpcId,
    cidrBlock: subnet.cidrBlock,
    ipv6CidrBlockAssociationSet: [],
    availableIpAddressCount: subnet.availableIpAddressCount,
    availabilityZone: subnet.availabilityZone,
    availabilityZoneId: subnet.availabilityZone,
    defaultForAz: subnet.defaultForAz,
    mapPublicIpOnLaunch: false,
    mapCustomerOwnedIpOnLaunch: false,
    assignIpv6AddressOnCreation: false,
    enableDns64: false,
    ipv6Native: false,
    privateDnsNameOptionsOnLaunch: {
      hostnameType: 'ip-name',
      enableResourceNameDnsARecord: false,
      enableResourceNameDnsAAAARecord: false,
    },
    tagSet: tagSet(subnet.tags),
  };
}

export function routeTableTree(call: Ec2Call, table: RouteTableView): XmlTree {
  return {
    routeTableId: table.routeTableId,
    vpcId: table.vpcId,
    ownerId: call.accountOf(table.projectId),
    routeSet: table.routes,
    associationSet: table.associations.map((association) => ({
      ...association,
      routeTableId: table.routeTableId,
      associationState: { state: 'associated' },
    })),
    propagatingVgwSet: [],
    tagSet: tagSet(table.tags),
  };
}

export function internetGatewayTree(call: Ec2Call, gateway: InternetGatewayView): XmlTree {
  const { internetGatewayId, vpcId, projectId, tags } = gateway;
  return {
    internetGatewayId,
    ownerId: call.accountOf(projectId),
    // EC2 says "available" here, whatever its reference says.
    attachmentSet: vpcId === undefined ? [] : [{ vpcId, state: 'available' }],
    tagSet: tagSet(tags),
  };
}

export function attachmentTree(call: Ec2Call, nic: InterfaceView): XmlTree {
  return {
    attachmentId: nic.attachmentId,
    instanceId: nic.instanceId,
    instanceOwnerId: call.accountOf(nic.projectId),
    deviceIndex: 0,
    networkCardIndex: 0,
    status: nic.attached ? 'attached' : 'attaching',
    attachTime: new Date(nic.attachTimeMs).toISOString(),
    deleteOnTermination: true,
  };
}

export function interfaceTree(call: Ec2Call, nic: InterfaceView): XmlTree {
  const owner = call.accountOf(nic.projectId);
  const { privateIpAddress, privateDnsName } = nic;
  const association =
    nic.association === undefined ? undefined : { ...nic.association, ipOwnerId: owner, publicDnsName: '' };
  return {
    networkInterfaceId: nic.networkInterfaceId,
    subnetId: nic.subnetId,
    vpcId: nic.vpcId,
    availabilityZone: nic.availabilityZone,
    description: '',
    ownerId: owner,
    requesterManaged: false,
    status: 'in-use',
    macAddress: nic.macAddress,
    privateIpAddress,
    privateDnsName,
    sourceDestCheck: true,
    groupSet: nic.groups,
    attachment: attachmentTree(call, nic),
    association,
    privateIpAddressesSet: [{ privateIpAddress, privateDnsName, primary: true, association }],
    ipv6AddressesSet: [],
    interfaceType: 'interface',
    tagSet: tagSet(nic.tags),
  };
}

/** EC2's number of the rule that refuses what no other lets through. */
const LAST_RULE = 32_767;

export function aclTree(call: Ec2Call, acl: AclView): XmlTree {
  const entry = (ruleNumber: number, ruleAction: string, egress: boolean): XmlTree => ({
    ruleNumber,
    protocol: '-1',
    ruleAction,
    egress,
    cidrBlock: '0.0.0.0/0',
  });
  return {
    networkAclId: acl.networkAclId,
    vpcId: acl.vpcId,
    ownerId: call.accountOf(acl.projectId),
    default: true,
    entrySet: [true, false].flatMap((egress) => [entry(100, 'allow', egress), entry(LAST_RULE, 'deny', egress)]),
    associationSet: acl.associations.map((one) => ({ ...one, networkAclId: acl.networkAclId })),
    tagSet: tagSet(acl.tags),
  };
}

export function dhcpTree(call: Ec2Call, options: DhcpView): XmlTree {
  const row = (key: string, values: readonly string[]): XmlTree => ({
    key,
    valueSet: values.map((value) => ({ value })),
  });
  return {
    dhcpOptionsId: options.dhcpOptionsId,
    ownerId: call.accountOf(options.projectId),
    dhcpConfigurationSet: [
      row('domain-name', [options.domainName]),
      row('domain-name-servers', options.domainNameServers),
    ],
    tagSet: tagSet(options.tags),
  };
}
