import { Args, Flags } from '@oclif/core';
import type { S3Page } from '../../client/s3/s3-documents.ts';
import { filterRows } from '../../views/filter.ts';
import { plainText } from '../../views/text.ts';
import { renderListing, type Format } from '../../views/listing.ts';
import { withIsoTimes } from '../../views/moments.ts';
import { objectFilterColumns, objectListing, type ObjectRow } from '../../views/objects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { bucketAndKey } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';
import type { Session } from '../support/session.ts';

export class ObjectList extends BaseCommand {
  static override summary = 'list the objects of a bucket';
  static override description =
    'Without --recursive keys are shown as folders: one level, below the PREFIX. Pages are printed as they come, so that a bucket may hold any number.';
  static override aliases = ['list-object'];
  static override examples = [
    '<%= config.bin %> object list backups',
    '<%= config.bin %> object list backups/disks/ --versions',
    '<%= config.bin %> object list backups --recursive --output name',
  ];
  static override args = {
    bucket: Args.string({ description: 'BUCKET or BUCKET/PREFIX', required: true, ignoreStdin: true }),
  };
  static override flags = {
    recursive: Flags.boolean({ char: 'r', description: 'all keys, whatever folders they stand for' }),
    versions: Flags.boolean({ description: 'all versions, and what stands where an object was deleted' }),
    ...listFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectList);
    const session = this.open(flags);
    const { bucket, key: prefix } = bucketAndKey(args.bucket, 'BUCKET');
    const s3 = await s3Of(session);
    const asked = { bucket, prefix, delimiter: flags.recursive ? '' : '/', versions: flags.versions };
    const shown = await showPages(session, s3.pages(asked), flags.versions);
    if (shown > 0 || session.format === 'json' || session.format === 'yaml') return;
    const where = prefix === '' ? bucket : `${bucket} below ${prefix}`;
    session.output.hint(`no objects in ${where}; put one there by: novactl object put FILE ${bucket}`);
  }
}

const isForPrograms = (format: Format): boolean => format === 'name' || format === 'csv';

const byKey = (a: ObjectRow, b: ObjectRow): number => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));

/** Folders and objects in one order, as their keys have it. */
const rowsOf = ({ objects, prefixes }: S3Page): ObjectRow[] =>
  prefixes.length === 0 ? [...objects] : [...objects, ...prefixes.map((key) => ({ key }))].toSorted(byKey);

/** Prints each page when it is there. Answers how many rows that were. */
async function showPages(session: Session, pages: AsyncIterable<S3Page>, withVersions: boolean): Promise<number> {
  const { output, format } = session;
  const rendering = await session.rendering();
  const filters = session.flags.filter ?? [];
  const kept = (page: S3Page): readonly ObjectRow[] =>
    filterRows(rowsOf(page), objectFilterColumns(withVersions), filters, session.nowMs());
  if (format === 'json') return printJson(pages, kept, (text) => output.data(text));
  const all: ObjectRow[] = [];
  let sum = 0;
  for await (const page of pages) {
    const rows = kept(page);
    if (format === 'yaml') all.push(...rows);
    else if (rows.length > 0) {
      const text = renderListing(objectListing(rows, withVersions), rendering);
      // The line of titles stands above the first page alone.
      const told = sum === 0 || format === 'name' ? text : text.slice(text.indexOf('\n') + 1);
      // Keys are what anybody called them, and must not steer the terminal.
      output.data(session.io.stdout.isTty && isForPrograms(format) ? plainText(told) : told);
    }
    sum += rows.length;
  }
  if (format === 'yaml') output.data(renderListing(objectListing(all, withVersions), rendering));
  return sum;
}

/** The same document as from a whole list, a page at a time. */
async function printJson(
  pages: AsyncIterable<S3Page>,
  kept: (page: S3Page) => readonly ObjectRow[],
  print: (text: string) => void,
): Promise<number> {
  let sum = 0;
  for await (const page of pages) {
    for (const row of kept(page)) {
      const text = JSON.stringify(withIsoTimes(row), null, 2).replaceAll('\n', '\n    ');
      print(`${sum === 0 ? '{\n  "objects": [\n' : ',\n'}    ${text}`);
      sum += 1;
    }
  }
  print(sum === 0 ? '{\n  "objects": []\n}\n' : '\n  ]\n}\n');
  return sum;
}
