import { bucketListing } from '../../views/buckets.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { s3Of } from '../support/s3/s3-of.ts';

export class BucketList extends BaseCommand {
  static override summary = "list the project's buckets";
  static override aliases = ['list-bucket'];
  static override examples = ['<%= config.bin %> bucket list', '<%= config.bin %> bucket list --project lab --json'];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(BucketList);
    const session = this.open(flags);
    await session.show(bucketListing(await (await s3Of(session)).buckets()));
  }
}
