import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { type Draft, transact } from '../../controller/state/draft.ts';
import { KEYS } from '../../domain/keys.ts';
import type { SharedSecretsRecord } from '../../domain/records.ts';
import type { Store } from '../../ports/store.ts';
import { CloudKey } from '../cloud-key.ts';
import { cloudKeyPath, secretsDir } from '../config/places.ts';
import type { Config } from '../config/schema.ts';
import { openAuthority, tlsDir } from '../tls/authority-files.ts';

interface Options {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly cloudId: string;
  /** The first controller makes what nobody has yet. */
  readonly mayMake: boolean;
}

/**
 * The SSH key and the authority of this process are those of the cloud. The first controller to come here says, in the store, which they are (and makes
 * what is missing); every other process must have the same. CloudError 'CorruptState' names the file that is missing or another.
 */
export async function agreeOnSecrets(options: Options): Promise<void> {
  const { store, mayMake } = options;
  const known = store.get<SharedSecretsRecord>(KEYS.sharedSecrets)?.value;
  if (known !== undefined) return compare(options, known);
  // A cloud of a version before, or one that is being made: the next start compares.
  if (!mayMake) return;
  const own = await digests(options);
  const agree = (draft: Draft): SharedSecretsRecord => {
    const others = draft.get<SharedSecretsRecord>(KEYS.sharedSecrets);
    if (others === undefined) draft.put(KEYS.sharedSecrets, own);
    return others ?? own;
  };
  const { result } = await transact(store, agree, { whileHeld: true });
  await compare(options, result);
}

async function compare(options: Options, known: SharedSecretsRecord): Promise<void> {
  const { config } = options;
  const keyPath = cloudKeyPath(config);
  const caPath = join(tlsDir(secretsDir(config)), 'ca.pem');
  for (const path of [keyPath, `${keyPath}.pub`, caPath]) {
    if (!existsSync(path)) throw new CloudError('CorruptState', `${path} is missing, and the cloud has one`);
  }
  const own = await digests(options);
  if (own.sshKey !== known.sshKey)
    throw new CloudError('CorruptState', `${keyPath} is not the key of this cloud, so its hosts would refuse it`);
  if (own.authority !== known.authority)
    throw new CloudError('CorruptState', `${caPath} is not the authority of this cloud, so clients would refuse it`);
}

async function digests({ config, random, clock, cloudId }: Options): Promise<SharedSecretsRecord> {
  const line = await new CloudKey(cloudKeyPath(config), random).publicLine();
  const { certificate } = await openAuthority({
    ...{ stateDir: secretsDir(config), cloudId, random },
    nowMs: clock.nowMs(),
  });
  // The comment at the end of the line is anybody's.
  return { v: 1, sshKey: sha256(line.split(' ').slice(0, 2).join(' ')), authority: sha256(certificate) };
}

const sha256 = (text: string): string => createHash('sha256').update(text.trim()).digest('hex');
