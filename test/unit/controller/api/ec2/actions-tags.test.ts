import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlFind, xmlText, type XmlElement } from '../../../../../src/base/xml.ts';
import { checkRecords } from '../../../../../src/domain/check-records.ts';
import { interfaceId, partId } from '../../../../../src/domain/vpc-ids.ts';
import { Ec2Cloud } from '../../../../support/ec2-cloud.ts';

let cloud: Ec2Cloud;
let id: string;
beforeAll(async () => {
  cloud = await Ec2Cloud.start();
  const { instances } = await cloud.sim.run({ Name: 'web' });
  id = instances[0]?.instanceId ?? '';
  await cloud.sim.settled('running');
});
afterAll(() => cloud.close());

type Asked = Readonly<Record<string, string>>;

async function ok(action: string, asked: Asked = {}): Promise<XmlElement> {
  const reply = await cloud.ask(action, asked);
  expect(`${reply.status} ${reply.code} ${reply.message}`).toBe('200  ');
  return reply.xml;
}

const refused = async (action: string, asked: Asked): Promise<string> => (await cloud.ask(action, asked)).code;
const tagsIn = (xml: XmlElement): string[] =>
  (xmlFind(xml, 'tagSet')?.children ?? []).map(
    (tag) => `${xmlText(tag, 'resourceType')} ${xmlText(tag, 'key')}=${xmlText(tag, 'value')}`,
  );
const tagsOf = async (resourceId: string): Promise<string[]> =>
  tagsIn(await ok('DescribeTags', { 'Filter.1.Name': 'resource-id', 'Filter.1.Value.1': resourceId }));

