import type { LoadedConfig } from '../../launch/config/load-config.ts';
import { readIfThere } from './dirs.ts';
import type { Io } from './io.ts';
import { settings, type GlobalFlags } from './global-flags.ts';

/** The whole configuration, checked. Only for commands that need more than the folders: it loads the schema. */
export async function loadWholeConfig(io: Io, flags: GlobalFlags): Promise<LoadedConfig> {
  const { loadConfig } = await import('../../launch/config/load-config.ts');
  return loadConfig({
    env: io.env,
    uid: io.uid,
    flags: settings(flags.set),
    configPath: flags.config,
    context: flags.context,
    readFile: readIfThere,
  });
}
