import type { z } from 'zod';
import { ConfigSchema } from './schema.ts';

/** How the text of an environment variable or flag becomes a value. */
export type KeyKind = 'text' | 'number' | 'list';

export interface ConfigKey {
  /** Dotted, for instance network.fixedRange. */
  readonly path: string;
  /** The environment variable that sets it. */
  readonly env: string;
  readonly kind: KeyKind;
  readonly fallback: unknown;
  readonly description: string;
  /** The values there are, where they are few. */
  readonly values: readonly string[] | undefined;
}

/** What zod keeps about a schema, as far as it is read here. */
interface SchemaDef {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly entries?: Readonly<Record<string, string>>;
}
const defOf = (schema: z.ZodType): SchemaDef => schema._zod.def as unknown as SchemaDef;

const KIND_OF: Readonly<Record<string, KeyKind>> = { number: 'number', int: 'number', array: 'list' };

function envName(path: string): string {
  const words = path.replaceAll('.', '_').replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2');
  return `NOVACTL_${words.toUpperCase()}`;
}

function collect(schema: z.ZodType, path: string): ConfigKey[] {
  const def = defOf(schema);
  if (def.type === 'object') {
    return Object.entries(def.shape ?? {}).flatMap(([key, item]) =>
      collect(item, path === '' ? key : `${path}.${key}`),
    );
  }
  if (def.type === 'prefault' && def.innerType !== undefined) return collect(def.innerType, path);
  const inner = def.innerType === undefined ? def : defOf(def.innerType);
  return [
    {
      path,
      env: envName(path),
      kind: KIND_OF[inner.type] ?? 'text',
      fallback: def.defaultValue,
      description: schema.description ?? '',
      values: inner.entries === undefined ? undefined : Object.values(inner.entries),
    },
  ];
}

/** Every key of the configuration, in the schema's order. */
export const CONFIG_KEYS: readonly ConfigKey[] = collect(ConfigSchema, '');
