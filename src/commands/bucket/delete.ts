import { Args, Flags } from '@oclif/core';
import { CloudError, isCode } from '../../base/errors.ts';
import type { S3Client } from '../../client/s3/s3-client.ts';
import { BaseCommand } from '../support/base-command.ts';
import { deleteAll } from '../support/s3/delete-all.ts';
import { bucketName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import type { Session } from '../support/session.ts';

export class BucketDelete extends BaseCommand {
  static override summary = 'delete a bucket';
  static override description =
    'Only an empty bucket is deleted. --force deletes all that is in it first: objects, their versions, and uploads under way. Nothing brings them back. At a terminal it asks first, unless --yes is given.';
  static override aliases = ['delete-bucket'];
  static override examples = [
    '<%= config.bin %> bucket delete backups',
    '<%= config.bin %> bucket delete backups --force --yes',
  ];
  static override args = {
    name: Args.string({ description: 'name of the bucket', required: true, ignoreStdin: true }),
  };
  static override flags = {
    force: Flags.boolean({ description: 'delete all that is in it too' }),
    plan: Flags.boolean({ description: 'only say what would be deleted' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BucketDelete);
    const session = this.open(flags);
    const name = bucketName(args.name, 'NAME');
    const s3 = await s3Of(session);
    if (flags.plan) return plan(session, s3, name);
    // Before the question: there must be something to delete.
    await s3.region(name);
    await session.confirm(`delete the bucket ${name}${flags.force ? ' and all that is in it' : ''}?`);
    const deleted = flags.force ? await empty(session, s3, name) : { versions: 0, uploads: 0 };
    await s3.deleteBucket(name).catch((error: unknown) => {
      if (!isCode(error, 'BucketNotEmpty')) throw error;
      throw new CloudError('BucketNotEmpty', `${name} is not empty; --force deletes all that is in it too`);
    });
    const also = flags.force ? ` with ${counted(deleted)}` : '';
    session.output.message(`deleted the bucket ${name}${also}`);
    await session.showValue({ bucket: name, ...deleted }, '');
  }
}

interface Content {
  readonly versions: number;
  readonly uploads: number;
}

const counted = ({ versions, uploads }: Content): string =>
  `${versions} object${versions === 1 ? '' : 's'} (versions counted) and ${uploads} upload${uploads === 1 ? '' : 's'} under way`;

async function plan(session: Session, s3: S3Client, name: string): Promise<void> {
  let versions = 0;
  for await (const page of s3.pages({ bucket: name, prefix: '', delimiter: '', versions: true }))
    versions += page.objects.length;
  const content = { versions, uploads: (await s3.uploads(name, '')).length };
  session.output.message(`would delete the bucket ${name} with ${counted(content)}; nothing was done`);
  await session.showValue({ bucket: name, ...content }, '');
}

async function empty({ output }: Session, s3: S3Client, name: string): Promise<Content> {
  const told = (sum: number): void => output.progress(`deleted ${sum} objects of ${name}`);
  const versions = await deleteAll(s3, { bucket: name, prefix: '', versions: true }, told);
  const uploads = await s3.uploads(name, '');
  for (const { key, uploadId } of uploads) await s3.abortUpload(name, key, uploadId);
  output.progress('');
  return { versions, uploads: uploads.length };
}
