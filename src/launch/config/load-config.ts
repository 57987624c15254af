import { parseDocument } from 'yaml';
import { CloudError, errorText } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import { CONFIG_PATH, defaultCloudDirs, userDirs } from '../../base/user-dirs.ts';
import { CONFIG_KEYS, type ConfigKey } from './keys.ts';
import { ConfigSchema, type Config } from './schema.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface LoadConfigOptions {
  readonly env: Env;
  /** What the command line sets: dotted key -> value; undefined ones are left out. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The file that --config names; wins over NOVACTL_CONFIG. */
  readonly configPath?: string | undefined;
  /** The context that --context names; wins over NOVACTL_CONTEXT and the current one. */
  readonly context?: string | undefined;
  /** The text of a file; undefined when there is none. */
  readonly readFile: (path: string) => string | undefined;
  /** Whose defaults; 0 is root. Default: of this process. */
  readonly uid?: number;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Dotted key -> where its value is from: `flag --set`, `environment NOVACTL_...`, `context prod`, `file /etc/...`, `default`. */
  readonly origins: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

interface Layer {
  readonly origin: (key: ConfigKey) => string;
  /** Dotted key -> value. */
  readonly values: ReadonlyMap<string, unknown>;
}

const KEY_BY_PATH = new Map(CONFIG_KEYS.map((key) => [key.path, key]));
/** `store` and `store.etcd` of `store.etcd.caFile`. */
const sectionsOf = (path: string): string[] =>
  path.split('.').flatMap((_, index, words) => (index === 0 ? [] : [words.slice(0, index).join('.')]));
const SECTIONS = new Set(CONFIG_KEYS.flatMap(({ path }) => sectionsOf(path)));

/** Variables that novactl reads and that are not keys of the configuration. */
const OTHER_VARIABLES = new Set(['NOVACTL_CONFIG', 'NOVACTL_CONTEXT', 'NOVACTL_NODE', 'NOVACTL_PROJECT']);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** All that is wrong, in one error: an administrator mends a file once, not once a line. */
class Problems {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
  }

  throwIfAny(): void {
    if (this.#lines.length === 0) return;
    throw new CloudError('InvalidParameterValue', this.#lines.join('\n'), { details: { problems: [...this.#lines] } });
  }
}

function unknownKey(path: string, where: string): string {
  const near = nearest(path, [...KEY_BY_PATH.keys(), ...SECTIONS]);
  const hint = near === undefined ? 'novactl config show lists all keys' : `did you mean ${near}?`;
  return `${where}: unknown key ${path}; ${hint}`;
}

/** A nested mapping as dotted keys; what no key is named is a problem. */
function flatten(tree: Record<string, unknown>, where: string, problems: Problems, prefix = ''): Map<string, unknown> {
  const out = new Map<string, unknown>();
  for (const [name, value] of Object.entries(tree)) {
    const path = `${prefix}${name}`;
    if (KEY_BY_PATH.has(path)) {
      if (value !== null) out.set(path, value);
    } else if (!SECTIONS.has(path)) problems.add(unknownKey(path, where));
    else if (isRecord(value)) for (const [key, item] of flatten(value, where, problems, `${path}.`)) out.set(key, item);
    else if (value !== null) problems.add(`${where}: ${path} must be a mapping`);
  }
  return out;
}

function parseYaml(text: string, where: string): Record<string, unknown> {
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new CloudError('InvalidParameterValue', `${where}: ${error.message.split('\n')[0] ?? 'not YAML'}`);
  }
  const value: unknown = document.toJS();
  if (value === null || value === undefined) return {};
  if (!isRecord(value)) throw new CloudError('InvalidParameterValue', `${where}: must be a mapping of keys to values`);
  return value;
}

function readText(path: string, options: LoadConfigOptions): string | undefined {
  try {
    return options.readFile(path);
  } catch (error) {
    throw new CloudError('InvalidParameterValue', `${path}: can't be read: ${errorText(error)}`, { cause: error });
  }
}

function fileLayer(options: LoadConfigOptions, problems: Problems): Layer {
  const named = options.configPath ?? options.env['NOVACTL_CONFIG'];
  const path = named === undefined || named === '' ? CONFIG_PATH : named;
  const text = readText(path, options);
  if (text === undefined && path === named) {
    throw new CloudError('InvalidParameterValue', `${path}: no such file (named by ${namedBy(options)})`);
  }
  return { origin: () => `file ${path}`, values: flatten(parseYaml(text ?? '', path), path, problems) };
}

const namedBy = (options: LoadConfigOptions): string =>
  options.configPath === undefined ? 'NOVACTL_CONFIG' : '--config';

/** The context of this machine, which is no entry. */
const LOCAL = 'local';
/** What a context of a cloud elsewhere holds for the client, and is no configuration. */
const OF_THE_CLIENT = new Set(['url', 'ca', 'accessKeyId', 'secretAccessKey', 'region']);

