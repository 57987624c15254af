import { join } from 'node:path';
import { daysOf } from './days-of.ts';

const PYTHON = '/usr/bin/python3';
const DIST = '/usr/lib/python3/dist-packages';

daysOf([
  { name: 'boto3', needs: `${DIST}/boto3`, from: 'python3-boto3', command: PYTHON, script: 'day.py' },
  {
    name: 'the AWS SDK for JavaScript',
    needs: join(import.meta.dirname, '../../../node_modules/@aws-sdk/client-ec2'),
    from: '@aws-sdk/client-ec2',
    command: process.execPath,
    script: 'day-sdk.ts',
  },
  ...['2', '4'].map((version) => ({
    name: `boto 2.49, signature version ${version}`,
    needs: `${DIST}/boto`,
    from: 'python3-boto',
    command: PYTHON,
    script: 'day_boto2.py',
    env: { NOVACTL_TEST_SIGNATURE: version },
  })),
]);
