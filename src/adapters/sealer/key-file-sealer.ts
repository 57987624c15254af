import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Sealer } from '../../ports/sealer.ts';
import { KEY_BYTES, type KeyRing, readRing, RING_STEPS, ringState, writeRing } from './master-keys.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1.';

export const SEAL_KEY_FILE = 'seal.key';

/** AES-256-GCM with a fresh 96-bit nonce for each text (NIST SP 800-38D §8.2.2); the place is authenticated with it. Sealed: `v1.` and base64url. */
export function createSealer(key: Buffer, random: Random): Sealer {
  return sealerBy(() => ({ current: key, old: [] }), random);
}

function sealerBy(ring: (refresh: boolean) => KeyRing, random: Random): Sealer {
  return {
    seal: (text, place) => sealBy(ring(true).current, { text, place, nonce: random.bytes(NONCE_BYTES) }),
    unseal(sealed, place) {
      let first: unknown;
      // Another process may have changed the keys: a text that none of those known opens is tried with those of the file.
      for (const refresh of [false, true]) {
        const { current, next, old } = ring(refresh);
        for (const key of [current, ...(next === undefined ? [] : [next]), ...old]) {
          try {
            return unsealBy(key, sealed, place);
          } catch (error) {
            first ??= error;
          }
        }
      }
      throw new CloudError(
        'CorruptState',
        `the sealed secret of ${place} can't be opened with this seal key (${errorText(first)}); put back the ${SEAL_KEY_FILE} that belongs to this state`,
        { cause: first },
      );
    },
  };
}

function sealBy(key: Buffer, { text, place, nonce }: { text: string; place: string; nonce: Buffer }): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place, 'utf8'));
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
}

function unsealBy(key: Buffer, sealed: string, place: string): string {
  const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url');
  if (!sealed.startsWith(VERSION) || bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('it is cut short');
  const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)];
  // Of a key that is given as bytes node asks first, by an error that it catches, whether it is none: four times the work.
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(place, 'utf8'));
  decipher.setAuthTag(tag);
  const body = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([body, decipher.final()]).toString('utf8');
}

/**
 * The sealer of a state folder, by the keys in its `seal.key` (0600, base64), which is made when there is none. Needs the folder's lock.
 * `mustExist`: secrets were sealed before, so that a new key would lose them: CloudError 'CorruptState' instead.
 */
export async function openKeyFileSealer(options: {
  readonly stateDir: string;
  readonly random: Random;
  readonly mustExist: boolean;
}): Promise<Sealer> {
  const { stateDir, random, mustExist } = options;
  const path = join(stateDir, SEAL_KEY_FILE);
  const known = readRing(path);
  if (known !== undefined) {
    await chmod(path, 0o600);
    return fileSealer(path, known, random);
  }
  if (mustExist) {
    throw new CloudError(
      'CorruptState',
      `${path} is missing, and the state holds secrets that are sealed by it; put it back from a backup`,
    );
  }
  const made: KeyRing = { current: random.bytes(KEY_BYTES), old: [] };
  await writeRing(path, made, random);
  return fileSealer(path, made, random);
}

/** Follows the file: whoever changes the keys may be another process, and what is sealed must be sealed by the key of now. */
function fileSealer(path: string, opened: KeyRing, random: Random): Sealer {
  let known = opened;
  // A file that is gone while the process lives is no reason to stop.
  const ring = (refresh: boolean): KeyRing => (known = (refresh ? readRing(path) : undefined) ?? known);
  const step = async (next: (before: KeyRing) => KeyRing): Promise<void> => {
    const before = ring(true);
    const after = next(before);
    if (after !== before) await writeRing(path, after, random);
    known = after;
  };
  return {
    ...sealerBy(ring, random),
    masterKeys: {
      state: () => ringState(ring(true)),
      isCurrent(sealed, place) {
        try {
          unsealBy(known.current, sealed, place);
          return true;
        } catch {
          return false;
        }
      },
      prepare: () => step((before) => RING_STEPS.prepare(before, random)),
      promote: () => step(RING_STEPS.promote),
      forget: () => step(RING_STEPS.forget),
    },
  };
}
