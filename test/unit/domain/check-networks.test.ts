import { describe, expect, it } from 'vitest';
import { checkRecords, type StoredRecord } from '../../../src/domain/check-records.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { ClaimRecord, NetworkRecord } from '../../../src/domain/records.ts';
import { allOut, type SecurityGroupRecord } from '../../../src/domain/security-groups.ts';
import type { InternetGatewayRecord, VpcRecord } from '../../../src/domain/vpcs.ts';

const VPC = 'vpc-00000000000000001';
const NET = 'net-00000000000000002';
const SUBNET = 'subnet-00000000000000002';
const GROUP = 'sg-00000000000000003';
const GATEWAY = 'igw-00000000000000004';
const claim: ClaimRecord = { v: 1, owner: 'p' };

const vpc: VpcRecord = {
  v: 1,
  id: VPC,
  projectId: 'p',
  cidr: '10.0.0.0/16',
  subnets: [{ id: SUBNET, cidr: '10.0.1.0/24', zone: 'nova' }],
  routeTables: [{ id: 'rtb-1', isMain: true, routes: [], associations: [{ id: 'rtbassoc-1', subnetId: SUBNET }] }],
  internetGatewayId: GATEWAY,
  createdAtMs: 1,
};
const network: NetworkRecord = {
  v: 1,
  id: NET,
  projectId: 'p',
  cidr: '10.0.1.0/24',
  gateway: '10.0.1.1',
  bridge: 'nvb-1',
  bridgeMac: '02:00:00:00:00:01',
  createdAtMs: 1,
  vpcId: VPC,
};
const gateway: InternetGatewayRecord = { v: 1, id: GATEWAY, projectId: 'p', vpcId: VPC, createdAtMs: 1 };
const group: SecurityGroupRecord = {
  v: 1,
  id: GROUP,
  projectId: 'p',
  vpcId: VPC,
  name: 'web',
  description: '',
  rules: [allOut('sgr-1'), { id: 'sgr-2', direction: 'ingress', protocol: '-1', peer: { groupId: GROUP } }],
  createdAtMs: 1,
};

const SOUND: readonly StoredRecord[] = [
  { key: KEYS.vpc('p', VPC), value: vpc },
  { key: KEYS.subnetNetwork('p', NET), value: network },
  { key: KEYS.interfaceName('nvb-1'), value: claim },
  { key: KEYS.mac(network.bridgeMac), value: claim },
  { key: KEYS.internetGateway('p', GATEWAY), value: gateway },
  { key: KEYS.securityGroup('p', GROUP), value: group },
  { key: KEYS.securityGroupName(VPC, 'web'), value: { v: 1, groupId: GROUP } },
];

const without = (key: string): StoredRecord[] => SOUND.filter((record) => record.key !== key);
const changed = (key: string, patch: object): StoredRecord[] =>
  SOUND.map((record) => (record.key === key ? { key, value: { ...(record.value as object), ...patch } } : record));

describe('a check of the records', () => {
  it('finds nothing where all adds up', () => {
    expect(checkRecords(SOUND)).toEqual([]);
  });

  it.each([
    ['a network is lost', without(KEYS.subnetNetwork('p', NET)), `vpc/p/${VPC}: ${SUBNET} has no network`],
    ['a VPC is lost', without(KEYS.vpc('p', VPC)), `network/p/${NET}: ${VPC} has no such subnet`],
    ['a VPC is lost', without(KEYS.vpc('p', VPC)), `security-group/p/${GROUP}: its ${VPC} is not there`],
    [
      'a bridge is claimed by nobody',
      without(KEYS.interfaceName('nvb-1')),
      `network/p (${NET}): ifname/nvb-1 belongs to nobody`,
    ],
    [
      'a gateway is lost',
      without(KEYS.internetGateway('p', GATEWAY)),
      `vpc/p/${VPC}: ${GATEWAY} is not attached to it`,
    ],
    [
      'a VPC forgot its gateway',
      changed(KEYS.vpc('p', VPC), { internetGatewayId: null }),
      `internet-gateway/p/${GATEWAY}: ${VPC}, to which it is attached, does not have it`,
    ],
    [
      'there is no main table',
      changed(KEYS.vpc('p', VPC), { routeTables: [] }),
      `vpc/p/${VPC}: it has not one main route table`,
    ],
    [
      'a table is of a lost subnet',
      changed(KEYS.vpc('p', VPC), { subnets: [] }),
      `vpc/p/${VPC}: a route table is of ${SUBNET}, which it has not`,
    ],
    [
      'a group has no name',
      without(KEYS.securityGroupName(VPC, 'web')),
      `security-group/p/${GROUP}: its name web leads to nothing`,
    ],
    [
      'a name has no group',
      without(KEYS.securityGroup('p', GROUP)),
      `security-group-name/${VPC}/web leads to ${GROUP}, which is not there`,
    ],
    [
      'a rule names a lost group',
      changed(KEYS.securityGroup('p', GROUP), { rules: [{ ...allOut('sgr-1'), peer: { groupId: 'sg-9' } }] }),
      `security-group/p/${GROUP}: a rule names sg-9, which is not there`,
    ],
    [
      'a VPC is no VPC',
      changed(KEYS.vpc('p', VPC), { v: 1 }).map((one) =>
        one.key === KEYS.vpc('p', VPC) ? { ...one, value: { v: 1, id: VPC } } : one,
      ),
      `vpc/p/${VPC} lacks projectId, cidr, subnets, routeTables`,
    ],
  ])('says so when %s', (_what, records, problem) => {
    expect(checkRecords(records)).toContain(problem);
  });
});
