import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import { CONFIG_PATH, defaultCloudDirs, SOCKET_NAME, userDirs } from '../../base/user-dirs.ts';
import type { Env } from './io.ts';

export interface CloudDirs {
  readonly stateDir: string;
  readonly runDir: string;
  /** Of what all processes of the cloud share; absent: the state folder. */
  readonly secretsDir?: string;
}

export interface DirsOptions {
  readonly env: Env;
  readonly uid: number;
  /** What --set says. */
  readonly flags: Readonly<Record<string, string>>;
  readonly configPath: string | undefined;
  readonly context: string | undefined;
}

type Found = Partial<Record<keyof CloudDirs, string>>;

/** The text of a file; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw new CloudError('InvalidParameterValue', `${path}: can't be read: ${errorText(error)}`, { cause: error });
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object';

function pick(value: unknown): Found {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    (['stateDir', 'runDir', 'secretsDir'] as const).flatMap((key) =>
      typeof value[key] === 'string' ? [[key, value[key]]] : [],
    ),
  );
}

/** The YAML library is loaded only for a file that speaks of the folders. */
async function parsed(text: string | undefined): Promise<unknown> {
  if (text === undefined || !/stateDir|runDir|secretsDir/.test(text)) return undefined;
  const { parse } = await import('./yaml.ts');
  try {
    return parse(text) as unknown;
  } catch {
    // What is wrong with it is the business of `novactl config check` and of the daemon.
    return undefined;
  }
}

async function fromContext(options: DirsOptions): Promise<Found> {
  const file = await parsed(readIfThere(join(userDirs(options.env).configDir, 'contexts.yaml')));
  if (!isRecord(file) || !isRecord(file['contexts'])) return {};
  const name = options.context ?? (options.env['NOVACTL_CONTEXT'] || file['current']);
  return pick(file['contexts'][String(name)]);
}

function fromEnv(env: Env): Found {
  const { NOVACTL_STATE_DIR: stateDir, NOVACTL_RUN_DIR: runDir, NOVACTL_SECRETS_DIR: secretsDir } = env;
  return { ...(stateDir && { stateDir }), ...(runDir && { runDir }), ...(secretsDir && { secretsDir }) };
}

/** The two folders that an ordinary command needs, found as loadConfig finds them but without the whole schema. */
export async function cloudDirs(options: DirsOptions): Promise<CloudDirs> {
  const path = options.configPath ?? (options.env['NOVACTL_CONFIG'] || CONFIG_PATH);
  return {
    ...defaultCloudDirs(options.env, options.uid),
    ...pick(await parsed(readIfThere(path))),
    ...(await fromContext(options)),
    ...fromEnv(options.env),
    ...pick(options.flags),
  };
}

export const socketPathIn = (dirs: CloudDirs): string => join(dirs.runDir, SOCKET_NAME);
