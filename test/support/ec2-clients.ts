import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
/** Where the programs of a day are: each asserts what it sees, and ends with another code than 0 at the first thing that is not so. */
export const DAYS = join(ROOT, 'test', 'clients', 'ec2');

/** The clients of Debian; what stands first in somebody's PATH may be another. */
export const PYTHON = '/usr/bin/python3';
const DIST = '/usr/lib/python3/dist-packages';
export const AWS = '/usr/bin/aws';
const PLAYBOOK = '/usr/bin/ansible-playbook';

/** A client of others, and its program of a day in the life of a cloud. */
export interface DayClient {
  readonly name: string;
  /** One word that is a name for users and projects too. */
  readonly id: string;
  /** Is there when the client is; and what brings it. */
  readonly needs: string;
  readonly from: string;
  readonly command: string;
  readonly script: string;
  readonly env?: NodeJS.ProcessEnv;
}

export const DAY_CLIENTS: readonly DayClient[] = [
  {
    ...{ name: "Ansible's modules, twice the same", id: 'ansible', needs: PLAYBOOK, from: 'ansible' },
    ...{ command: 'sh', script: 'day_ansible.sh', env: { PLAYBOOK } },
  },
  {
    ...{ name: 'the AWS CLI', id: 'awscli', needs: AWS, from: 'awscli' },
    ...{ command: 'sh', script: 'day.sh', env: { AWS } },
  },
  {
    ...{ name: 'boto3', id: 'boto3', needs: `${DIST}/boto3`, from: 'python3-boto3' },
    ...{ command: PYTHON, script: 'day.py' },
  },
  {
    ...{ name: 'the AWS SDK for JavaScript', id: 'sdk', from: '@aws-sdk/client-ec2' },
    ...{ needs: join(ROOT, 'node_modules/@aws-sdk/client-ec2'), command: process.execPath, script: 'day-sdk.ts' },
  },
  ...['2', '4'].map((version) => ({
    ...{ name: `boto 2.49, signature version ${version}`, id: `boto2v${version}` },
    ...{ needs: `${DIST}/boto`, from: 'python3-boto', command: PYTHON, script: 'day_boto2.py' },
    env: { NOVACTL_TEST_SIGNATURE: version },
  })),
];

/** Why the client can't be driven here; undefined when it can. */
export function whyNoClient({ needs, from }: Pick<DayClient, 'needs' | 'from'>): string | undefined {
  return existsSync(needs) ? undefined : `needs ${from}, which is not installed`;
}

/** The environment of a client, with nothing of the person who runs the tests and no cloud named in it. */
export function plainClientEnv(home: string): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    TMPDIR: home,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  };
}

export interface Ended {
  readonly code: number;
  readonly output: string;
}

const CLIENT_MS = 400_000;

/** A client's program to its end, or to that of its time. */
export function runClient(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeoutMs = CLIENT_MS,
): Promise<Ended> {
  const options = { env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}
