import { quoteWord } from '../base/shell-quote.ts';

/** All that a client needs to work in one project. */
export interface Credentials {
  readonly projectId: string;
  readonly userName: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Without a path: `https://cloud.example:8773`. */
  readonly ec2Url: string;
  /** Absent: the cloud has no object store. */
  readonly s3Url?: string | undefined;
  /** Where the files are to lie; absent: nobody knows (a zip). */
  readonly folder?: string | undefined;
}

/** Names of the files, for whoever writes and for what refers to them. */
export const CREDENTIAL_FILES = {
  novarc: 'novarc',
  privateKey: 'pk.pem',
  certificate: 'cert.pem',
  authority: 'cacert.pem',
  bundling: 'cloud-cert.pem',
  awsConfig: 'aws/config',
  awsCredentials: 'aws/credentials',
  boto: 'boto.cfg',
  terraform: 'provider.tf',
} as const;

const legacyUrl = ({ ec2Url }: Credentials): string => `${ec2Url}/services/Cloud/`;

/**
 * Lines of shell that find the folder of the files. Only bash and zsh know what they read; another shell would take a novarc of the folder that it is in for
 * this one, whose files these are not.
 */
const findFolder = (folder: string | undefined): readonly string[] => [
  '# Where its files are: beside it, where the shell says what it reads; else where they were written, or the folder that the shell is in.',
  'case "${BASH_VERSION-}${ZSH_VERSION-}" in',
  `  '') NOVA_KEY_DIR=${folder === undefined ? '$PWD' : quoteWord(folder)} ;;`,
  '  *) NOVA_KEY_DIR=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE:-$0}")" 2>/dev/null && pwd) ;;',
  'esac',
  '[ -f "${NOVA_KEY_DIR}/novarc" ] || NOVA_KEY_DIR=$PWD',
  '[ -f "${NOVA_KEY_DIR}/novarc" ] || echo "novarc: its files are not in ${NOVA_KEY_DIR}; cd to their folder and read it again" >&2',
];

/** For `. novarc` in any POSIX shell: the names of the original for euca2ools and boto, and those of AWS's own tools. */
export function renderNovarc(one: Credentials): string {
  const { projectId, userName, accessKeyId, secretAccessKey, s3Url, region } = one;
  const set = (name: string, value: string): string => `export ${name}=${quoteWord(value)}`;
  const file = (name: string): string => `"\${NOVA_KEY_DIR}/${name}"`;
  return [
    `# novactl: ${userName} in project ${projectId}. Use it by: . ./novarc`,
    '# It holds a secret: whoever reads it may do all that this user may.',
    ...findFolder(one.folder),
    set('EC2_ACCESS_KEY', `${accessKeyId}:${projectId}`),
    set('EC2_SECRET_KEY', secretAccessKey),
    set('EC2_URL', legacyUrl(one)),
    ...(s3Url === undefined
      ? [
          '# This cloud has no object store that novactl knows of, and that of another must not be asked with this key.',
          'unset S3_URL AWS_ENDPOINT_URL_S3',
        ]
      : [set('S3_URL', s3Url)]),
    set('EC2_USER_ID', one.accountId),
    `export EC2_PRIVATE_KEY=${file(CREDENTIAL_FILES.privateKey)}`,
    `export EC2_CERT=${file(CREDENTIAL_FILES.certificate)}`,
    '# What images are bundled for, by a certificate of RSA: --ec2cert of euca-bundle-image and ec2-bundle-image.',
    `export NOVA_CERT=${file(CREDENTIAL_FILES.bundling)}`,
    'export EUCALYPTUS_CERT="${NOVA_CERT}"',
    '# A session of another account does not go with this key.',
    'unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN',
    set('AWS_ACCESS_KEY_ID', accessKeyId),
    set('AWS_SECRET_ACCESS_KEY', secretAccessKey),
    set('AWS_DEFAULT_REGION', region),
    set('AWS_REGION', region),
    '# AWS CLI before 2.13 and boto3 before 1.28 know none of these: say --endpoint-url "$AWS_ENDPOINT_URL_EC2" to them.',
    set('AWS_ENDPOINT_URL_EC2', one.ec2Url),
    set('AWS_ENDPOINT_URL_STS', one.ec2Url),
    ...(s3Url === undefined ? [] : [set('AWS_ENDPOINT_URL_S3', s3Url)]),
    `export AWS_CA_BUNDLE=${file(CREDENTIAL_FILES.authority)}`,
    'export BOTO_CONFIG="${NOVA_KEY_DIR}/boto.cfg"',
    '',
  ].join('\n');
}

