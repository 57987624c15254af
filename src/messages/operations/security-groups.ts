import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Filter, MaxResults, NextToken, Tags } from './fields.ts';

/** An id that is not well-formed is refused where it is looked up, by EC2's code for that. */
const Id = z.string().min(1).max(64);
const Ids = z.array(Id).max(1000).optional();
/** EC2's own set of characters. */
const Text = z
  .string()
  .max(255, 'must be at most 255 characters')
  .regex(/^[A-Za-z0-9 ._\-:/()#,@[\]+=&;{}!$*]*$/, 'must be letters, digits, spaces and any of ._-:/()#,@[]+=&;{}!$*');
const GroupNameText = Text.min(1, 'must be 1 to 255 characters');
const Port = z.int('must be a whole number').min(-1, 'must be -1 to 65535').max(65_535, 'must be -1 to 65535');
const listing = {
  Filters: z.array(Filter).max(200).optional(),
  MaxResults: MaxResults.optional(),
  NextToken: NextToken.optional(),
};

/** EC2's: what is matched, and any number of peers. */
const Permission = z.strictObject({
  IpProtocol: z.string().min(1).max(16),
  FromPort: Port.optional(),
  ToPort: Port.optional(),
  IpRanges: z
    .array(z.strictObject({ CidrIp: z.string().max(64), Description: Text.optional() }))
    .max(1000)
    .optional(),
  Ipv6Ranges: z
    .array(z.strictObject({ CidrIpv6: z.string().max(64), Description: Text.optional() }))
    .max(1000)
    .optional(),
  /** UserId: a project's id. */
  UserIdGroupPairs: z
    .array(
      z.strictObject({
        GroupId: Id.optional(),
        GroupName: z.string().min(1).max(255).optional(),
        UserId: z.string().max(64).optional(),
        Description: Text.optional(),
      }),
    )
    .max(1000)
    .optional(),
  PrefixListIds: z
    .array(z.strictObject({ PrefixListId: Id, Description: Text.optional() }))
    .max(1000)
    .optional(),
});
const Permissions = z.array(Permission).max(1000);

/** One of both; the name is of a group in the project's default VPC. */
const whichGroup = { GroupId: Id.optional(), GroupName: z.string().min(1).max(255).optional() };

export const GroupRuleView = z.object({
  securityGroupRuleId: z.string(),
  groupId: z.string(),
  isEgress: z.boolean(),
  ipProtocol: z.string(),
  /** -1: any. */
  fromPort: z.int(),
  toPort: z.int(),
  cidrIpv4: z.string().optional(),
  cidrIpv6: z.string().optional(),
  referencedGroupId: z.string().optional(),
  vpcId: z.string(),
  projectId: z.string(),
  description: z.string().optional(),
  tags: Tags,
});

export const SecurityGroupView = z.object({
  groupId: z.string(),
  groupName: z.string(),
  description: z.string(),
  projectId: z.string(),
  vpcId: z.string(),
  rules: z.array(GroupRuleView),
  tags: Tags,
});

export const CreateSecurityGroup = defineOperation({
  name: 'CreateSecurityGroup',
  summary: 'make a security group; it lets all out and nothing in',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject({
    GroupName: GroupNameText,
    Description: Text,
    /** Default: the project's default VPC. */
    VpcId: Id.optional(),
    Tags: Tags.optional(),
  }),
  output: z.object({ group: SecurityGroupView, operationId: z.string() }),
});

export const DeleteSecurityGroup = defineOperation({
  name: 'DeleteSecurityGroup',
  summary: 'delete a security group; refused while an instance has it or a rule names it',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject(whichGroup),
  output: z.object({ groupId: z.string(), operationId: z.string() }),
});

export const DescribeSecurityGroups = defineOperation({
  name: 'DescribeSecurityGroups',
  summary: 'list security groups with their rules',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ GroupIds: Ids, GroupNames: z.array(z.string().max(255)).max(1000).optional(), ...listing }),
  output: z.object({ securityGroups: z.array(SecurityGroupView), nextToken: z.string().optional(), rev: z.int() }),
});

export const DescribeSecurityGroupRules = defineOperation({
  name: 'DescribeSecurityGroupRules',
  summary: 'list rules of security groups',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ SecurityGroupRuleIds: Ids, ...listing }),
  output: z.object({ rules: z.array(GroupRuleView), nextToken: z.string().optional(), rev: z.int() }),
});

const authorize = <N extends string>(name: N, summary: string) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access: 'netadmin',
    input: z.strictObject({ ...whichGroup, IpPermissions: Permissions, Tags: Tags.optional() }),
    output: z.object({ rules: z.array(GroupRuleView), operationId: z.string() }),
  });

export const AuthorizeSecurityGroupIngress = authorize('AuthorizeSecurityGroupIngress', 'let traffic in to a group');
export const AuthorizeSecurityGroupEgress = authorize('AuthorizeSecurityGroupEgress', 'let traffic out of a group');

const revoke = <N extends string>(name: N, summary: string) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access: 'netadmin',
    input: z.strictObject({ ...whichGroup, IpPermissions: Permissions.optional(), SecurityGroupRuleIds: Ids }),
    output: z.object({ rules: z.array(GroupRuleView), operationId: z.string() }),
  });

export const RevokeSecurityGroupIngress = revoke('RevokeSecurityGroupIngress', 'take away what lets traffic in');
export const RevokeSecurityGroupEgress = revoke('RevokeSecurityGroupEgress', 'take away what lets traffic out');

const describeRules = <N extends string>(name: N, summary: string) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access: 'netadmin',
    input: z.strictObject({
      ...whichGroup,
      /** Rules as they match; each with its new description, or none. */
      IpPermissions: Permissions.optional(),
      SecurityGroupRuleDescriptions: z
        .array(z.strictObject({ SecurityGroupRuleId: Id, Description: Text.optional() }))
        .max(1000)
        .optional(),
    }),
    output: z.object({ operationId: z.string() }),
  });

export const UpdateSecurityGroupRuleDescriptionsIngress = describeRules(
  'UpdateSecurityGroupRuleDescriptionsIngress',
  'change the descriptions of rules that let traffic in',
);
export const UpdateSecurityGroupRuleDescriptionsEgress = describeRules(
  'UpdateSecurityGroupRuleDescriptionsEgress',
  'change the descriptions of rules that let traffic out',
);

export const ModifySecurityGroupRules = defineOperation({
  name: 'ModifySecurityGroupRules',
  summary: 'put other rules in the place of some, which keep their ids',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject({
    GroupId: Id,
    SecurityGroupRules: z
      .array(
        z.strictObject({
          SecurityGroupRuleId: Id,
          SecurityGroupRule: z.strictObject({
            IpProtocol: z.string().min(1).max(16),
            FromPort: Port.optional(),
            ToPort: Port.optional(),
            CidrIpv4: z.string().max(64).optional(),
            CidrIpv6: z.string().max(64).optional(),
            PrefixListId: Id.optional(),
            ReferencedGroupId: Id.optional(),
            Description: Text.optional(),
          }),
        }),
      )
      .min(1, 'at least one is needed')
      .max(1000),
  }),
  output: z.object({ operationId: z.string() }),
});
