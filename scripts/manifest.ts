import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Config, type Command, type Interfaces } from '@oclif/core';

/** The repository's own folder. */
export const ROOT = join(import.meta.dirname, '..');

export interface Manifest {
  readonly version: string;
  readonly commands: Record<string, Command.Cached & { relativePath?: string[]; isESM?: boolean }>;
}

export function readPackage(): Interfaces.PJSON {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Interfaces.PJSON;
}

/** What oclif knows of every command, taken from the sources. */
export async function manifestFromSources(): Promise<Manifest> {
  const pjson = readPackage();
  const config = await Config.load({ root: join(ROOT, 'src'), pjson, ignoreManifest: true });
  const plugin = [...config.plugins.values()][0] as { manifest?: Manifest } | undefined;
  if (plugin?.manifest === undefined) throw new Error('oclif made no manifest');
  return plugin.manifest;
}
