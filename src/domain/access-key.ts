import type { AccessKeyRecord } from './records.ts';

/** Signs requests now: not disabled, and not past the time that a rotation left it. */
export function isUsableKey(record: AccessKeyRecord | undefined, nowMs: number): record is AccessKeyRecord {
  return record?.active === true && !isExpiredKey(record, nowMs);
}

export function isExpiredKey({ expiresAtMs }: Pick<AccessKeyRecord, 'expiresAtMs'>, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs >= expiresAtMs;
}

/** When and over what a key was last used. Kept beside the key, so that nobody who changes the key is in its way. */
export interface AccessKeyUseRecord {
  readonly v: 1;
  readonly atMs: number;
  /** The edge: `ec2`, `https`… */
  readonly edge: string;
}

/** The use of a key is written down this often at most. */
export const KEY_USE_EVERY_MS = 15 * 60_000;

/** The last use that is written down is old enough for another to be. The clock may have been set back. */
export function isUseDue(last: AccessKeyUseRecord | undefined, nowMs: number): boolean {
  return last === undefined || Math.abs(nowMs - last.atMs) >= KEY_USE_EVERY_MS;
}
