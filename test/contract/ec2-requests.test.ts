import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlText } from '../../src/base/xml.ts';
import { Ec2Cloud } from '../support/ec2-cloud.ts';

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
});
