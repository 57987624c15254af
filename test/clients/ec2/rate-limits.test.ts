import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../support/free-ports.ts';
import { TestCloud } from '../../support/test-cloud.ts';

const AWS = '/usr/bin/aws';
const PYTHON = '/usr/bin/python3';
const DIST = '/usr/lib/python3/dist-packages';
const NEEDED = [AWS, `${DIST}/boto`, `${DIST}/boto3`];

let cloud: TestCloud;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  cloud = new TestCloud({
    NOVACTL_DRIVERS: 'simulated',
    NOVACTL_METADATA_LISTEN: 'none',
    NOVACTL_EC2_LISTEN: `127.0.0.1:${port}`,
    NOVACTL_EC2_PROTOCOL: 'http',
    NOVACTL_EC2_RATE_LIMIT_DESCRIBE_PER_SECOND: '2',
    NOVACTL_EC2_RATE_LIMIT_DESCRIBE_BURST: '1',
  });
  await cloud.start();
  const key = await cloud.json<{ accessKeyId: string; secretAccessKey: string }>('key', 'create');
  env = {
    ...{ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: cloud.dir, LANG: 'C.UTF-8', AWS },
    ...{ AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey },
    ...{ AWS_REGION: 'nova', AWS_DEFAULT_REGION: 'nova', AWS_ENDPOINT_URL_EC2: `http://127.0.0.1:${port}` },
  };
}, 60_000);
afterAll(() => cloud.destroy(), 60_000);

/** Each program asserts what it sees, and ends with another code than 0 at the first thing that is not so. */
function client(file: string, script: string): Promise<{ code: number; output: string }> {
  const args = [join(import.meta.dirname, script)];
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255,
        output: stdout + stderr,
      });
    });
  });
}

describe('who asks more often than the rate limit allows', () => {
  it(
    'gets through by boto3, boto 2.49 and the AWS CLI, one after the other [real]',
    { timeout: 90_000 },
    async (ctx) => {
      if (!NEEDED.every((path) => existsSync(path))) ctx.skip('needs awscli, python3-boto and python3-boto3');
      const python = await client(PYTHON, 'rate_limits.py');
      expect(python.code, python.output).toBe(0);
      const aws = await client('sh', 'rate_limits.sh');
      expect(aws).toEqual({ code: 0, output: 'nova\n' });
    },
  );
});
