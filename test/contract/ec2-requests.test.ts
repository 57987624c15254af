import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlText } from '../../src/base/xml.ts';
import { Ec2Cloud, formOf } from '../support/ec2-cloud.ts';

describe('the EC2 API [sim]', () => {
  let cloud: Ec2Cloud;
  beforeAll(async () => {
    cloud = await Ec2Cloud.start();
  });
  afterAll(() => cloud.close());

  it('answers in the namespace of the version that was asked for, with the request id twice', async () => {
    const reply = await cloud.ask('DescribeRegions', { Version: '2010-08-31' });
    expect(reply.status).toBe(200);
    expect(reply.xml.name).toBe('DescribeRegionsResponse');
    expect(reply.xml.attributes.get('xmlns')).toBe('http://ec2.amazonaws.com/doc/2010-08-31/');
    expect(reply.requestId).toMatch(/^req-[0-9a-f]{17}$/);
    expect(reply.headers['x-amzn-requestid']).toBe(reply.requestId);
    expect(xmlText(reply.xml, 'regionInfo', 'item', 'regionName')).toBe('nova');
    expect(xmlText(reply.xml, 'regionInfo', 'item', 'regionEndpoint')).toBe(cloud.authority);
  });

  describe('what is signed for sts', () => {
    const asked = (parameters: Record<string, string>) => {
      const body = formOf({ Version: '2011-06-15', ...parameters });
      return cloud.send({ headers: cloud.signed(body, { service: 'sts', region: 'us-east-1' }), body });
    };

    it('is told whose account it is, in the form of that service', async () => {
      const reply = await asked({ Action: 'GetCallerIdentity' });
      const at = (name: string) => xmlText(reply.xml, 'GetCallerIdentityResult', name);
      const { accountId } = await cloud.sim.call('GetCallerIdentity', {});
      expect([reply.status, reply.xml.name]).toEqual([200, 'GetCallerIdentityResponse']);
      expect(reply.xml.attributes.get('xmlns')).toBe('https://sts.amazonaws.com/doc/2011-06-15/');
      expect([at('Account'), at('Arn'), at('UserId')]).toEqual([
        accountId,
        `arn:aws:iam::${accountId}:user/admin`,
        'admin',
      ]);
      expect(xmlText(reply.xml, 'ResponseMetadata', 'RequestId')).toBe(reply.headers['x-amzn-requestid']);
    });

    it.each([
      [{ Action: 'AssumeRole' }, 'InvalidAction'],
      [{ Action: 'DescribeInstances', Version: '2016-11-15' }, 'InvalidAction'],
      [{ Action: 'GetCallerIdentity', Version: '2016-11-15' }, 'NoSuchVersion'],
      [{ Action: 'GetCallerIdentity', More: '1' }, 'UnknownParameter'],
    ])('and nothing else: %j is %s', async (parameters, code) => {
      expect((await asked(parameters)).code).toBe(code);
    });

    it('and the question is not asked of EC2', async () => {
      expect((await cloud.ask('GetCallerIdentity')).code).toBe('InvalidAction');
    });
  });
});
