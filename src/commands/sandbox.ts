import { readFile } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { CloudError, errorText } from '../base/errors.ts';
import type { SandboxImage, SandboxReady } from '../launch/sandbox.ts';
import { quoteWord } from '../base/shell-quote.ts';
import { BaseCommand } from './support/base-command.ts';
import { whole } from './support/flags.ts';

const IMAGES: readonly SandboxImage[] = [{ name: 'debian-12' }, { name: 'ubuntu-24.04' }];

const badFlag = (flag: string, message: string): CloudError => {
  const line = `--${flag}: ${message}`;
  return new CloudError('InvalidParameterValue', line, { details: { line } });
};

export class Sandbox extends BaseCommand {
  static override summary = 'run a cloud to throw away, for scripts and tests';
  static override description =
    'The real EC2 API, S3, state and scheduler on simulated hosts, in one process on 127.0.0.1, until SIGINT or SIGTERM. On stdout are the shell commands that point a client at it. Nothing of this machine is touched, and no context or configuration is read.';
  static override examples = [
    '<%= config.bin %> sandbox',
    '<%= config.bin %> sandbox --ec2-port 0 --s3-port 0 --hosts 10 --regions west,east --images images.json',
    '<%= config.bin %> sandbox --access-key AKIAIOSFODNN7EXAMPLE --secret-key-file secret --state ./cloud',
  ];
  static override flags = {
    'ec2-port': whole('ec2-port', {
      description: 'port of the EC2 API on 127.0.0.1; 0: one that is free',
      min: 0,
      max: 65_535,
      default: 8773,
    }),
    's3-port': whole('s3-port', {
      description: 'port of S3 on 127.0.0.1; 0: one that is free',
      min: 0,
      max: 65_535,
      default: 3333,
    }),
    hosts: Flags.integer({
      description: 'simulated hosts; default: 3, and at least one a zone',
      helpValue: 'N',
      min: 0,
      max: 1000,
    }),
    regions: Flags.string({
      description: 'regions that it serves, each with two zones (its name and a, b); the first is the default',
      helpValue: 'REGION,...',
    }),
    images: Flags.string({
      description:
        'JSON file of the images to begin with: [{id, name, architecture, virtualizationType, platform, rootDeviceName}]; default: debian-12 and ubuntu-24.04',
      helpValue: 'FILE',
    }),
    'access-key': Flags.string({
      description: "the administrator's access key id; default: a random one",
      helpValue: 'ID',
    }),
    'secret-key': Flags.string({
      description: 'its secret; everybody on the machine can read it in the list of processes',
      helpValue: 'SECRET',
      exclusive: ['secret-key-file'],
      dependsOn: ['access-key'],
    }),
    'secret-key-file': Flags.string({
      description: 'file that its secret is in, on one line',
      helpValue: 'FILE',
      dependsOn: ['access-key'],
    }),
    user: Flags.string({
      description: 'one more account: a project and user of that name with that access key; may be repeated',
      helpValue: 'NAME:ID:SECRET',
      multiple: true,
    }),
    'account-id': Flags.string({ description: "12 digits: the first account's id; default: random", helpValue: 'ID' }),
    state: Flags.string({
      description: 'folder to keep the cloud in; default: it is gone at the end',
      helpValue: 'DIR',
    }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Sandbox);
    const session = this.open(flags);
    const secret =
      flags['secret-key-file'] === undefined ? flags['secret-key'] : await secretIn(flags['secret-key-file']);
    if (flags['access-key'] !== undefined && secret === undefined) {
      throw badFlag('access-key', 'goes with --secret-key-file or --secret-key');
    }
    const { parseSandboxImages, runSandbox } = await import('../launch/sandbox.ts');
    const { resolve } = await import('node:path');
    await runSandbox({
      ec2Port: flags['ec2-port'],
      s3Port: flags['s3-port'],
      hosts: flags.hosts,
      regions: (flags.regions ?? '').split(',').filter((name) => name !== ''),
      images: flags.images === undefined ? IMAGES : await imagesIn(flags.images, parseSandboxImages),
      accessKey:
        flags['access-key'] === undefined
          ? undefined
          : { accessKeyId: flags['access-key'], secretAccessKey: secret ?? '' },
      users: (flags.user ?? []).map(userOf),
      accountId: flags['account-id'],
      stateDir: flags.state === undefined ? undefined : resolve(flags.state),
      version: this.config.version,
      signal: this.io.signal,
      writeLog: (line) => this.io.stderr.write(line),
      onReady: (ready) => {
        this.io.stdout.write(flags.json === true ? `${JSON.stringify(ready)}\n` : exportsOf(ready));
        session.output.message('the sandbox is ready; Ctrl-C ends it');
      },
    });
    return 0;
  }
}

async function secretIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw badFlag('secret-key-file', errorText(error));
  }
}

async function imagesIn(
  file: string,
  parse: (text: string) => readonly SandboxImage[],
): Promise<readonly SandboxImage[]> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw badFlag('images', `${file}: ${errorText(error)}`);
  }
}

function userOf(text: string): { name: string; accessKeyId: string; secretAccessKey: string } {
  const [name = '', accessKeyId = '', ...rest] = text.split(':');
  const secretAccessKey = rest.join(':');
  if (name === '' || accessKeyId === '' || secretAccessKey === '') throw badFlag('user', 'must be NAME:ID:SECRET');
  return { name, accessKeyId, secretAccessKey };
}

/** For `eval`, or to be copied. */
function exportsOf(ready: SandboxReady): string {
  const { ec2Url, s3Url, region, accessKeyId, secretAccessKey, accountId, images, stateDir, runDir } = ready;
  const variables = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: region,
    AWS_REGION: region,
    AWS_ENDPOINT_URL_EC2: ec2Url,
    AWS_ENDPOINT_URL_S3: s3Url,
    AWS_ENDPOINT_URL_STS: ec2Url,
    EC2_URL: `${ec2Url}/services/Cloud/`,
    EC2_ACCESS_KEY: accessKeyId,
    EC2_SECRET_KEY: secretAccessKey,
    S3_URL: s3Url,
    NOVACTL_STATE_DIR: stateDir,
    NOVACTL_RUN_DIR: runDir,
  };
  return [
    `# account ${accountId}; images: ${images.map(({ id, name }) => `${id} (${name})`).join(', ') || 'none'}`,
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoteWord(value)}`),
    '',
  ].join('\n');
}
