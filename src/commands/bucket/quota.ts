import { Args } from '@oclif/core';
import { quotaDetails } from '../../views/buckets.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { bucketName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import { bytesFlag, countFlag } from '../support/s3/size-flag.ts';

export class BucketQuota extends BaseCommand {
  static override summary = 'show or limit what a bucket may hold';
  static override description =
    'Without --bytes and --objects it shows what is in the bucket and may be. All versions count, and parts of uploads under way. A limit below what is there takes nothing away: nothing more goes in until there is room again.';
  static override aliases = ['quota-bucket'];
  static override examples = [
    '<%= config.bin %> bucket quota backups',
    '<%= config.bin %> bucket quota backups --bytes 100GiB --objects 100000',
    '<%= config.bin %> bucket quota backups --objects none',
  ];
  static override args = {
    name: Args.string({ description: 'name of the bucket', required: true, ignoreStdin: true }),
  };
  static override flags = {
    bytes: bytesFlag('bytes', 'most bytes that it may hold; none takes the limit away'),
    objects: countFlag('objects', 'most objects that it may hold; none takes the limit away'),
    ...columnsFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BucketQuota);
    const session = this.open(flags);
    const name = bucketName(args.name, 'NAME');
    const s3 = await s3Of(session);
    const before = await s3.quota(name);
    if (flags.bytes !== undefined || flags.objects !== undefined) {
      const [maxBytes, maxObjects] = [flags.bytes ?? before.maxBytes, flags.objects ?? before.maxObjects];
      await s3.setQuota(name, {
        ...(typeof maxBytes === 'number' ? { maxBytes } : {}),
        ...(typeof maxObjects === 'number' ? { maxObjects } : {}),
      });
      session.output.message(`set the limits of the bucket ${name}`);
    }
    await session.showOne(quotaDetails(name, await s3.quota(name)));
  }
}
