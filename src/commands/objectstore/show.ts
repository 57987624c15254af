import { objectStoreDetails } from '../../views/object-store.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { objectStoreOf } from '../support/s3/object-keeping.ts';

export class ObjectstoreShow extends BaseCommand {
  static override summary = 'show what the object store holds and how it is';
  static override description =
    'Counts all projects, tells how much room is left on the disk, and what the last scrub found. For cloudadmin.';
  static override aliases = ['show-objectstore'];
  static override examples = ['<%= config.bin %> objectstore show', '<%= config.bin %> objectstore show --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(ObjectstoreShow);
    const session = this.open(flags);
    await session.showOne(objectStoreDetails(await objectStoreOf(session)));
  }
}