describe('tags', () => {
  it('[sim] are of every kind of resource, several at once, all or none', async () => {
    const { networkId } = (await cloud.sim.call('DescribeInstances', {})).instances[0] ?? { networkId: '' };
    const { images } = await cloud.sim.call('DescribeImages', {});
    const { keyPair } = await cloud.sim.call('CreateKeyPair', { KeyName: 'k' });
    const group = xmlText(await ok('CreateSecurityGroup', { GroupName: 'g', GroupDescription: 'd' }), 'groupId') ?? '';
    const volume = xmlText(await ok('CreateVolume', { Size: '1', AvailabilityZone: 'nova' }), 'volumeId') ?? '';
    const allocation = xmlText(await ok('AllocateAddress', { Domain: 'vpc' }), 'allocationId') ?? '';
    const kinds: Asked = {
      [id]: 'instance',
      [images[0]?.imageId ?? '']: 'image',
      [keyPair.keyPairId]: 'key-pair',
      [group]: 'security-group',
      [volume]: 'volume',
      [allocation]: 'elastic-ip',
      [interfaceId(id)]: 'network-interface',
      [partId(networkId, 'vpc')]: 'vpc',
      [partId(networkId, 'subnet')]: 'subnet',
      [partId(networkId, 'routeTable')]: 'route-table',
      [partId(networkId, 'internetGateway')]: 'internet-gateway',
      [partId(networkId, 'dhcpOptions')]: 'dhcp-options',
      [partId(networkId, 'networkAcl')]: 'network-acl',
    };
    const ids = Object.keys(kinds);
    const resources = Object.fromEntries(ids.map((one, index) => [`ResourceId.${index + 1}`, one]));
    const tag = { 'Tag.1.Key': 'team', 'Tag.1.Value': 'blue' };
    const absent = { ...resources, 'ResourceId.99': 'vol-0123456789abcdef0', ...tag };
    expect(await refused('CreateTags', absent)).toBe('InvalidVolume.NotFound');
    expect(await tagsOf(group)).toEqual([]);
    await ok('CreateTags', { ...resources, ...tag });
    for (const [one, kind] of Object.entries(kinds)) expect(await tagsOf(one)).toContain(`${kind} team=blue`);
    await ok('DeleteTags', { ...resources, 'Tag.1.Key': 'team', 'Tag.1.Value': 'red' });
    expect(await tagsOf(volume)).toEqual(['volume team=blue']);
    await ok('DeleteTags', { ...resources, 'Tag.1.Key': 'team' });
    for (const one of ids) expect((await tagsOf(one)).filter((text) => text.includes('team'))).toEqual([]);
    expect(checkRecords(cloud.sim.store.range(''))).toEqual([]);
  });

  it('[sim] hold the name of an instance, which the command line shows', async () => {
    const name = async (): Promise<string | undefined> =>
      (await cloud.sim.call('DescribeInstances', { InstanceIds: [id] })).instances[0]?.name;
    expect(await name()).toBe('web');
    await ok('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'Name', 'Tag.1.Value': 'db' });
    expect(await name()).toBe('db');
    await ok('DeleteTags', { 'ResourceId.1': id });
    expect(await name()).toBeUndefined();
  });

  it('[sim] come in pages that stay in place', async () => {
    const tags = Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [
        [`Tag.${n + 1}.Key`, `k${String(n).padStart(2, '0')}`],
        [`Tag.${n + 1}.Value`, `v${n}`],
      ]).flat(),
    );
    await ok('CreateTags', { 'ResourceId.1': id, ...tags });
    const seen: string[] = [];
    for (let token = '', first = true; first || token !== ''; first = false) {
      const page = await ok('DescribeTags', { MaxResults: '5', ...(token && { NextToken: token }) });
      seen.push(...tagsIn(page));
      token = xmlText(page, 'nextToken') ?? '';
      await ok('DeleteTags', { 'ResourceId.1': id, 'Tag.1.Key': 'k01' });
    }
    expect(seen).toEqual(Array.from({ length: 12 }, (_, n) => `instance k${String(n).padStart(2, '0')}=v${n}`));
    const filter = { 'Filter.1.Name': 'value', 'Filter.1.Value.1': 'v1*' };
    expect(tagsIn(await ok('DescribeTags', filter))).toEqual(['instance k10=v10', 'instance k11=v11']);
  });

  it.each([
    [{ 'ResourceId.1': 'i-0123456789abcdef0', 'Tag.1.Key': 'a' }, 'InvalidInstanceID.NotFound'],
    [{ 'ResourceId.1': 'zz-0123456789abcdef0', 'Tag.1.Key': 'a' }, 'InvalidID'],
    [{ 'Tag.1.Key': 'a' }, 'InvalidParameterValue'],
  ])('[sim] refuse %j as %s', async (asked, code) => {
    expect(await refused('CreateTags', asked)).toBe(code);
  });

  it('[sim] are refused by key, length and number', async () => {
    const tag = (Key: string, Value = '') => ({ 'ResourceId.1': id, 'Tag.1.Key': Key, 'Tag.1.Value': Value });
    expect(await refused('CreateTags', tag('aws:x'))).toBe('InvalidParameterValue');
    expect(await refused('CreateTags', tag('x'.repeat(128)))).toBe('InvalidParameterValue');
    expect(await refused('CreateTags', tag('x', 'y'.repeat(256)))).toBe('InvalidParameterValue');
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`Tag.${n + 1}.Key`, `many${n}`]));
    expect(await refused('CreateTags', { 'ResourceId.1': id, ...many })).toBe('TagLimitExceeded');
  });

  it('[sim] of another project are not to be seen or set', async () => {
    const meta = { principal: { name: 'eve', projectId: 'other', roles: ['developer', 'member'], from: 'test' } };
    const set = cloud.sim.call('CreateTags', { ResourceIds: [id], Tags: { a: 'b' } }, meta);
    await expect(set).rejects.toMatchObject({ code: 'InvalidInstanceID.NotFound' });
    expect((await cloud.sim.call('DescribeTags', {}, meta)).tags).toEqual([]);
  });
});
