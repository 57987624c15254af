import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { humanBytes, humanDuration } from '../../base/units.ts';
import { BaseCommand } from '../support/base-command.ts';
import { whole } from '../support/flags.ts';
import { filesToSend } from '../support/s3/files-to-send.ts';
import { inParallel } from '../support/s3/in-parallel.ts';
import { bucketAndKey, objectName, type ObjectWord } from '../support/s3/object-words.ts';
import { PART_BYTES } from '../support/s3/part-plan.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import { sendFile, type SendParts, type Sent, type ToSend } from '../support/s3/send-object.ts';
import { sendStream } from '../support/s3/send-stream.ts';
import { TransferBar } from '../support/s3/transfer-bar.ts';
import type { Session } from '../support/session.ts';
import { stdinPieces } from '../support/stdin.ts';

export class ObjectPut extends BaseCommand {
  static override summary = 'upload files as objects';
  static override description =
    'One FILE goes under the KEY, or under its own name where the KEY is left out or ends with "/". Files of a folder go below the KEY. What is sent is counted here and there (MD5 and CRC-32) and is visible when all of it is there. Files above 16 MiB go in parts, several at a time; when that is cut off, --resume goes on with it and sends what is not there yet, comparing the parts that are. What comes on stdin is there when stdin ends, which a writer that dies ends as well: where that matters, compare, or send a file.';
  static override aliases = ['put-object'];
  static override usage = 'object put FILE... BUCKET[/KEY]';
  static override examples = [
    '<%= config.bin %> object put backup.tar backups',
    '<%= config.bin %> object put disk.img backups/disks/today.img --resume',
    '<%= config.bin %> object put ./site www/public/ --recursive',
    'tar c /etc | <%= config.bin %> object put - backups/etc.tar',
  ];
  static override args = {
    file: Args.string({
      description: 'files, - for stdin, or folders with --recursive; and last the BUCKET[/KEY] where they go',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    recursive: Flags.boolean({ char: 'r', description: 'send the files of folders, and of folders in them' }),
    resume: Flags.boolean({ description: 'go on with an upload of the same file that was cut off' }),
    parallel: whole('parallel', { description: 'files or parts on their way at a time', min: 1, max: 16, default: 4 }),
    'content-type': Flags.string({
      description: 'what kind of bytes they are, as browsers are told',
      helpValue: 'TYPE',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectPut);
    const session = this.open(flags);
    const paths = args.file.slice(0, -1);
    const last = args.file.at(-1) ?? '';
    if (paths.length === 0)
      throw new CloudError('MissingParameter', `missing BUCKET: say where ${last} goes, as BUCKET or BUCKET/KEY`);
    const to = bucketAndKey(last, 'BUCKET/KEY');
    const headers = headersOf(flags['content-type']);
    const parts = { session, parallel: flags.parallel, resume: flags.resume, headers };
    if (paths.includes('-')) return putStdin(parts, paths, last);
    const files = await filesToSend(paths, to, { recursive: flags.recursive, output: session.output });
    await putFiles(parts, files, to);
  }
}

function headersOf(contentType: string | undefined): Readonly<Record<string, string>> {
  if (contentType === undefined) return {};
  if (/^[\x20-\x7e]{1,256}$/.test(contentType)) return { 'content-type': contentType };
  throw new CloudError('InvalidParameterValue', '--content-type must be 1 to 256 printable characters of ASCII');
}

type Given = Omit<SendParts, 's3' | 'bar'>;

/** `1.2 GiB in 3.1s, 396 MiB/s`. */
function howFast(bar: TransferBar): string {
  const perSecond = bar.tookMs > 0 ? (bar.movedBytes / bar.tookMs) * 1000 : 0;
  return `${humanBytes(bar.movedBytes)} in ${humanDuration(bar.tookMs)}, ${humanBytes(perSecond)}/s`;
}

function tell({ output }: Session, what: string, { bucket, key, resumedBytes }: Sent, bar: TransferBar): void {
  const before = resumedBytes === undefined ? '' : `, ${humanBytes(resumedBytes)} were there already`;
  output.message(`put ${what} into ${bucket}/${key} (${howFast(bar)}${before})`);
}

async function putStdin(given: Given, paths: readonly string[], last: string): Promise<void> {
  const { session } = given;
  if (paths.length > 1) throw new CloudError('InvalidParameterValue', 'FILE: - goes alone, not with other files');
  if (given.resume)
    throw new CloudError('InvalidParameterCombination', '--resume needs a file: what comes on stdin is read but once');
  const to = objectName(last, 'BUCKET/KEY');
  const s3 = await s3Of(session);
  const bar = new TransferBar(session, to.key, undefined);
  const sent = await sendStream({ ...given, s3, bar }, stdinPieces(session.io), to).finally(() => bar.end());
  tell(session, 'stdin', sent, bar);
  await session.showValue({ ...sent }, '');
}

async function putFiles(given: Given, files: readonly ToSend[], to: ObjectWord): Promise<void> {
  const { session } = given;
  const s3 = await s3Of(session);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const [only] = files;
  const label = files.length === 1 && only !== undefined ? only.key : `${files.length} files`;
  const bar = new TransferBar(session, label, sizeBytes);
  const parts = { ...given, s3, bar };
  const all: Sent[] = [];
  const send = async (file: ToSend): Promise<void> => {
    all.push(await sendFile(parts, file));
  };
  try {
    // Small ones side by side; one that goes in parts has parts side by side.
    const isSmall = (file: ToSend): boolean => file.sizeBytes <= PART_BYTES;
    await inParallel(files.filter(isSmall), given.parallel, send, session.io.signal);
    for (const file of files) if (!isSmall(file)) await send(file);
  } catch (error) {
    if (files.length > 1) session.output.message(`${all.length} of ${files.length} files are there`);
    throw error;
  } finally {
    bar.end();
  }
  const [sent] = all;
  if (files.length === 1 && only !== undefined && sent !== undefined) {
    tell(session, only.path, sent, bar);
    return session.showValue({ ...sent }, '');
  }
  session.output.message(`put ${all.length} files into ${to.bucket}/${to.key} (${howFast(bar)})`);
  await session.showValue({ bucket: to.bucket, prefix: to.key, files: all.length, sizeBytes }, '');
}
