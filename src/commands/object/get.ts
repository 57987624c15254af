import { Args, Flags } from '@oclif/core';
import { humanBytes, humanDuration } from '../../base/units.ts';
import { plainText } from '../../views/text.ts';
import { BaseCommand } from '../support/base-command.ts';
import { fetchToFile, fetchToStdout, targetFile } from '../support/s3/fetch-object.ts';
import { objectName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';

export class ObjectGet extends BaseCommand {
  static override summary = 'download an object';
  static override description =
    'The bytes come into a file beside FILE, are compared with the checksum of the object, and get the name when all is right. When it is cut off, the same command goes on with it, if the object is still the same. Without FILE it is a file of this folder with the last word of the key as its name. On a terminal control characters of an object that is printed are left out.';
  static override aliases = ['get-object'];
  static override examples = [
    '<%= config.bin %> object get backups/backup.tar',
    '<%= config.bin %> object get backups/disks/today.img /srv/today.img --force',
    '<%= config.bin %> object get backups/etc.tar - | tar t',
  ];
  static override args = {
    object: Args.string({ description: 'BUCKET/KEY', required: true, ignoreStdin: true }),
    file: Args.string({ description: 'file or folder where it goes, - for stdout', ignoreStdin: true }),
  };
  static override flags = {
    force: Flags.boolean({ description: 'overwrite a file that is there' }),
    version: Flags.string({ description: 'this version of it', helpValue: 'ID' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectGet);
    const session = this.open(flags);
    const { bucket, key } = objectName(args.object);
    const parts = { session, bucket, name: { key, versionId: flags.version } };
    if (args.file === '-') {
      const clean = this.io.stdout.isTty;
      const decoder = new TextDecoder();
      const print = (bytes: Uint8Array): void => {
        if (clean) session.output.data(plainText(decoder.decode(bytes, { stream: true })));
        else session.output.bytes(bytes);
      };
      return fetchToStdout({ ...parts, s3: await s3Of(session) }, print);
    }
    const target = await targetFile(key, args.file);
    const { tookMs, ...got } = await fetchToFile({ ...parts, s3: await s3Of(session) }, target, flags.force);
    const bytes = got.sizeBytes - (got.resumedBytes ?? 0);
    const before = got.resumedBytes === undefined ? '' : `, ${humanBytes(got.resumedBytes)} were there already`;
    const perSecond = tookMs > 0 ? (bytes / tookMs) * 1000 : 0;
    session.output.message(
      `got ${bucket}/${key} as ${got.file} (${humanBytes(bytes)} in ${humanDuration(tookMs)}, ${humanBytes(perSecond)}/s${before})`,
    );
    await session.showValue({ bucket, key, ...got }, '');
  }
}
