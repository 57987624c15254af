import type { Model, Shape } from './model-walk.ts';

type Members = NonNullable<Shape['members']>;

const text = (locationName: string): Members[string] => ({ shape: 'String', locationName });

/**
 * What EC2 answers that the oldest botocore under test does not know yet; all of it is in @aws-sdk/client-ec2 and in newer botocores. Where a model
 * has a member of that name, the model's counts.
 */
const OPERATIONS: Readonly<Record<string, string>> = {
  DeleteKeyPair: 'DeleteKeyPairResult',
  DeleteSecurityGroup: 'DeleteSecurityGroupResult',
  GetSecurityGroupsForVpc: 'GetSecurityGroupsForVpcResult',
};

const REVOKED: Members = {
  Return: { shape: 'Boolean', locationName: 'return' },
  RevokedSecurityGroupRules: { shape: 'RevokedSecurityGroupRuleList', locationName: 'revokedSecurityGroupRuleSet' },
};

const MEMBERS: Readonly<Record<string, Members>> = {
  CreateSecurityGroupResult: { SecurityGroupArn: text('securityGroupArn') },
  DeleteKeyPairResult: { Return: { shape: 'Boolean', locationName: 'return' }, KeyPairId: text('keyPairId') },
  DeleteSecurityGroupResult: { Return: { shape: 'Boolean', locationName: 'return' }, GroupId: text('groupId') },
  GetSecurityGroupsForVpcResult: {
    NextToken: text('nextToken'),
    SecurityGroupForVpcs: { shape: 'SecurityGroupForVpcList', locationName: 'securityGroupForVpcSet' },
  },
  Image: { SourceImageId: text('sourceImageId'), SourceInstanceId: text('sourceInstanceId') },
  RevokeSecurityGroupEgressResult: REVOKED,
  RevokeSecurityGroupIngressResult: REVOKED,
  RevokedSecurityGroupRule: {
    SecurityGroupRuleId: text('securityGroupRuleId'),
    GroupId: text('groupId'),
    IsEgress: { shape: 'Boolean', locationName: 'isEgress' },
    IpProtocol: text('ipProtocol'),
    FromPort: { shape: 'Integer', locationName: 'fromPort' },
    ToPort: { shape: 'Integer', locationName: 'toPort' },
    CidrIpv4: text('cidrIpv4'),
    CidrIpv6: text('cidrIpv6'),
    PrefixListId: text('prefixListId'),
    ReferencedGroupId: text('referencedGroupId'),
    Description: text('description'),
  },
  SecurityGroup: { SecurityGroupArn: text('securityGroupArn') },
  SecurityGroupForVpc: {
    Description: text('description'),
    GroupName: text('groupName'),
    OwnerId: text('ownerId'),
    GroupId: text('groupId'),
    Tags: { shape: 'TagList', locationName: 'tagSet' },
    PrimaryVpcId: text('primaryVpcId'),
  },
  SecurityGroupRule: { SecurityGroupRuleArn: text('securityGroupRuleArn') },
};

const LISTS: Readonly<Record<string, string>> = {
  RevokedSecurityGroupRuleList: 'RevokedSecurityGroupRule',
  SecurityGroupForVpcList: 'SecurityGroupForVpc',
};

/** Values that are right though the model's enumeration has not got them. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  // EC2 itself says this of internet gateways; clients wait for it.
  AttachmentStatus: ['available'],
  // Types are each cloud's own.
  InstanceType: ['m1.nano', 'm1.tiny'],
};

export function withNewer(model: Model): Model {
  const shapes: Record<string, Shape> = {
    String: { type: 'string' },
    Boolean: { type: 'boolean' },
    Integer: { type: 'integer' },
    ...model.shapes,
  };
  for (const [name, shape] of Object.entries(LISTS)) {
    shapes[name] ??= { type: 'list', member: { shape, locationName: 'item' } };
  }
  for (const [name, members] of Object.entries(MEMBERS)) {
    const known = shapes[name] ?? { type: 'structure' };
    shapes[name] = { ...known, members: { ...members, ...known.members } };
  }
  for (const [name, more] of Object.entries(VALUES)) {
    const known = shapes[name];
    if (known?.enum !== undefined) shapes[name] = { ...known, enum: [...known.enum, ...more] };
  }
  const operations: Record<string, string | null> = { ...model.operations };
  for (const [name, shape] of Object.entries(OPERATIONS)) operations[name] ??= shape;
  return { operations, shapes };
}
