import { createReadStream } from 'node:fs';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { MIB } from '../../base/units.ts';
import {
  countKinds,
  endLine,
  headLine,
  isEngineLocal,
  recordLine,
  RecordsDigest,
  type ExportEnd,
  type ExportHead,
  type ExportRecord,
} from './export-format.ts';

/** A value may grow sixfold where all of it has to be escaped. */
const LINE_MAX_BYTES = MIB;

export interface Export {
  readonly head: ExportHead;
  readonly end: ExportEnd;
  readonly records: readonly ExportRecord[];
}

/** The whole export, each byte checked. CloudError 'CorruptState' names the line that is not as it was written; 'NotFound': there is no such file. */
export async function readExport(path: string): Promise<Export> {
  let head: ExportHead | undefined;
  let end: ExportEnd | undefined;
  const records: ExportRecord[] = [];
  const digest = new RecordsDigest();
  let number = 0;
  const bad = (what: string): CloudError => new CloudError('CorruptState', `${path}, line ${number}: ${what}`);
  for await (const line of linesOf(path)) {
    number += 1;
    if (end !== undefined) throw bad('there is something after its end');
    const value = parse(line, bad);
    if (head === undefined) {
      head = headOf(value, line, bad);
    } else if (value['kind'] === 'end') {
      end = digest.end();
      if (line !== endLine(end)) throw bad('the records before it are not the ones that were written');
    } else {
      records.push(recordOf(value, line, records.at(-1), bad));
      digest.add(line);
    }
  }
  if (head === undefined) throw new CloudError('CorruptState', `${path} is empty`);
  if (end === undefined) throw new CloudError('CorruptState', `${path} is cut off after line ${number}`);
  const counts = countKinds(records);
  if (headLine({ ...head, records: records.length, counts }) !== headLine(head)) {
    number = 1;
    throw bad('it announces other records than there are');
  }
  return { head, end, records };
}

type Bad = (what: string) => CloudError;

function parse(line: string, bad: Bad): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw bad('it is damaged, or no line of an export');
}

function headOf({ head }: Readonly<Record<string, unknown>>, line: string, bad: Bad): ExportHead {
  const { kind, v } = (head ?? {}) as { kind?: unknown; v?: unknown };
  if (kind !== 'novactl-store') throw bad('this is no export of a store');
  if (v !== 1) throw bad(`this novactl reads version 1, not ${JSON.stringify(v)}`);
  if (line !== headLine(head as ExportHead)) throw bad('it is damaged');
  return head as ExportHead;
}

function recordOf(
  { record }: Readonly<Record<string, unknown>>,
  line: string,
  before: ExportRecord | undefined,
  bad: Bad,
): ExportRecord {
  const [key, value] = (Array.isArray(record) ? record : []) as unknown[];
  if (typeof key !== 'string' || value === undefined) throw bad('it is no record');
  const found = { key, value: value as Json };
  if (line !== recordLine(found)) throw bad('it is damaged');
  if (before !== undefined && before.key >= key) throw bad(`${key} does not come after ${before.key}`);
  if (isEngineLocal(key)) throw bad(`${key} belongs to no export`);
  return found;
}

/** Lines with their ends; the last one may lack it. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path)) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let from = 0;
      for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10, from)) {
        yield textOf(rest.subarray(from, at + 1), path);
        from = at + 1;
      }
      rest = rest.subarray(from);
      if (rest.length > LINE_MAX_BYTES) throw new CloudError('CorruptState', `${path} is no export: a line has no end`);
    }
  } catch (error) {
    if (error instanceof CloudError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new CloudError('NotFound', `there is no file ${path}`);
    throw new CloudError('Unavailable', `${path} can not be read: ${errorText(error)}`, { cause: error });
  }
  if (rest.length > 0) yield textOf(rest, path);
}

/** Bytes that are no text would all become the same character, and a changed one might not be seen. */
function textOf(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CloudError('CorruptState', `${path} is damaged: it holds bytes that are no text`);
  }
}
