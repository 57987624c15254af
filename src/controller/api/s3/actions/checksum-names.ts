import { CloudError } from '../../../../base/errors.ts';
import type { ChecksumAlgorithm } from '../../../../domain/s3/records.ts';
import type { S3Call } from '../s3-action.ts';

/** How documents call the value of each. */
export const CHECKSUM_NAMES = {
  CRC32: 'ChecksumCRC32',
  CRC32C: 'ChecksumCRC32C',
  CRC64NVME: 'ChecksumCRC64NVME',
  SHA1: 'ChecksumSHA1',
  SHA256: 'ChecksumSHA256',
} as const satisfies Record<ChecksumAlgorithm, string>;

export const CHECKSUM_ALGORITHMS = Object.keys(CHECKSUM_NAMES) as ChecksumAlgorithm[];

/** 'InvalidRequest' for one that is not known; undefined for none. */
export function checksumAlgorithm(name: string | undefined): ChecksumAlgorithm | undefined {
  if (name === undefined) return undefined;
  const known = CHECKSUM_ALGORITHMS.find((one) => one === name.toUpperCase());
  if (known !== undefined) return known;
  throw new CloudError(
    'InvalidRequest',
    `the checksum algorithm ${JSON.stringify(name.slice(0, 40))} is not known: ${CHECKSUM_ALGORITHMS.join(', ')}`,
  );
}

/** The `x-amz-checksum-…` header of the request itself: of a whole object that is completed, or of a part. */
export function checksumGiven(call: S3Call): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = call.header(`x-amz-checksum-${algorithm.toLowerCase()}`);
    if (value !== undefined) return { algorithm, value };
  }
  return undefined;
}
