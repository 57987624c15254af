import { mkdir } from 'node:fs/promises';
import type { Random } from '../base/random.ts';
import { KEYS } from '../domain/keys.ts';
import { createSealer, openKeyFileSealer } from '../adapters/sealer/key-file-sealer.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { Store } from '../ports/store.ts';
import { secretsDir } from './config/places.ts';
import type { Config } from './config/schema.ts';

/** The sealer of this state. A memory store forgets what was sealed, and its key with it. */
export async function openSealer(config: Config, store: Store, random: Random): Promise<Sealer> {
  if (config.store.engine === 'memory') return createSealer(random.bytes(32), random);
  const dir = secretsDir(config);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return openKeyFileSealer({ stateDir: dir, random, mustExist: store.get(KEYS.sealCheck) !== undefined });
}
