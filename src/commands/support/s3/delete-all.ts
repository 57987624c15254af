import { DELETES_PER_CALL, type ListAsked, type S3Client, type S3Name } from '../../../client/s3/s3-client.ts';

/** Deletes what a list has, page by page. Answers how many that were. */
export async function deleteAll(
  s3: S3Client,
  asked: Omit<ListAsked, 'delimiter'>,
  onDeleted: (sum: number) => void,
): Promise<number> {
  let sum = 0;
  for await (const { objects } of s3.pages({ ...asked, delimiter: '' })) {
    const names: S3Name[] = objects.map(({ key, versionId }) => ({ key, versionId }));
    for (let at = 0; at < names.length; at += DELETES_PER_CALL) {
      const some = names.slice(at, at + DELETES_PER_CALL);
      await s3.deleteObjects(asked.bucket, some);
      sum += some.length;
      onDeleted(sum);
    }
  }
  return sum;
}
