import { BaseCommand } from '../support/base-command.ts';
import { collectObjects } from '../support/s3/object-keeping.ts';

export class ObjectstoreCollect extends BaseCommand {
  static override summary = 'remove files of the object store that nothing names';
  static override description =
    'What a process that was killed has left: nothing that can be read is touched. A daemon does it once a day. Ends with 0 when there was nothing, with 20 when something was removed. For cloudadmin.';
  static override aliases = ['collect-objectstore'];
  static override examples = ['<%= config.bin %> objectstore collect'];
  static override flags = {};

  async run(): Promise<number> {
    const { flags } = await this.parse(ObjectstoreCollect);
    const session = this.open(flags);
    const note = await collectObjects(session);
    await session.showValue({ ...note }, `removed ${note.removed}`);
    return note.removed === 0 ? 0 : 20;
  }
}
