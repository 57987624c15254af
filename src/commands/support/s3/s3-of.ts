import { S3Client } from '../../../client/s3/s3-client.ts';
import type { Session } from '../session.ts';

/** The object store of the session's cloud. */
export async function s3Of(session: Session): Promise<S3Client> {
  const client = await session.client();
  return new S3Client((request) => client.s3(request), session.io.signal);
}