/** A profile by the project's name: `AWS_CONFIG_FILE=aws/config`. */
export function renderAwsConfig(one: Credentials): string {
  const { projectId, region, ec2Url, s3Url, folder } = one;
  const services = `novactl-${projectId}`;
  return [
    `[profile ${projectId}]`,
    `region = ${region}`,
    'output = json',
    folder === undefined
      ? `# ca_bundle = the absolute path of ${CREDENTIAL_FILES.authority} (or set AWS_CA_BUNDLE)`
      : `ca_bundle = ${folder}/${CREDENTIAL_FILES.authority}`,
    `services = ${services}`,
    '',
    `[services ${services}]`,
    'ec2 =',
    `  endpoint_url = ${ec2Url}`,
    'sts =',
    `  endpoint_url = ${ec2Url}`,
    ...(s3Url === undefined ? [] : ['s3 =', `  endpoint_url = ${s3Url}`]),
    '',
  ].join('\n');
}

export function renderAwsCredentials({ projectId, accessKeyId, secretAccessKey }: Credentials): string {
  return [
    `[${projectId}]`,
    `aws_access_key_id = ${accessKeyId}`,
    `aws_secret_access_key = ${secretAccessKey}`,
    '',
  ].join('\n');
}

/** For boto 2, which expands % in values. */
export function renderBoto(one: Credentials): string {
  const value = (text: string): string => text.replaceAll('%', '%%');
  const { projectId, accessKeyId, secretAccessKey, region, ec2Url, folder } = one;
  const { hostname, protocol } = new URL(ec2Url);
  // As a URL has them: four numbers, or in brackets.
  const isAddress = /^(\d+\.){3}\d+$|^\[/.test(hostname);
  return [
    '# boto 2: boto.connect_ec2_endpoint(os.environ["EC2_URL"]) takes the address from novarc.',
    ...(protocol === 'https:' && isAddress
      ? [`# It knows a server by TLS only by name: ${hostname} will not do, make these by --ec2-url https://NAME:PORT.`]
      : []),
    '[Credentials]',
    `aws_access_key_id = ${value(`${accessKeyId}:${projectId}`)}`,
    `aws_secret_access_key = ${value(secretAccessKey)}`,
    '',
    '[Boto]',
    `is_secure = ${protocol === 'https:' ? 'True' : 'False'}`,
    'https_validate_certificates = True',
    folder === undefined
      ? `# ca_certificates_file = the absolute path of ${CREDENTIAL_FILES.authority}`
      : `ca_certificates_file = ${value(`${folder}/${CREDENTIAL_FILES.authority}`)}`,
    `ec2_region_name = ${value(region)}`,
    `ec2_region_endpoint = ${value(hostname)}`,
    '',
  ].join('\n');
}

/** HCL's quoted string: no template begins in it. */
function hcl(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return `"${escaped.replaceAll('${', '$${').replaceAll('%{', '%%{')}"`;
}

/** The provider of Terraform and OpenTofu; the secret stays in aws/credentials beside it. */
export function renderTerraform({ projectId, region, ec2Url, s3Url }: Credentials): string {
  return [
    'provider "aws" {',
    `  region                      = ${hcl(region)}`,
    `  profile                     = ${hcl(projectId)}`,
    `  shared_config_files         = ["\${path.module}/${CREDENTIAL_FILES.awsConfig}"]`,
    `  shared_credentials_files    = ["\${path.module}/${CREDENTIAL_FILES.awsCredentials}"]`,
    `  custom_ca_bundle            = "\${path.module}/${CREDENTIAL_FILES.authority}"`,
    '  skip_credentials_validation = true',
    '  skip_metadata_api_check     = true',
    '  skip_region_validation      = true',
    '  skip_requesting_account_id  = true',
    ...(s3Url === undefined ? [] : ['  s3_use_path_style           = true']),
    '',
    '  endpoints {',
    `    ec2 = ${hcl(ec2Url)}`,
    `    sts = ${hcl(ec2Url)}`,
    ...(s3Url === undefined ? [] : [`    s3  = ${hcl(s3Url)}`]),
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Every file of text, by its name. */
export function credentialFiles(
  one: Credentials,
  pem: {
    readonly privateKey: string;
    readonly certificate: string;
    readonly authority: string;
    readonly bundling: string;
  },
): readonly { readonly name: string; readonly text: string }[] {
  const { novarc, privateKey, certificate, authority, bundling, awsConfig, awsCredentials, boto, terraform } =
    CREDENTIAL_FILES;
  return [
    { name: novarc, text: renderNovarc(one) },
    { name: privateKey, text: pem.privateKey },
    { name: certificate, text: pem.certificate },
    { name: authority, text: pem.authority },
    { name: bundling, text: pem.bundling },
    { name: awsConfig, text: renderAwsConfig(one) },
    { name: awsCredentials, text: renderAwsCredentials(one) },
    { name: boto, text: renderBoto(one) },
    { name: terraform, text: renderTerraform(one) },
  ];
}
