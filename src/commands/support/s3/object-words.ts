import { CloudError } from '../../../base/errors.ts';
import { printable } from '../printable.ts';

/** What `BUCKET/KEY` says. */
export interface ObjectWord {
  readonly bucket: string;
  /** '' for none; keys may begin with a slash, hold any text and end with one. */
  readonly key: string;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const KEY_MAX_BYTES = 1024;

const refuse = (what: string, allowed: string, given: string): CloudError =>
  new CloudError('InvalidParameterValue', `${what} must be ${allowed}, not "${printable(given.slice(0, 200))}"`);

/** As the cloud will say too; here before anything is asked. */
export function bucketName(text: string, what = 'BUCKET'): string {
  const name = text.replace(/^s3:\/\//, '').replace(/\/$/, '');
  if (BUCKET.test(name)) return name;
  throw refuse(what, 'the name of a bucket: 3 to 63 of a-z, 0-9, "." and "-"', text);
}

/** `BUCKET`, `BUCKET/` or `BUCKET/KEY`, also with `s3://` before it. */
export function bucketAndKey(text: string, what: string): ObjectWord {
  const word = text.replace(/^s3:\/\//, '');
  const at = word.indexOf('/');
  const [bucket, key] = at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
  if (!BUCKET.test(bucket)) {
    throw refuse(what, 'BUCKET or BUCKET/KEY, a bucket being 3 to 63 of a-z, 0-9, "." and "-"', text);
  }
  const bytes = Buffer.byteLength(key);
  if (bytes <= KEY_MAX_BYTES) return { bucket, key };
  throw new CloudError('InvalidParameterValue', `${what}: the key has ${bytes} bytes, ${KEY_MAX_BYTES} are allowed`);
}

/** `BUCKET/KEY` with a key. */
export function objectName(text: string, what = 'OBJECT'): ObjectWord {
  const word = bucketAndKey(text, what);
  if (word.key !== '') return word;
  throw refuse(what, 'BUCKET/KEY', text);
}

/** The last word of a key, which may stand for a file; undefined where there is none that may. */
export function fileNameOf(key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return name === '' || name === '.' || name === '..' || name.includes('\0') ? undefined : name;
}
