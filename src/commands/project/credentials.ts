import { generateKeyPair } from 'node:crypto';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { type Credentials, credentialFiles } from '../../views/credential-files.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';
import { printable } from '../support/printable.ts';
import { loadWholeConfig } from '../support/load-config.ts';
import { ownerInput } from '../support/owner-flags.ts';
import type { Session } from '../support/session.ts';
import { reserveArchive, reserveFolder } from '../support/write-credentials.ts';

const KEY_TYPES = ['p256', 'rsa'] as const;
type KeyType = (typeof KEY_TYPES)[number];

const DEFAULT_EC2_PORT = 8773;

export class ProjectCredentials extends BaseCommand {
  static override summary = 'write all that clients need to work in a project';
  static override description =
    "Makes a new access key and a certificate, and writes novarc (euca2ools, boto, AWS's tools: source it in a shell), an AWS profile, boto.cfg, a Terraform provider, pk.pem, cert.pem, cacert.pem, and cloud-cert.pem to bundle images with (--key-type rsa): into a folder (0700, each file 0600), or as one zip. The private key of the certificate is made here and goes nowhere else. Nothing that is there is overwritten. What is given out is seen by key list and ended by key delete.";
  static override aliases = ['credentials-project'];
  static override examples = [
    '<%= config.bin %> project credentials --out ~/lab',
    '<%= config.bin %> project credentials --project lab --user anna --zip anna.zip --key-type rsa',
    '<%= config.bin %> project credentials --project lab --out lab --ec2-url https://cloud.example:8773',
  ];
  static override flags = {
    project: Flags.string({ description: 'project to work in; default your own', helpValue: 'NAME' }),
    user: Flags.string({ description: 'in whose name; default your own', helpValue: 'NAME' }),
    out: Flags.string({ description: 'new folder for the files', helpValue: 'DIR', exclusive: ['zip'] }),
    zip: Flags.string({ description: 'new zip archive for the files', helpValue: 'FILE', exclusive: ['out'] }),
    'key-type': Flags.option({
      description:
        'private key of the certificate: P-256, or RSA with 3072 bits, for which bundles of images can be encrypted',
      options: KEY_TYPES,
      default: 'p256' as KeyType,
    })(),
    'ec2-url': Flags.string({
      description: 'address of the EC2 API; default from ec2.listen. By TLS boto 2 takes a name, never an IP address',
      helpValue: 'URL',
    }),
    's3-url': Flags.string({
      description: 'address of S3; default from objectstore.endpoint or objectstore.listen, else none',
      helpValue: 'URL',
    }),
    ...changeFlags,
  };
  static override parameters = { ProjectId: '--project', UserName: '--user', PublicKey: '--key-type' };

  async run(): Promise<void> {
    const { flags } = await this.parse(ProjectCredentials);
    const session = this.open(flags);
    const { out, zip } = flags;
    if (out === undefined && zip === undefined)
      throw new CloudError('MissingParameter', 'missing --out DIR or --zip FILE: where the files go');
    const ec2Url = await addressOf(session, flags['ec2-url']);
    const s3Url = await objectsAddressOf(session, flags['s3-url']);
    const place = out === undefined ? reserveArchive(resolve(zip ?? '')) : reserveFolder(resolve(out));
    try {
      const { pem, ...made } = await give(session, { ...ownerInput(flags), keyType: flags['key-type'] });
      const { serial, userName, projectId, accessKeyId } = made;
      place.keep(credentialFiles({ ...made, ec2Url, s3Url, folder: place.folder }, pem), session.nowMs());
      session.output.message(
        `the credentials of ${userName} in ${projectId} are in ${place.path}: access key ${accessKeyId}, certificate ${serial}`,
      );
      await session.showValue({ accessKeyId, userName, projectId, serial, path: place.path }, '');
      if (place.folder !== undefined) session.output.hint(`use them by: . ${place.path}/novarc`);
    } finally {
      place.dropIfEmpty();
    }
  }
}

type Given = Omit<Credentials, 'ec2Url' | 's3Url' | 'folder'> & {
  readonly serial: string;
  readonly pem: {
    readonly privateKey: string;
    readonly certificate: string;
    readonly authority: string;
    readonly bundling: string;
  };
};

/** The certificate first: it alone lets nobody in. */
async function give(
  session: Session,
  { keyType, ...owner }: { UserName?: string; ProjectId?: string; keyType: KeyType },
): Promise<Given> {
  const { publicKey, privateKey } = await newKeyPair(keyType);
  const signed = await session.change('CreateUserCertificate', { ...owner, PublicKey: publicKey });
  const { userName, projectId, serial } = signed.userCertificate;
  const made = await session.change('CreateAccessKey', { UserName: userName, ProjectId: projectId });
  return {
    ...{ userName, projectId, serial, accountId: signed.accountId, region: signed.region },
    ...{ accessKeyId: made.accessKey.accessKeyId, secretAccessKey: made.secretAccessKey },
    pem: { privateKey, certificate: signed.certificate, authority: signed.authority, bundling: signed.bundling },
  };
}

async function newKeyPair(type: KeyType): Promise<{ publicKey: string; privateKey: string }> {
  const make = promisify(generateKeyPair);
  const { publicKey, privateKey } =
    type === 'rsa' ? await make('rsa', { modulusLength: 3072 }) : await make('ec', { namedCurve: 'prime256v1' });
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** What clients are told: the flag, what this machine's configuration says, or the same machine as the chosen context. */
async function addressOf(session: Session, flag: string | undefined): Promise<string> {
  if (flag !== undefined) return httpUrl('--ec2-url', flag);
  const elsewhere = await session.elsewhere();
  if (elsewhere !== undefined) return `https://${new URL(elsewhere.url).hostname}:${DEFAULT_EC2_PORT}`;
  const { config } = await loadWholeConfig(session.io, session.flags);
  const { publicEc2Url } = await import('../../launch/ec2-url.ts');
  const url = publicEc2Url(config);
  if (url !== undefined) return url;
  throw new CloudError(
    'IncorrectState',
    'the EC2 API listens nowhere: set ec2.listen in the configuration and restart the cloud, or name an address by --ec2-url',
  );
}

/** The flag, or what this machine's configuration says; of a cloud elsewhere it is not known. */
async function objectsAddressOf(session: Session, flag: string | undefined): Promise<string | undefined> {
  if (flag !== undefined) return httpUrl('--s3-url', flag);
  if ((await session.elsewhere()) !== undefined) return undefined;
  const { config } = await loadWholeConfig(session.io, session.flags);
  const { endpoint } = config.objectstore;
  if (endpoint !== '')
    session.output.warn(
      `S3 is at ${endpoint} (objectstore.endpoint), which has access keys and a certificate of its own`,
    );
  const { publicS3Url } = await import('../../launch/s3-url.ts');
  return publicS3Url(config);
}

/** Without a path, a query or a name and password. */
function httpUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (plain && url.pathname === '/' && url.search === '' && url.hash === '') return url.origin;
  throw new CloudError(
    'InvalidParameterValue',
    `${flag} must be an address like https://cloud.example:8773, not "${printable(text, 100)}"`,
  );
}
