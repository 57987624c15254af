import { scrubDetails } from '../../views/object-store.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { scrubObjects } from '../support/s3/object-keeping.ts';
import { TransferBar } from '../support/s3/transfer-bar.ts';

export class ObjectstoreScrub extends BaseCommand {
  static override summary = 'read all objects and compare them with what was stored';
  static override description =
    'Compares the SHA-256 of all bytes, and the index with itself. What is damaged is named; restore it from a copy. A daemon does it once a week, slowly. Ends with 0 when all is well, with 24 when something is damaged. For cloudadmin.';
  static override aliases = ['scrub-objectstore'];
  static override examples = ['<%= config.bin %> objectstore scrub', '<%= config.bin %> objectstore scrub --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<number> {
    const { flags } = await this.parse(ObjectstoreScrub);
    const session = this.open(flags);
    let bar: TransferBar | undefined;
    let toldBytes = 0;
    const result = await scrubObjects(session, (doneBytes, totalBytes) => {
      bar ??= new TransferBar(session, 'scrub', totalBytes);
      bar.moved(doneBytes - toldBytes);
      toldBytes = doneBytes;
    });
    bar?.end();
    await session.showOne(scrubDetails(result));
    return result.damagedCount === 0 ? 0 : 24;
  }
}
