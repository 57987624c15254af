import { Args, Flags } from '@oclif/core';
import { objectDetails } from '../../views/objects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { objectName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';

export class ObjectShow extends BaseCommand {
  static override summary = 'show what is known of an object';
  static override aliases = ['show-object'];
  static override examples = ['<%= config.bin %> object show backups/backup.tar'];
  static override args = {
    object: Args.string({ description: 'BUCKET/KEY', required: true, ignoreStdin: true }),
  };
  static override flags = {
    version: Flags.string({ description: 'this version of it', helpValue: 'ID' }),
    ...columnsFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectShow);
    const session = this.open(flags);
    const { bucket, key } = objectName(args.object);
    const head = await (await s3Of(session)).head(bucket, { key, versionId: flags.version });
    await session.showOne(objectDetails({ bucket, key, ...head }, session.nowMs()));
  }
}
