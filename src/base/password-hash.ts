import { scrypt, timingSafeEqual } from 'node:crypto';

/** What is kept of a password: scrypt (RFC 7914) with its parameters, so that they can be raised later. Salt and hash are base64. */
export interface PasswordHash {
  readonly algorithm: 'scrypt';
  readonly cost: number;
  readonly blockSize: number;
  readonly parallel: number;
  readonly salt: string;
  readonly hash: string;
}

const HASH_BYTES = 32;
export const SALT_BYTES = 16;
/** 32 MiB and about a tenth of a second. */
const PARAMETERS = { cost: 32_768, blockSize: 8, parallel: 1 } as const;

type Parameters = Pick<PasswordHash, 'cost' | 'blockSize' | 'parallel'>;

function derive(password: string, salt: Buffer, { cost, blockSize, parallel }: Parameters): Promise<Buffer> {
  const options = { N: cost, r: blockSize, p: parallel, maxmem: 256 * cost * blockSize };
  return new Promise((resolve, reject) => {
    // The same letters typed on two machines may come in two forms.
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** `salt`: SALT_BYTES of the kernel's chance. */
export async function hashPassword(password: string, salt: Buffer): Promise<PasswordHash> {
  const hash = await derive(password, salt, PARAMETERS);
  return { algorithm: 'scrypt', ...PARAMETERS, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

/** In the same time whether there is a hash or not: who has no password is not told apart from who typed a wrong one. */
export async function passwordMatches(password: string, known: PasswordHash | undefined): Promise<boolean> {
  const salt = known === undefined ? Buffer.alloc(SALT_BYTES) : Buffer.from(known.salt, 'base64');
  const derived = await derive(password, salt, known ?? PARAMETERS);
  const wanted = known === undefined ? Buffer.alloc(HASH_BYTES) : Buffer.from(known.hash, 'base64');
  return derived.length === wanted.length && timingSafeEqual(derived, wanted) && known !== undefined;
}
