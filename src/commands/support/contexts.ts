import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CloudError, errorText } from '../../base/errors.ts';
import { userDirs } from '../../base/user-dirs.ts';
import { readIfThere } from './dirs.ts';
import type { Env } from './io.ts';

/** The machine that the command runs on: its socket, or itself. Always there, and no entry of the file. */
export const LOCAL_CONTEXT = 'local';

/** How a cloud elsewhere is reached. */
export interface CloudContext {
  readonly name: string;
  /** `https://host:port` */
  readonly url: string;
  /** Of the credential scope. */
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The cloud's certificate authority, PEM. */
  readonly ca: string;
}

/** contexts.yaml: each entry is a cloud elsewhere (url, ca, ...) or keys of the configuration for one on this machine. */
export interface ContextsFile {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const REMOTE_KEYS = ['url', 'region', 'accessKeyId', 'secretAccessKey', 'ca'] as const;

export const contextsPath = (env: Env): string => join(userDirs(env).configDir, 'contexts.yaml');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const bad = (text: string): CloudError => new CloudError('InvalidParameterValue', text);

function refuseReadable(path: string): void {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new CloudError(
    'OperationNotPermitted',
    `${path} holds secrets, and others may read it (mode ${mode.toString(8)}); mend it by: chmod 600 ${path}`,
  );
}

/** Errors: 'InvalidParameterValue' for a file that is no such YAML, 'OperationNotPermitted' when it holds secrets that others may read. */
export async function readContexts(env: Env): Promise<ContextsFile> {
  const path = contextsPath(env);
  const text = readIfThere(path);
  if (text === undefined) return { contexts: {} };
  if (text.includes('secretAccessKey')) refuseReadable(path);
  const { parse } = await import('./yaml.ts');
  let file: unknown;
  try {
    file = parse(text) as unknown;
  } catch (error) {
    throw bad(`${path}: ${errorText(error).split('\n')[0]?.replace(/:$/, '') ?? 'not YAML'}`);
  }
  if (file === null || file === undefined) return { contexts: {} };
  if (!isRecord(file)) throw bad(`${path}: must be a mapping with "current" and "contexts"`);
  const { current, contexts = {} } = file;
  if (!isRecord(contexts)) throw bad(`${path}: contexts must be a mapping of names`);
  const entries = Object.entries(contexts).map(([name, entry]) => [name, isRecord(entry) ? entry : {}] as const);
  return {
    ...(typeof current === 'string' ? { current } : {}),
    contexts: Object.fromEntries(entries),
  };
}

/** Writes the file anew, 0600, whole or not at all. */
export async function writeContexts(env: Env, file: ContextsFile, unique: () => Promise<string>): Promise<void> {
  const path = contextsPath(env);
  const [{ stringify }, { writeDurably }, id] = await Promise.all([
    import('./yaml.ts'),
    import('../../base/durable-file.ts'),
    unique(),
  ]);
  try {
    mkdirSync(userDirs(env).configDir, { recursive: true, mode: 0o700 });
    const text = stringify({
      ...(file.current === undefined ? {} : { current: file.current }),
      contexts: file.contexts,
    });
    await writeDurably(path, [Buffer.from(text, 'utf8')], { mode: 0o600, tmpPath: `${path}.${id.slice(0, 8)}` });
  } catch (error) {
    throw new CloudError('InvalidParameterValue', `${path}: can't be written: ${errorText(error)}`, { cause: error });
  }
}

/** An entry as a cloud elsewhere; undefined when it is one of this machine. */
export function asCloudContext(name: string, entry: Readonly<Record<string, unknown>>): CloudContext | undefined {
  if (entry['url'] === undefined) return undefined;
  const missing = REMOTE_KEYS.filter((key) => typeof entry[key] !== 'string' || entry[key] === '');
  if (missing.length > 0)
    throw bad(`the context ${name} lacks ${missing.join(', ')}; add it anew: novactl context add`);
  const text = (key: (typeof REMOTE_KEYS)[number]): string => String(entry[key]);
  return {
    name,
    url: text('url'),
    region: text('region'),
    accessKeyId: text('accessKeyId'),
    secretAccessKey: text('secretAccessKey'),
    ca: text('ca'),
  };
}

export function entryOf(file: ContextsFile, name: string): Readonly<Record<string, unknown>> {
  const entry = Object.hasOwn(file.contexts, name) ? file.contexts[name] : undefined;
  if (entry !== undefined) return entry;
  const known = [LOCAL_CONTEXT, ...Object.keys(file.contexts)].join(', ');
  throw bad(`there is no context ${name}; there is ${known}`);
}

export interface ContextChoice {
  readonly env: Env;
  /** --context */
  readonly context: string | undefined;
  /** --set */
  readonly set: Readonly<Record<string, string>>;
}

/**
 * The cloud elsewhere that a command is to work with; undefined: this machine. --context wins over NOVACTL_CONTEXT over the current one, and the current one
 * gives way to a variable or --set that names a folder of this machine, as everywhere: flag > environment > context.
 */
export async function chosenCloud({ env, context, set }: ContextChoice): Promise<CloudContext | undefined> {
  const named = context ?? (env['NOVACTL_CONTEXT'] || undefined);
  if (named === LOCAL_CONTEXT) return undefined;
  const text = readIfThere(contextsPath(env));
  if (named === undefined) {
    const folders = env['NOVACTL_RUN_DIR'] || env['NOVACTL_STATE_DIR'] || set['runDir'] || set['stateDir'];
    // Most machines have no clouds elsewhere: the library for YAML is not loaded there.
    if (folders !== undefined || text === undefined || !text.includes('url')) return undefined;
  }
  const file = await readContexts(env);
  const name = named ?? file.current;
  if (name === undefined || name === LOCAL_CONTEXT) return undefined;
  return asCloudContext(name, entryOf(file, name));
}
