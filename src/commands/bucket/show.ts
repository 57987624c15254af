import { Args } from '@oclif/core';
import { isCode } from '../../base/errors.ts';
import type { S3Client } from '../../client/s3/s3-client.ts';
import { bucketDetails, type BucketView } from '../../views/buckets.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { bucketName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';

export class BucketShow extends BaseCommand {
  static override summary = 'show a bucket';
  static override description =
    'Shows whose it is, what is in it and may be, and whether it has a policy, rules for other sites (CORS) and rules of expiry (lifecycle).';
  static override aliases = ['show-bucket'];
  static override examples = ['<%= config.bin %> bucket show backups'];
  static override args = {
    name: Args.string({ description: 'name of the bucket', required: true, ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BucketShow);
    const session = this.open(flags);
    const name = bucketName(args.name, 'NAME');
    const s3 = await s3Of(session);
    const view = await bucketView(s3, name);
    // Who may not know how much is in it still sees the rest.
    const quota = await s3.quota(name).catch((error: unknown) => {
      if (isCode(error, 'AccessDenied', 'NotImplemented')) return undefined;
      throw error;
    });
    await session.showOne(bucketDetails({ ...view, ...quota }, session.nowMs()));
  }
}

async function bucketView(s3: S3Client, name: string): Promise<BucketView> {
  // First alone: it says whether there is one at all.
  const region = await s3.region(name);
  const [projectId, versioning, policy, cors, lifecycle, uploads, buckets] = await Promise.all([
    s3.owner(name),
    s3.versioning(name),
    s3.has(name, 'policy'),
    s3.has(name, 'cors'),
    s3.has(name, 'lifecycle'),
    s3.uploads(name, ''),
    s3.buckets(),
  ]);
  const { createdAtMs } = buckets.find((one) => one.name === name) ?? {};
  return {
    ...{ name, region, projectId, versioning, policy, cors, lifecycle, uploadsUnderWay: uploads.length },
    ...(createdAtMs === undefined ? {} : { createdAtMs }),
  };
}
