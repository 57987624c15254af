import { createCipheriv, createDecipheriv } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import type { Sealer } from '../../ports/sealer.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1.';

export const SEAL_KEY_FILE = 'seal.key';

/** AES-256-GCM with a fresh 96-bit nonce for each text (NIST SP 800-38D §8.2.2); the place is authenticated with it. Sealed: `v1.` and base64url. */
export function createSealer(key: Buffer, random: Random): Sealer {
  return {
    seal(text, place) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(place, 'utf8'));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    unseal(sealed, place) {
      try {
        const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url');
        if (!sealed.startsWith(VERSION) || bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('it is cut short');
        const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)];
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(place, 'utf8'));
        decipher.setAuthTag(tag);
        const body = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([body, decipher.final()]).toString('utf8');
      } catch (error) {
        throw new CloudError(
          'CorruptState',
          `the sealed secret of ${place} can't be opened with this seal key (${errorText(error)}); put back the ${SEAL_KEY_FILE} that belongs to this state`,
          { cause: error },
        );
      }
    },
  };
}

async function readKey(path: string): Promise<Buffer | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    const key = Buffer.from(text, 'base64');
    if (key.length === KEY_BYTES) return key;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new CloudError('CorruptState', `${path}: can't be read: ${errorText(error)}`, { cause: error });
  }
  throw new CloudError('CorruptState', `${path}: must hold 32 bytes in base64; put it back from a backup`);
}

/**
 * The sealer of a state folder, by the key in its `seal.key` (0600, base64), which is made when there is none. Needs the folder's lock.
 * `mustExist`: secrets were sealed before, so that a new key would lose them: CloudError 'CorruptState' instead.
 */
export async function openKeyFileSealer(options: {
  readonly stateDir: string;
  readonly random: Random;
  readonly mustExist: boolean;
}): Promise<Sealer> {
  const { stateDir, random, mustExist } = options;
  const path = join(stateDir, SEAL_KEY_FILE);
  const known = await readKey(path);
  if (known !== undefined) {
    await chmod(path, 0o600);
    return createSealer(known, random);
  }
  if (mustExist) {
    throw new CloudError(
      'CorruptState',
      `${path} is missing, and the state holds secrets that are sealed by it; put it back from a backup`,
    );
  }
  const key = random.bytes(KEY_BYTES);
  const tmpPath = `${path}.${randomHex(random, 8)}`;
  await writeDurably(path, [Buffer.from(`${key.toString('base64')}\n`, 'latin1')], { mode: 0o600, tmpPath });
  return createSealer(key, random);
}
