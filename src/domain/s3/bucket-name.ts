import { CloudError } from '../../base/errors.ts';

const NAME = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/;

/** 'InvalidBucketName', saying what is allowed (S3 user guide, "Bucket naming rules"). */
export function checkBucketName(name: string): void {
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(name);
  if (NAME.test(name) && !/\.\.|\.-|-\./.test(name) && !isAddress && !/^xn--|-s3alias$/.test(name)) return;
  throw new CloudError(
    'InvalidBucketName',
    `the bucket name ${JSON.stringify(name.slice(0, 80))} is not allowed: 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends, no address`,
  );
}
