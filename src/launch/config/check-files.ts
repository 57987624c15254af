import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CloudError, errorText } from '../../base/errors.ts';
import { readConfiguredFile } from './configured-file.ts';
import type { Config } from './schema.ts';

interface NamedFile {
  readonly key: string;
  readonly kind: keyof typeof LOOKS;
  readonly path: (config: Config) => string;
  /** Nobody reads the file where this is not so. */
  readonly inUse: (config: Config) => boolean;
}

/** What is wrong with what is in the file: thrown by whoever can't read it so, never with what is in it. */
const LOOKS = {
  certificate: (bytes: Buffer): unknown => new X509Certificate(bytes),
  key: (bytes: Buffer): unknown => createPrivateKey(bytes),
  password: (): unknown => undefined,
} as const;

const onEtcd = ({ store }: Config): boolean => store.engine === 'etcd';
const onRabbit = ({ bus }: Config): boolean => bus.engine === 'rabbitmq';
const onEndpoint = ({ objectstore }: Config): boolean => objectstore.endpoint !== '';
const onLdap = ({ directory }: Config): boolean => directory.kind === 'ldap';

/** Every file that a key of the configuration names and that is read at the start. */
export const NAMED_FILES: readonly NamedFile[] = [
  { key: 'store.etcd.caFile', kind: 'certificate', path: ({ store }) => store.etcd.caFile, inUse: onEtcd },
  { key: 'store.etcd.certFile', kind: 'certificate', path: ({ store }) => store.etcd.certFile, inUse: onEtcd },
  { key: 'store.etcd.keyFile', kind: 'key', path: ({ store }) => store.etcd.keyFile, inUse: onEtcd },
  { key: 'bus.rabbitmq.passwordFile', kind: 'password', path: ({ bus }) => bus.rabbitmq.passwordFile, inUse: onRabbit },
  { key: 'bus.rabbitmq.caFile', kind: 'certificate', path: ({ bus }) => bus.rabbitmq.caFile, inUse: onRabbit },
  { key: 'bus.rabbitmq.certFile', kind: 'certificate', path: ({ bus }) => bus.rabbitmq.certFile, inUse: onRabbit },
  { key: 'bus.rabbitmq.keyFile', kind: 'key', path: ({ bus }) => bus.rabbitmq.keyFile, inUse: onRabbit },
  { key: 'directory.ca', kind: 'certificate', path: ({ directory }) => directory.ca, inUse: onLdap },
  {
    key: 'directory.bindPasswordFile',
    kind: 'password',
    path: ({ directory }) => directory.bindPasswordFile,
    inUse: onLdap,
  },
  {
    key: 'objectstore.secretKeyFile',
    kind: 'password',
    path: ({ objectstore }) => objectstore.secretKeyFile,
    inUse: onEndpoint,
  },
  { key: 'objectstore.caFile', kind: 'certificate', path: ({ objectstore }) => objectstore.caFile, inUse: onEndpoint },
];

/** What is wrong with one file; undefined: it can be read, by its owner alone where it is a secret, and is what it should be. */
async function problemOf({ key, kind, path }: NamedFile, config: Config): Promise<string | undefined> {
  const at = path(config);
  try {
    const bytes = await readConfiguredFile(key, at, { secret: kind !== 'certificate' });
    try {
      LOOKS[kind](bytes);
    } catch (error) {
      return `${key}: ${at}: it is no ${kind} in PEM: ${errorText(error)}`;
    }
  } catch (error) {
    return errorText(error);
  }
  return undefined;
}

/**
 * Looks at every file that the configuration names. Errors: one InvalidParameterValue with a line for each that is not as it must be, by key and file
 * (details.problems). The answer: the same of files that nothing reads as the configuration stands.
 */
export async function checkNamedFiles(config: Config): Promise<string[]> {
  const [problems, warnings]: [string[], string[]] = [[], []];
  for (const file of NAMED_FILES) {
    const problem = file.path(config) === '' ? undefined : await problemOf(file, config);
    if (problem === undefined) continue;
    if (file.inUse(config)) problems.push(problem);
    else warnings.push(`${problem} (it is not in use)`);
  }
  if (problems.length === 0) return warnings;
  throw new CloudError('InvalidParameterValue', problems.join('\n'), { details: { problems } });
}
