import { afterEach, describe, expect, it } from 'vitest';
import { xmlText } from '../../../../../src/base/xml.ts';
import { PREFIX } from '../../../../../src/domain/keys.ts';
import { checkRecords } from '../../../../../src/domain/check-records.ts';
import { ec2, itemsOf, plain, textsOf } from '../../../../support/ec2-tables.ts';
import { type SimCloud, startSimCloud } from '../../../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(() => sim.close());

const text = async (action: string, given: Record<string, string>, ...path: string[]): Promise<string> =>
  xmlText(await ec2(sim, action, given), ...path) ?? '';

const newGroup = (name: string, more: Record<string, string> = {}): Promise<string> =>
  text('CreateSecurityGroup', { GroupName: name, GroupDescription: `${name} servers`, ...more }, 'groupId');

const failure = async (action: string, given: Record<string, string>): Promise<string> => {
  const error: unknown = await ec2(sim, action, given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return (error as { code?: string } | undefined)?.code ?? 'no error';
};

const rulesOf = async (groupId: string): Promise<string[]> => {
  const root = await ec2(sim, 'DescribeSecurityGroupRules', {
    'Filter.1.Name': 'group-id',
    'Filter.1.Value.1': groupId,
  });
  return itemsOf(root, 'securityGroupRuleSet').map((rule) =>
    ['isEgress', 'ipProtocol', 'fromPort', 'toPort', 'cidrIpv4', 'cidrIpv6', 'description']
      .flatMap((field) => xmlText(rule, field) ?? [])
      .join(' '),
  );
};

const SSH = {
  'IpPermissions.1.IpProtocol': 'tcp',
  'IpPermissions.1.FromPort': '22',
  'IpPermissions.1.ToPort': '22',
  'IpPermissions.1.IpRanges.1.CidrIp': '10.1.2.3/8',
};

describe('security groups', () => {
  it('[sim] every VPC has a default one before anything is stored, as EC2 makes it', async () => {
    sim = await startSimCloud();
    const before = sim.store.rev;
    const root = await ec2(sim, 'DescribeSecurityGroups');
    const [group] = itemsOf(root, 'securityGroupInfo');
    const groupId = xmlText(group ?? root, 'groupId') ?? '';
    const vpcId = xmlText(await ec2(sim, 'DescribeVpcs'), 'vpcSet', 'item', 'vpcId');
    expect(plain(group ?? root)).toEqual({
      ownerId: expect.stringMatching(/^\d{12}$/),
      groupId,
      groupName: 'default',
      groupDescription: 'default VPC security group',
      vpcId,
      securityGroupArn: expect.stringMatching(/^arn:aws:ec2:nova:\d{12}:security-group\/sg-[0-9a-f]{17}$/),
      ipPermissions: [
        {
          ipProtocol: '-1',
          groups: [{ userId: expect.stringMatching(/^\d{12}$/), groupId }],
          ipRanges: '',
          ipv6Ranges: '',
          prefixListIds: '',
        },
      ],
      ipPermissionsEgress: [
        { ipProtocol: '-1', groups: '', ipRanges: [{ cidrIp: '0.0.0.0/0' }], ipv6Ranges: '', prefixListIds: '' },
      ],
      tagSet: '',
    });
    expect(sim.store.rev).toBe(before);
    expect(await failure('DeleteSecurityGroup', { GroupId: groupId })).toBe('CannotDelete');
    // Its first change makes it, and the network with it.
    await ec2(sim, 'AuthorizeSecurityGroupIngress', { GroupName: 'default', ...SSH });
    expect(sim.store.count(PREFIX.securityGroup)).toBe(1);
    expect(
      await text('DescribeSecurityGroups', { 'GroupName.1': 'default' }, 'securityGroupInfo', 'item', 'groupId'),
    ).toBe(groupId);
    expect(await text('DescribeVpcs', {}, 'vpcSet', 'item', 'vpcId')).toBe(vpcId);
  });

  it('[sim] take rules in both forms, each with an id, and refuse one twice', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web', {
      'TagSpecification.1.ResourceType': 'security-group',
      'TagSpecification.1.Tag.1.Key': 'tier',
      'TagSpecification.1.Tag.1.Value': 'front',
    });
    const made = await ec2(sim, 'AuthorizeSecurityGroupIngress', {
      GroupId: web,
      ...SSH,
      'IpPermissions.1.IpRanges.1.Description': 'office',
    });
    expect(itemsOf(made, 'securityGroupRuleSet')).toHaveLength(1);
    expect(xmlText(made, 'securityGroupRuleSet', 'item', 'securityGroupRuleId')).toMatch(/^sgr-[0-9a-f]{17}$/);
    await ec2(sim, 'AuthorizeSecurityGroupIngress', {
      GroupName: 'web',
      IpProtocol: 'udp',
      FromPort: '53',
      ToPort: '53',
      CidrIp: '0.0.0.0/0',
    });
    await ec2(sim, 'AuthorizeSecurityGroupEgress', {
      GroupId: web,
      'IpPermissions.1.IpProtocol': '58',
      'IpPermissions.1.Ipv6Ranges.1.CidrIpv6': '2001:DB8:0:0:1::5/64',
    });
    expect((await rulesOf(web)).toSorted()).toEqual([
      'false tcp 22 22 10.0.0.0/8 office',
      'false udp 53 53 0.0.0.0/0',
      'true -1 -1 -1 0.0.0.0/0',
      'true icmpv6 -1 -1 2001:db8::/64',
    ]);
    expect(await failure('AuthorizeSecurityGroupIngress', { GroupId: web, ...SSH })).toBe(
      'InvalidPermission.Duplicate',
    );
    const found = {
      'Filter.1.Name': 'ip-permission.cidr',
      'Filter.1.Value.1': '10.*',
      'Filter.2.Name': 'tag:tier',
      'Filter.2.Value.1': 'fr?nt',
    };
    expect(textsOf(await ec2(sim, 'DescribeSecurityGroups', found), 'securityGroupInfo', 'groupName')).toEqual(['web']);
  });

  it('[sim] let in the members of another by its name, for all ports of the three protocols where none is said', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const db = await newGroup('db');
    const ownerId = await text('DescribeSecurityGroups', { 'GroupId.1': web }, 'securityGroupInfo', 'item', 'ownerId');
    await ec2(sim, 'AuthorizeSecurityGroupIngress', {
      GroupName: 'db',
      SourceSecurityGroupName: 'web',
      SourceSecurityGroupOwnerId: ownerId,
    });
    expect((await rulesOf(db)).filter((rule) => rule.startsWith('false')).toSorted()).toEqual([
      'false icmp -1 -1',
      'false tcp 0 65535',
      'false udp 0 65535',
    ]);
    expect(await failure('DeleteSecurityGroup', { GroupName: 'web' })).toBe('DependencyViolation');
    // What was described can be sent back to revoke it.
    const [set] = itemsOf(await ec2(sim, 'DescribeSecurityGroups', { 'GroupId.1': db }), 'securityGroupInfo');
    const back = Object.fromEntries(
      itemsOf(set ?? { name: '', children: [], attributes: new Map(), text: '' }, 'ipPermissions').flatMap(
        (item, index) => {
          const at = `IpPermissions.${index + 1}`;
          return [
            ...['IpProtocol', 'FromPort', 'ToPort'].map((name) => [
              `${at}.${name}`,
              xmlText(item, name.charAt(0).toLowerCase() + name.slice(1)) ?? '',
            ]),
            [`${at}.Groups.1.GroupId`, xmlText(item, 'groups', 'item', 'groupId') ?? ''],
            [`${at}.Groups.1.UserId`, xmlText(item, 'groups', 'item', 'userId') ?? ''],
          ];
        },
      ),
    ) as Record<string, string>;
    const gone = await ec2(sim, 'RevokeSecurityGroupIngress', { GroupId: db, ...back });
    expect(textsOf(gone, 'revokedSecurityGroupRuleSet', 'referencedGroupId')).toEqual([web, web, web]);
    expect(await text('DeleteSecurityGroup', { GroupName: 'web' }, 'return')).toBe('true');
    expect(textsOf(await ec2(sim, 'DescribeSecurityGroups'), 'securityGroupInfo', 'groupName').toSorted()).toEqual([
      'db',
      'default',
    ]);
  });

  it('[sim] change rules in their place, and their descriptions, by id', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const id = await text(
      'AuthorizeSecurityGroupIngress',
      { GroupId: web, ...SSH },
      'securityGroupRuleSet',
      'item',
      'securityGroupRuleId',
    );
    const rule = {
      'SecurityGroupRule.1.SecurityGroupRuleId': id,
      'SecurityGroupRule.1.SecurityGroupRule.IpProtocol': 'tcp',
    };
    const ports = {
      'SecurityGroupRule.1.SecurityGroupRule.FromPort': '80',
      'SecurityGroupRule.1.SecurityGroupRule.ToPort': '81',
    };
    await ec2(sim, 'ModifySecurityGroupRules', {
      GroupId: web,
      ...rule,
      ...ports,
      'SecurityGroupRule.1.SecurityGroupRule.CidrIpv4': '0.0.0.0/0',
    });
    await ec2(sim, 'UpdateSecurityGroupRuleDescriptionsIngress', {
      GroupId: web,
      'SecurityGroupRuleDescription.1.SecurityGroupRuleId': id,
      'SecurityGroupRuleDescription.1.Description': 'all the world',
    });
    expect(await rulesOf(web)).toContain('false tcp 80 81 0.0.0.0/0 all the world');
    expect(await failure('ModifySecurityGroupRules', { GroupId: web, ...rule, ...ports })).toBe(
      'InvalidParameterCombination',
    );
    await ec2(sim, 'RevokeSecurityGroupIngress', { GroupId: web, 'SecurityGroupRuleId.1': id });
    expect(await rulesOf(web)).toEqual(['true -1 -1 -1 0.0.0.0/0']);
    expect(await failure('RevokeSecurityGroupIngress', { GroupId: web, 'SecurityGroupRuleId.1': id })).toBe(
      'InvalidSecurityGroupRuleId.NotFound',
    );
    expect(await failure('RevokeSecurityGroupIngress', { GroupId: web, ...SSH })).toBe('InvalidPermission.NotFound');
  });

  it.each([
    ['CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'x' }, 'InvalidGroup.Duplicate'],
    ['CreateSecurityGroup', { GroupName: 'default', GroupDescription: 'x' }, 'InvalidGroup.Reserved'],
    [
      'CreateSecurityGroup',
      { GroupName: 'x', GroupDescription: 'x', VpcId: 'vpc-00000000000000000' },
      'InvalidVpcID.NotFound',
    ],
    ['CreateSecurityGroup', { GroupName: 'x' }, 'MissingParameter'],
    ['DescribeSecurityGroups', { 'GroupId.1': 'sg-00000000000000000' }, 'InvalidGroup.NotFound'],
    ['DescribeSecurityGroups', { 'GroupId.1': 'web' }, 'InvalidGroupId.Malformed'],
    ['DescribeSecurityGroups', { 'GroupName.1': 'nobody' }, 'InvalidGroup.NotFound'],
    ['DescribeSecurityGroups', { 'Filter.1.Name': 'colour', 'Filter.1.Value.1': 'red' }, 'InvalidParameterValue'],
    ['DescribeSecurityGroups', { NextToken: 'bm9uc2Vuc2U' }, 'InvalidParameterValue'],
    ['DeleteSecurityGroup', { GroupName: 'nobody' }, 'InvalidGroup.NotFound'],
    ['DeleteSecurityGroup', {}, 'MissingParameter'],
    ['AuthorizeSecurityGroupIngress', { GroupName: 'web' }, 'MissingParameter'],
    [
      'AuthorizeSecurityGroupIngress',
      { GroupName: 'web', ...SSH, 'IpPermissions.1.IpRanges.1.CidrIp': '1.2.3.4' },
      'InvalidParameterValue',
    ],
    [
      'AuthorizeSecurityGroupIngress',
      { GroupName: 'web', ...SSH, 'IpPermissions.1.FromPort': '23' },
      'InvalidParameterValue',
    ],
    [
      'AuthorizeSecurityGroupIngress',
      { GroupName: 'web', ...SSH, 'IpPermissions.1.IpProtocol': 'tcpip' },
      'InvalidParameterValue',
    ],
    [
      'AuthorizeSecurityGroupIngress',
      { GroupName: 'web', ...SSH, 'IpPermissions.1.IpRanges.2.CidrIp': '10.0.0.0/8' },
      'InvalidParameterValue',
    ],
    [
      'AuthorizeSecurityGroupIngress',
      { GroupName: 'web', ...SSH, 'IpPermissions.1.PrefixListIds.1.PrefixListId': 'pl-1' },
      'InvalidPrefixListId.NotFound',
    ],
    ['AuthorizeSecurityGroupIngress', { GroupName: 'web', ...SSH, Colour: 'red' }, 'UnknownParameter'],
    ['AuthorizeSecurityGroupIngress', { GroupName: 'web', SourceSecurityGroupName: 'nobody' }, 'InvalidGroup.NotFound'],
    [
      'DescribeSecurityGroupRules',
      { 'SecurityGroupRuleId.1': 'sgr-00000000000000000' },
      'InvalidSecurityGroupRuleId.NotFound',
    ],
    ['DescribeSecurityGroupReferences', { 'GroupId.1': 'sg-00000000000000000' }, 'InvalidGroup.NotFound'],
    ['DescribeStaleSecurityGroups', { VpcId: 'vpc-00000000000000000' }, 'InvalidVpcID.NotFound'],
  ])('[sim] %s %j is %s, and stores nothing', async (action, given, code) => {
    sim = await startSimCloud();
    await newGroup('web');
    const before = sim.store.rev;
    expect(await failure(action, given)).toBe(code);
    expect(sim.store.rev).toBe(before);
  });

  it('[sim] have at most 60 rules in a direction', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const ranges = (from: number, count: number): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [
          `IpPermissions.1.IpRanges.${index + 1}.CidrIp`,
          `10.0.${from + index}.0/24`,
        ]),
      );
    const all = { GroupId: web, 'IpPermissions.1.IpProtocol': '-1' };
    await ec2(sim, 'AuthorizeSecurityGroupIngress', { ...all, ...ranges(0, 60) });
    expect(await failure('AuthorizeSecurityGroupIngress', { ...all, ...ranges(60, 1) })).toBe(
      'RulesPerSecurityGroupLimitExceeded',
    );
    await ec2(sim, 'AuthorizeSecurityGroupEgress', { ...all, ...ranges(0, 59) });
    expect(await rulesOf(web)).toHaveLength(120);
    expect(await text('DeleteSecurityGroup', { GroupId: web }, 'return')).toBe('true');
  });

  it('[sim] come in pages that stay stable while groups come and go', async () => {
    sim = await startSimCloud();
    for (const name of ['a', 'b', 'c', 'd']) await newGroup(name);
    const seen: (string | undefined)[] = [];
    let token = '';
    do {
      const page = await ec2(sim, 'DescribeSecurityGroups', {
        MaxResults: '2',
        ...(token === '' ? {} : { NextToken: token }),
      });
      const names = textsOf(page, 'securityGroupInfo', 'groupName');
      seen.push(...names);
      token = xmlText(page, 'nextToken') ?? '';
      // Those that were seen go, and pages after them hold what they would have held.
      for (const name of names)
        if (name !== undefined && name !== 'default') await ec2(sim, 'DeleteSecurityGroup', { GroupName: name });
    } while (token !== '');
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd', 'default']);
  });

  it('[sim] of an instance keep it, until it is terminated', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const { instances } = await sim.run({ SecurityGroupIds: [web] });
    const ids = instances.map(({ instanceId }) => instanceId);
    expect(await failure('DeleteSecurityGroup', { GroupId: web })).toBe('DependencyViolation');
    await sim.settled('running');
    const nics = await ec2(sim, 'DescribeNetworkInterfaces', {
      'Filter.1.Name': 'group-name',
      'Filter.1.Value.1': 'web',
    });
    expect(itemsOf(nics, 'networkInterfaceSet').map((nic) => xmlText(nic, 'attachment', 'instanceId'))).toEqual(ids);
    await sim.call('TerminateInstances', { InstanceIds: ids });
    await sim.settled('terminated');
    expect(await text('DeleteSecurityGroup', { GroupId: web }, 'return')).toBe('true');
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });

  it('[sim] and instances that begin to have one while it is deleted: one of both is refused', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const [run, gone] = await Promise.allSettled([
      sim.run({ SecurityGroupIds: [web] }),
      ec2(sim, 'DeleteSecurityGroup', { GroupId: web }),
    ]);
    expect([run.status, gone.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    await sim.settled('running');
  });

  it('[sim] count in the quota of their project', async () => {
    sim = await startSimCloud();
    await sim.call('SetQuota', { ProjectId: 'admin', Limits: { groups: 3 } });
    const all = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => newGroup(`g${index}`)));
    const codes = all.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code?: string }).code] : []));
    expect(new Set(codes)).toEqual(new Set(['SecurityGroupLimitExceeded']));
    expect(codes).toHaveLength(47);
    await ec2(sim, 'DeleteSecurityGroup', {
      GroupName: String(
        textsOf(await ec2(sim, 'DescribeSecurityGroups'), 'securityGroupInfo', 'groupName').find(
          (name) => name !== 'default',
        ),
      ),
    });
    await newGroup('another');
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });

  it('[sim] of another project are not there', async () => {
    sim = await startSimCloud();
    const web = await newGroup('web');
    const meta = { principal: { name: 'eve', projectId: 'other', roles: ['member', 'netadmin'], from: 'test' } };
    expect(textsOf(await ec2(sim, 'DescribeSecurityGroups', {}, { meta }), 'securityGroupInfo', 'groupName')).toEqual([
      'default',
    ]);
    await expect(ec2(sim, 'DeleteSecurityGroup', { GroupId: web }, { meta })).rejects.toMatchObject({
      code: 'InvalidGroup.NotFound',
    });
    const reader = { principal: { ...meta.principal, roles: ['member'] } };
    await expect(
      ec2(sim, 'CreateSecurityGroup', { GroupName: 'x', GroupDescription: 'x' }, { meta: reader }),
    ).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
  });
});
