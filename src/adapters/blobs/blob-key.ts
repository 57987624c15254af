import { CloudError } from '../../base/errors.ts';

const KEY = /^[A-Za-z0-9._/-]{1,1024}$/;

/** Errors: 'InvalidParameterValue' for a text that is no key of a blob (src/ports/blobs.ts). */
export function checkKey(key: string): void {
  if (KEY.test(key) && !key.includes('..')) return;
  const message = 'a blob key is 1 to 1024 of the characters A-Z a-z 0-9 . _ / - without two dots in a row';
  throw new CloudError('InvalidParameterValue', message, { details: { key: key.slice(0, 200) } });
}

export interface ByteRange {
  readonly start?: number;
  readonly end?: number;
}

/** What a range is of so many bytes; `start >= end`: nothing. Errors: 'InvalidParameterValue'. */
export function rangeWithin(range: ByteRange, sizeBytes: number): { start: number; end: number } {
  const start = range.start ?? 0;
  const end = Math.min(range.end ?? sizeBytes, sizeBytes);
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0) {
    throw new CloudError('InvalidParameterValue', 'a range starts at 0 or later and counts whole bytes');
  }
  return { start, end };
}

/** What a blob has too much of. */
export function tooLarge(key: string, maxBytes: number): CloudError {
  return new CloudError('RequestTooLarge', `${key} is larger than ${maxBytes} bytes`, { details: { key, maxBytes } });
}

/** Errors: 'InvalidParameterValue' when another digest was expected. */
export function expectDigest(key: string, actual: string, expected: string | undefined): void {
  if (expected === undefined || expected === actual) return;
  throw new CloudError('InvalidParameterValue', `the SHA-256 of ${key} is not the expected one`, {
    details: { key, expected, actual },
  });
}
