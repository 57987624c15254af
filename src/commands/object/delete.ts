import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { S3Client } from '../../client/s3/s3-client.ts';
import { BaseCommand } from '../support/base-command.ts';
import { deleteAll } from '../support/s3/delete-all.ts';
import { bucketAndKey, objectName, type ObjectWord } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import type { Session } from '../support/session.ts';

export class ObjectDelete extends BaseCommand {
  static override summary = 'delete objects';
  static override description =
    'In a bucket with versioning the old versions stay, and a mark is put over them; --version deletes one version for good. --recursive deletes all keys that begin with what is said.';
  static override aliases = ['delete-object'];
  static override examples = [
    '<%= config.bin %> object delete backups/old.tar backups/older.tar',
    '<%= config.bin %> object delete backups/2024/ --recursive --yes',
    '<%= config.bin %> object delete backups/2024/ --recursive --plan',
  ];
  static override args = {
    object: Args.string({
      description: 'BUCKET/KEY of each; with --recursive BUCKET or BUCKET/PREFIX',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    recursive: Flags.boolean({ char: 'r', description: 'all keys that begin so', exclusive: ['version'] }),
    version: Flags.string({ description: 'delete this version of it, for good', helpValue: 'ID' }),
    plan: Flags.boolean({ description: 'only say what would be deleted' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectDelete);
    const session = this.open(flags);
    if (flags.version !== undefined && args.object.length > 1)
      throw new CloudError('InvalidParameterCombination', '--version goes with one OBJECT');
    const words = args.object.map((word) => (flags.recursive ? bucketAndKey(word, 'OBJECT') : objectName(word)));
    const s3 = await s3Of(session);
    if (flags.plan) return plan(session, s3, words, flags.recursive);
    const what = args.object.length === 1 ? (args.object[0] ?? '') : `${args.object.length} objects`;
    if (flags.recursive) await session.confirm(`delete all objects whose keys begin with ${args.object.join(', ')}?`);
    else if (args.object.length > 1) await session.confirm(`delete ${what}?`);
    let deleted = 0;
    for (const { bucket, key } of words) {
      if (flags.recursive) deleted += await deleteBelow(session, s3, { bucket, key });
      else {
        // S3 says yes to what was never there; a slip of the pen is to be told.
        await s3.head(bucket, { key, versionId: flags.version }).catch((error: unknown) => passMarker(error));
        await s3.deleteObject(bucket, { key, versionId: flags.version });
        deleted += 1;
      }
    }
    session.output.message(flags.recursive ? `deleted ${deleted} objects` : `deleted ${what}`);
    await session.showValue({ deleted }, '');
  }
}

/** The mark of a deletion can be deleted, and not be looked at. */
function passMarker(error: unknown): void {
  if (!(error instanceof CloudError) || error.code !== 'MethodNotAllowed') throw error;
}

async function deleteBelow({ output }: Session, s3: S3Client, { bucket, key }: ObjectWord): Promise<number> {
  const told = (sum: number): void => output.progress(`deleted ${sum} objects of ${bucket}`);
  const sum = await deleteAll(s3, { bucket, prefix: key, versions: false }, told);
  output.progress('');
  return sum;
}

async function plan(session: Session, s3: S3Client, words: readonly ObjectWord[], below: boolean): Promise<void> {
  let objects = 0;
  let sizeBytes = 0;
  for (const { bucket, key } of words) {
    if (!below) {
      sizeBytes += (await s3.head(bucket, { key })).sizeBytes;
      objects += 1;
      continue;
    }
    for await (const page of s3.pages({ bucket, prefix: key, delimiter: '', versions: false })) {
      objects += page.objects.length;
      sizeBytes += page.objects.reduce((sum, one) => sum + one.sizeBytes, 0);
    }
  }
  session.output.message(
    `would delete ${objects} object${objects === 1 ? '' : 's'} of ${sizeBytes} bytes; nothing was done`,
  );
  await session.showValue({ objects, sizeBytes }, '');
}
