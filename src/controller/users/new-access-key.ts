import type { Random } from '../../base/random.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AccessKeyRecord } from '../../domain/records.ts';
import type { Sealer } from '../../ports/sealer.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_BYTES = 30;

/** AKIA and 16 of A-Z and 2-7: 80 bits of chance, so that no two are the same. */
function newKeyId(random: Random): string {
  return `AKIA${[...random.bytes(16)].map((byte) => LETTERS.charAt(byte & 31)).join('')}`;
}

/** A key for a user in a project, with its secret (40 characters), which the record holds sealed alone. */
export function newAccessKey(
  parts: { readonly random: Random; readonly sealer: Sealer; readonly nowMs: number },
  owner: { readonly userId: string; readonly projectId: string },
): { readonly record: AccessKeyRecord; readonly secret: string } {
  const { random, sealer, nowMs } = parts;
  const id = newKeyId(random);
  const secret = random.bytes(SECRET_BYTES).toString('base64');
  return {
    secret,
    record: {
      v: 1,
      id,
      ...owner,
      sealedSecret: sealer.seal(secret, KEYS.accessKey(id)),
      createdAtMs: nowMs,
      active: true,
      issued: true,
    },
  };
}
