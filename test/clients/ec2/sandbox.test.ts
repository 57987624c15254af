import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccessKey, signRequest } from '../../../src/base/signature/sign-request.ts';
import { xmlFind, xmlText } from '../../../src/base/xml.ts';
import { type Ec2Reply, formOf, replyOf } from '../../support/ec2-cloud.ts';
import { NOVACTL, run } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { SandboxProcess } from './sandbox-process.ts';

let dir: string;
let sandbox: SandboxProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-sandbox-test-'));
});
afterEach(async () => {
  await sandbox?.stop();
  sandbox = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

async function ask(
  { facts }: SandboxProcess,
  parameters: Record<string, string>,
  { region = facts.region, ...key }: Partial<AccessKey> & { region?: string } = {},
): Promise<Ec2Reply> {
  const body = formOf({ Version: '2016-11-15', ...parameters });
  const signed = signRequest(
    {
      ...{ method: 'POST', target: '/', region, service: 'ec2', nowMs: Date.now(), body: Buffer.from(body) },
      headers: { host: new URL(facts.ec2Url).host, 'content-type': 'application/x-www-form-urlencoded' },
    },
    { ...{ accessKeyId: facts.accessKeyId, secretAccessKey: facts.secretAccessKey }, ...key },
  );
  const { host: _, ...headers } = signed;
  const response = await fetch(facts.ec2Url, { method: 'POST', headers, body });
  return replyOf(response.status, Object.fromEntries(response.headers), await response.text());
}

const namesOf = ({ xml }: Ec2Reply, list: string, name: string): string[] =>
  (xmlFind(xml, list)?.children ?? []).map((item) => xmlText(item, name) ?? '').sort();

describe('novactl sandbox [sim]', () => {
  it('has the keys, accounts, regions and images that it is given', async () => {
    const images = [{ id: 'ami-0123456789abcdef0', name: 'mine', rootDeviceName: '/dev/sda1' }, { name: 'other' }];
    sandbox = await SandboxProcess.start(
      ...['--regions', 'west,east', '--account-id', '123456789012', '--user', 'bob:BOBKEY:bob/secret'],
      ...['--images', file('images.json', JSON.stringify(images))],
      ...['--access-key', 'MYKEY', '--secret-key-file', file('secret', 'my/secret+\n')],
    );
    const { facts } = sandbox;
    expect(facts).toMatchObject({ region: 'west', accountId: '123456789012', accessKeyId: 'MYKEY' });
    expect(namesOf(await ask(sandbox, { Action: 'DescribeRegions' }), 'regionInfo', 'regionName')).toEqual([
      'east',
      'west',
    ]);
    const zones = await ask(sandbox, { Action: 'DescribeAvailabilityZones' }, { region: 'east' });
    expect(namesOf(zones, 'availabilityZoneInfo', 'zoneName')).toEqual(['easta', 'eastb']);
    const known = await ask(sandbox, { Action: 'DescribeImages', 'ImageId.1': 'ami-0123456789abcdef0' });
    expect(xmlText(known.xml, 'imagesSet', 'item', 'rootDeviceName')).toBe('/dev/sda1');
    const bob = { accessKeyId: 'BOBKEY', secretAccessKey: 'bob/secret' };
    const made = await ask(
      sandbox,
      {
        Action: 'RunInstances',
        ImageId: 'ami-0123456789abcdef0',
        InstanceType: 'm1.nano',
        MinCount: '1',
        MaxCount: '1',
      },
      { ...bob, region: 'east' },
    );
    expect(made.code).toBe('');
    expect(xmlText(made.xml, 'ownerId')).not.toBe('123456789012');
    const list = async (who: Partial<AccessKey>, region: string) =>
      namesOf(
        await ask(sandbox as SandboxProcess, { Action: 'DescribeInstances' }, { ...who, region }),
        'reservationSet',
        'ownerId',
      );
    expect([await list(bob, 'east'), await list(bob, 'west'), await list({}, 'east')]).toEqual([
      [xmlText(made.xml, 'ownerId')],
      [],
      [],
    ]);
  });

  it('is found again where --state says, its instances running and its volumes there', async () => {
    const state = join(dir, 'state');
    const words = ['--state', state, '--access-key', 'MYKEY', '--secret-key-file', file('secret', 'my-secret')];
    sandbox = await SandboxProcess.start(...words);
    const image = sandbox.facts.images[0]?.id ?? '';
    const made = await ask(sandbox, { Action: 'RunInstances', ImageId: image, MinCount: '1', MaxCount: '1' });
    const InstanceId = xmlText(made.xml, 'instancesSet', 'item', 'instanceId') ?? '';
    const volume = await ask(sandbox, { Action: 'CreateVolume', Size: '1', AvailabilityZone: 'nova' });
    const VolumeId = xmlText(volume.xml, 'volumeId') ?? '';
    expect(await sandbox.stop()).toBe(0);
    sandbox = await SandboxProcess.start(...words);
    const again = sandbox;
    const state1 = async (): Promise<string | undefined> => {
      const { xml } = await ask(again, { Action: 'DescribeInstances', 'InstanceId.1': InstanceId });
      return xmlText(xml, 'reservationSet', 'item', 'instancesSet', 'item', 'instanceState', 'name');
    };
    await until(async () => (await state1()) === 'running', { what: 'it runs' });
    expect((await ask(again, { Action: 'AttachVolume', VolumeId, InstanceId, Device: '/dev/sdf' })).code).toBe('');
    const attached = async (): Promise<string | undefined> => {
      const { xml } = await ask(again, { Action: 'DescribeVolumes', 'VolumeId.1': VolumeId });
      return xmlText(xml, 'volumeSet', 'item', 'attachmentSet', 'item', 'status');
    };
    await until(async () => (await attached()) === 'attached', { what: 'it is attached' });
    expect(again.facts.images.map(({ id }) => id)).toContain(image);
  });

  it.each([
    [['--s3-port', '65536'], /--s3-port.*0 to 65535/],
    [['--access-key', 'MYKEY'], /goes with --secret-key-file/],
    [['--user', 'bob'], /must be NAME:ID:SECRET/],
    [['--images', '/nonexistent/images.json'], /--images: \/nonexistent\/images.json/],
    [['--account-id', '1'], /accountId.*12 digits/],
  ])('says what is wrong with %j', async (words, expected) => {
    const { code, stderr } = await run(NOVACTL, ['sandbox', '--ec2-port', '0', ...words], {
      ...process.env,
      HOME: dir,
    });
    expect([code, stderr]).toEqual([2, expect.stringMatching(expected)]);
  });
});
