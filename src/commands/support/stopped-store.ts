import type { Config } from '../../launch/config/schema.ts';
import type { StoppedStoreOptions } from '../../launch/store-tools/open-stopped-store.ts';
import { readIfThere } from './dirs.ts';
import { loadWholeConfig } from './load-config.ts';
import type { Session } from './session.ts';

/** What the tools that work on a stopped store are given: the store that the configuration names, on this machine. */
export async function stoppedStore(session: Session, command: string): Promise<StoppedStoreOptions> {
  await session.mustBeLocal(command);
  const [{ SystemRandom }, { config, warnings }] = await Promise.all([
    import('../../base/random.ts'),
    loadWholeConfig(session.io, session.flags),
  ]);
  for (const warning of warnings) session.output.warn(warning);
  return { config, clock: session.io.clock, random: new SystemRandom(), command: `novactl ${command}` };
}

/** A configuration file by itself: what flags and the environment say is of this command's own. */
export async function otherConfig(session: Session, configPath: string): Promise<Config> {
  const { loadConfig } = await import('../../launch/config/load-config.ts');
  const env = Object.fromEntries(Object.entries(session.io.env).filter(([name]) => !name.startsWith('NOVACTL_')));
  return loadConfig({ env, uid: session.io.uid, configPath, context: 'local', readFile: readIfThere }).config;
}
