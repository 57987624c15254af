import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SandboxProcess } from './sandbox-process.ts';

interface Client {
  readonly name: string;
  /** Is there when the client is; and the Debian package that brings it. */
  readonly needs: string;
  readonly from: string;
  readonly command: string;
  readonly script: string;
  readonly env?: NodeJS.ProcessEnv;
}

const PYTHON = '/usr/bin/python3';
const DIST = '/usr/lib/python3/dist-packages';
const AWS = '/usr/bin/aws';
const PLAYBOOK = '/usr/bin/ansible-playbook';

/** Each script asserts what it sees, and ends with another code than 0 at the first thing that is not so. */
const CLIENTS: readonly Client[] = [
  { name: 'the AWS CLI', needs: AWS, from: 'awscli', command: 'sh', script: 'day.sh', env: { AWS } },
  { name: 'boto3', needs: `${DIST}/boto3`, from: 'python3-boto3', command: PYTHON, script: 'day.py' },
  {
    name: 'the AWS SDK for JavaScript',
    needs: join(import.meta.dirname, '../../../node_modules/@aws-sdk/client-ec2'),
    from: '@aws-sdk/client-ec2',
    command: process.execPath,
    script: 'day-sdk.ts',
  },
  {
    name: "Ansible's modules, twice the same",
    needs: PLAYBOOK,
    from: 'ansible',
    command: 'sh',
    script: 'day_ansible.sh',
    env: { PLAYBOOK },
  },
  ...['2', '4'].map((version) => ({
    name: `boto 2.49, signature version ${version}`,
    needs: `${DIST}/boto`,
    from: 'python3-boto',
    command: PYTHON,
    script: 'day_boto2.py',
    env: { NOVACTL_TEST_SIGNATURE: version },
  })),
];

const DAY_MS = 175_000;

describe('a day in the life of a cloud', () => {
  let sandbox: SandboxProcess | undefined;

  afterEach(async () => {
    await sandbox?.stop();
    sandbox = undefined;
  });

  it.for(CLIENTS)(
    'passes by $name [sim]',
    { timeout: DAY_MS },
    async ({ needs, from, command, script, env }, { skip }) => {
      if (!existsSync(needs)) skip(`needs ${from}, which is not installed`);
      sandbox = await SandboxProcess.start();
      const { code, output } = await sandbox.run(command, [join(import.meta.dirname, script)], env);
      expect(code, output.slice(-4000)).toBe(0);
    },
  );
});
