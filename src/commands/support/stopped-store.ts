import type { Config } from '../../launch/config/schema.ts';
import type { StoppedStoreOptions } from '../../launch/store-tools/open-stopped-store.ts';
import { loadWholeConfig } from './load-config.ts';
import type { Session } from './session.ts';

/** What the tools that work on a stopped store are given: the store that the configuration names, on this machine. */
export async function stoppedStore(session: Session, command: string): Promise<StoppedStoreOptions> {
  await session.mustBeLocal(command);
  const { SystemRandom } = await import('../../base/random.ts');
  const config = await wholeConfig(session);
  return { config, clock: session.io.clock, random: new SystemRandom(), command: `novactl ${command}` };
}

/** `path`: another file than the one of this command. */
export async function wholeConfig(session: Session, path?: string): Promise<Config> {
  const flags = path === undefined ? session.flags : { ...session.flags, config: path };
  const { config, warnings } = await loadWholeConfig(session.io, flags);
  for (const warning of warnings) session.output.warn(warning);
  return config;
}
