import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SEAL_KEY_FILE } from '../../adapters/sealer/key-file-sealer.ts';
import { acquireStateLock, type StateLock } from '../../adapters/store/state-lock.ts';
import { type Clock, isoTime } from '../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { bootstrapCloud } from '../../controller/bootstrap.ts';
import { KEYS } from '../../domain/keys.ts';
import type { CloudRecord, SealCheckRecord } from '../../domain/records.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Store } from '../../ports/store.ts';
import { secretsDir } from '../config/places.ts';
import type { Config } from '../config/schema.ts';
import { openSealer } from '../open-sealer.ts';
import { type ProcessPlan, sharesStore } from './process-plan.ts';
import { agreeOnSecrets } from './shared-secrets.ts';

export interface EnterCloudOptions {
  readonly config: Config;
  readonly plan: ProcessPlan;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: by the key in the folder of secrets. */
  readonly sealer?: Sealer;
  /** Aborted: rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface EnteredCloud {
  readonly cloudId: string;
  readonly sealer: Sealer;
}

const LOOK_MS = 250;
const PAUSE_MAX_MS = 5000;

/**
 * The cloud that the store holds. A controller makes it when there is none, and of several that try at once one does; other roles wait for one. Where
 * the store is shared it waits for a store that can't be reached, and refuses ('CorruptState') secrets that are not those of the cloud.
 */
export async function enterCloud(options: EnterCloudOptions): Promise<EnteredCloud> {
  if (!options.plan.roles.includes('controller')) return waitForCloud(options);
  if (!options.plan.shared) return makeCloud(options);
  return patiently(options, 'the store', () => underSecretsLock(options, () => makeCloud(options)));
}

async function makeCloud(options: EnterCloudOptions): Promise<EnteredCloud> {
  const { config, plan, store } = options;
  const keyPath = join(secretsDir(config), SEAL_KEY_FILE);
  if (sharesStore(plan)) await store.barrier();
  try {
    const entered = await openCloud(options, keyPath);
    if (plan.shared && options.sealer === undefined)
      await agreeOnSecrets({ ...options, cloudId: entered.cloudId, mayMake: true });
    return entered;
  } catch (error) {
    throw plan.shared ? withAdvice(error, config) : error;
  }
}

async function openCloud(options: EnterCloudOptions, keyPath: string): Promise<EnteredCloud> {
  const { config, plan, store, random, clock } = options;
  const hadKey = existsSync(keyPath);
  try {
    const sealer = options.sealer ?? (await openSealer(config, store, random));
    const holdsPeople = config.directory.kind === 'store';
    const parts = { store, random, nowMs: clock.nowMs(), sealer, accountId: config.accountId, holdsPeople };
    const cloudId = await bootstrapCloud(parts);
    return { cloudId, sealer };
  } catch (error) {
    // Another controller was the first, with another key: the one that was made here is good for nothing.
    if (isCode(error, 'CorruptState') && !hadKey && sharesStore(plan)) await rm(keyPath, { force: true });
    throw error;
  }
}

async function waitForCloud(options: EnterCloudOptions): Promise<EnteredCloud> {
  const { config, store, random, clock, logger, signal } = options;
  let told = false;
  for (;;) {
    const cloudId = store.get<CloudRecord>(KEYS.cloud)?.value.cloudId;
    const check = store.get<SealCheckRecord>(KEYS.sealCheck)?.value;
    if (cloudId !== undefined && check !== undefined) {
      try {
        const sealer = options.sealer ?? (await openSealer(config, store, random));
        sealer.unseal(check.sealed, KEYS.sealCheck);
        if (options.sealer === undefined) await agreeOnSecrets({ ...options, cloudId, mayMake: false });
        return { cloudId, sealer };
      } catch (error) {
        throw withAdvice(error, config);
      }
    }
    if (!told) logger.info('the store holds no cloud yet: waiting for a controller to make it');
    told = true;
    await clock.sleep(LOOK_MS, signal);
  }
}

/** What is missing or wrong here is found where the cloud works already. */
function withAdvice(error: unknown, config: Config): unknown {
  if (!isCode(error, 'CorruptState')) return error;
  const dir = secretsDir(config);
  return new CloudError(
    'CorruptState',
    `${error.message}. All processes of a cloud share its secrets: copy ${SEAL_KEY_FILE}, ssh/id_ed25519, ssh/id_ed25519.pub, tls/ca.pem and tls/ca.key to ${dir} from the folder of secrets (secretsDir) of a process that works`,
    { cause: error },
  );
}

/** Processes of one machine may have one folder of secrets; what is missing there is made once. */
async function underSecretsLock<T>(options: EnterCloudOptions, run: () => Promise<T>): Promise<T> {
  const { config, clock, signal } = options;
  if (options.sealer !== undefined) return run();
  const holder = { pid: process.pid, command: 'novactl serve', since: isoTime(clock.nowMs()) };
  let lock: StateLock | undefined;
  while (lock === undefined) {
    lock = await acquireStateLock({ dir: secretsDir(config), holder, name: 'secrets' }).catch((error: unknown) => {
      if (isCode(error, 'LockBusy')) return undefined;
      throw error;
    });
    if (lock === undefined) await clock.sleep(LOOK_MS, signal);
  }
  try {
    return await run();
  } finally {
    lock.release();
  }
}

/** Tries again as long as what is needed can't be reached. */
export async function patiently<T>(
  { clock, logger, signal }: Pick<EnterCloudOptions, 'clock' | 'logger' | 'signal'>,
  what: string,
  run: () => Promise<T>,
): Promise<T> {
  for (let pauseMs = LOOK_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
    try {
      return await run();
    } catch (error) {
      if (!isCode(error, 'Unavailable', 'Timeout') || signal?.aborted === true) throw error;
      logger.warn(`waiting for ${what}`, { problem: errorText(error) });
    }
    await clock.sleep(pauseMs, signal);
  }
}
