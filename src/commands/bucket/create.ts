import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { bucketName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import { bytesFlag, countFlag } from '../support/s3/size-flag.ts';

export class BucketCreate extends BaseCommand {
  static override summary = 'make a bucket';
  static override description =
    'The bucket is the project\'s. Its name is free in the whole cloud: 3 to 63 of a-z, 0-9, "." and "-".';
  static override aliases = ['create-bucket'];
  static override examples = [
    '<%= config.bin %> bucket create backups',
    '<%= config.bin %> bucket create backups --versioning --quota-bytes 100GiB',
  ];
  static override args = {
    name: Args.string({ description: 'name of the bucket', required: true, ignoreStdin: true }),
  };
  static override flags = {
    versioning: Flags.boolean({ description: 'keep what is overwritten and deleted as versions' }),
    'quota-bytes': bytesFlag('quota-bytes', 'most bytes that it may hold, all versions counted'),
    'quota-objects': countFlag('quota-objects', 'most objects that it may hold, all versions counted'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BucketCreate);
    const session = this.open(flags);
    const name = bucketName(args.name, 'NAME');
    const s3 = await s3Of(session);
    await s3.createBucket(name);
    if (flags.versioning) await s3.enableVersioning(name);
    const { 'quota-bytes': bytes, 'quota-objects': objects } = flags;
    const quota = {
      ...(typeof bytes === 'number' ? { maxBytes: bytes } : {}),
      ...(typeof objects === 'number' ? { maxObjects: objects } : {}),
    };
    if (Object.keys(quota).length > 0) await s3.setQuota(name, quota);
    session.output.message(`made the bucket ${name}`);
    session.output.hint(`fill it by: novactl object put FILE ${name}`);
    await session.showValue({ bucket: name, versioning: flags.versioning ? 'enabled' : 'off', ...quota }, '');
  }
}