/** contexts.yaml: `current: NAME` and `contexts: {NAME: {key: value}}`. */
function contextLayer(options: LoadConfigOptions, problems: Problems): Layer {
  const path = `${userDirs(options.env).configDir}/contexts.yaml`;
  const file = parseYaml(readText(path, options) ?? '', path);
  const contexts = isRecord(file['contexts']) ? file['contexts'] : {};
  const asked = options.context ?? options.env['NOVACTL_CONTEXT'];
  const name = asked === undefined || asked === '' ? file['current'] : asked;
  if (name === undefined || name === null || name === LOCAL) return { origin: () => 'context', values: new Map() };
  const values = contexts[String(name)];
  if (!isRecord(values)) {
    const known = Object.keys(contexts).join(', ');
    throw new CloudError('InvalidParameterValue', `${path}: no context ${String(name)}; there is ${known || 'none'}`);
  }
  const isElsewhere = values['url'] !== undefined;
  const own = Object.fromEntries(Object.entries(values).filter(([key]) => !isElsewhere || !OF_THE_CLIENT.has(key)));
  return { origin: () => `context ${String(name)}`, values: flatten(own, `${path}: ${String(name)}`, problems) };
}

/** Text of a variable or flag as the key's kind of value; what is no number stays text, for the schema to refuse. */
function fromText(key: ConfigKey, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (key.kind === 'list') return value.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
  if (key.kind === 'number' && /^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  return value;
}

function envLayer(env: Env, warnings: string[]): Layer {
  const values = new Map<string, unknown>();
  const byEnv = new Map(CONFIG_KEYS.map((key) => [key.env, key]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('NOVACTL_') || OTHER_VARIABLES.has(name) || value === undefined || value === '') continue;
    const key = byEnv.get(name);
    if (key !== undefined) values.set(key.path, fromText(key, value));
    else {
      const near = nearest(name, [...byEnv.keys()]);
      warnings.push(`environment ${name} sets nothing${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
  }
  return { origin: (key) => `environment ${key.env}`, values };
}

function flagLayer(flags: Readonly<Record<string, unknown>>, problems: Problems): Layer {
  const values = new Map<string, unknown>();
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const key = KEY_BY_PATH.get(path);
    if (key === undefined) problems.add(unknownKey(path, '--set'));
    else values.set(path, fromText(key, value));
  }
  return { origin: () => 'flag --set', values };
}

function subsection(section: Record<string, unknown>, name: string): Record<string, unknown> {
  const found = section[name];
  if (isRecord(found)) return found;
  return (section[name] = {});
}

function nest(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [path, value] of values) {
    let section = out;
    for (const name of sectionsOf(path)) section = subsection(section, name.slice(name.lastIndexOf('.') + 1));
    section[path.slice(path.lastIndexOf('.') + 1)] = value;
  }
  return out;
}

function checked(values: ReadonlyMap<string, unknown>, origins: Record<string, string>, problems: Problems): Config {
  const parsed = ConfigSchema.safeParse(nest(values));
  for (const issue of parsed.error?.issues ?? []) {
    // An issue of a list's item is one of the key that has the list.
    const paths = issue.path.map((_, index) => issue.path.slice(0, index + 1).join('.'));
    const key = paths.findLast((path) => KEY_BY_PATH.has(path)) ?? String(issue.path[0]);
    const given = JSON.stringify(values.get(key)) ?? 'nothing';
    problems.add(`${key} ${issue.message}, not ${given} (${origins[key] ?? 'default'})`);
  }
  problems.throwIfAny();
  return parsed.data as Config;
}

/**
 * Puts the configuration together: flag > environment > context > file > default. Throws one CloudError 'InvalidParameterValue' that names
 * every bad key with its value, its origin and what is allowed (details.problems holds the lines).
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const problems = new Problems();
  const warnings: string[] = [];
  const dirs = defaultCloudDirs(options.env, options.uid ?? process.getuid?.() ?? 0);
  const layers: Layer[] = [
    { origin: () => 'default', values: new Map(Object.entries(dirs)) },
    fileLayer(options, problems),
    contextLayer(options, problems),
    envLayer(options.env, warnings),
    flagLayer(options.flags ?? {}, problems),
  ];
  problems.throwIfAny();
  const values = new Map<string, unknown>();
  const origins: Record<string, string> = Object.fromEntries(CONFIG_KEYS.map(({ path }) => [path, 'default']));
  for (const layer of layers) {
    for (const [path, value] of layer.values) {
      values.set(path, value);
      const key = KEY_BY_PATH.get(path);
      if (key !== undefined) origins[path] = layer.origin(key);
    }
  }
  return { config: checked(values, origins, problems), origins, warnings };
}
