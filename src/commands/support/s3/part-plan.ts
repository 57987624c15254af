import { MIB } from '../../../base/units.ts';
import type { S3Part } from '../../../client/s3/s3-documents.ts';

/** Larger files go in parts, each of at least so many bytes. */
export const PART_BYTES = 16 * MIB;
const PARTS_MAX = 10_000;
/** S3 takes no smaller one before the last. */
const PART_LEAST_BYTES = 5 * MIB;

export interface PlannedPart {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/** So large that 10,000 parts are enough. */
export function partBytesFor(sizeBytes: number): number {
  return Math.max(PART_BYTES, Math.ceil(sizeBytes / PARTS_MAX / MIB) * MIB);
}

/** All parts of a file but the last have the same size. */
export function planParts(sizeBytes: number, partBytes: number): PlannedPart[] {
  return Array.from({ length: Math.ceil(sizeBytes / partBytes) }, (_, index) => {
    const startBytes = index * partBytes;
    return { number: index + 1, startBytes, sizeBytes: Math.min(partBytes, sizeBytes - startBytes) };
  });
}

/** The size of parts that an upload was begun with, as far as it shows; undefined: these are no parts of such a file. */
export function partBytesOf(parts: readonly S3Part[], sizeBytes: number): number | undefined {
  if (parts.length === 0) return partBytesFor(sizeBytes);
  const partBytes = Math.max(...parts.map((part) => part.sizeBytes));
  return isPartSize(partBytes, sizeBytes) ? partBytes : undefined;
}

/** Whether a file of that size can be sent in parts of this one. */
export function isPartSize(partBytes: number, sizeBytes: number): boolean {
  return partBytes >= PART_LEAST_BYTES && partBytes * PARTS_MAX >= sizeBytes;
}
