import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CloudError } from '../../../base/errors.ts';
import type { Output } from '../../../views/output.ts';
import { fileProblem } from '../file-problem.ts';
import type { ObjectWord } from './object-words.ts';
import type { ToSend } from './send-object.ts';

const refused = (text: string): CloudError => new CloudError('InvalidParameterValue', `FILE: ${text}`);

/** A prefix that keys of a folder's files go below. */
const asFolder = (key: string): string => (key === '' || key.endsWith('/') ? key : `${key}/`);

/** The regular files below a folder, each with its way from there; links to folders are not followed, so that it ends. */
async function* filesBelow(folder: string, output: Output, way = ''): AsyncGenerator<string> {
  const entries = await readdir(join(folder, way), { withFileTypes: true }).catch((error: unknown) => {
    throw fileProblem(join(folder, way), error);
  });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const at = join(way, entry.name);
    if (entry.isDirectory()) yield* filesBelow(folder, output, at);
    else if (entry.isFile() || (await isFile(join(folder, at)))) yield at;
    else output.warn(`${join(folder, at)} is left out: it is no file`);
  }
}

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;

/** What is sent under which key: files under what is said, those of folders below it. */
export async function filesToSend(
  paths: readonly string[],
  to: ObjectWord,
  options: { readonly recursive: boolean; readonly output: Output },
): Promise<ToSend[]> {
  const { bucket, key } = to;
  if (paths.length > 1 && key !== '' && !key.endsWith('/'))
    throw refused(`${paths.length} are given, so the key must end with "/" or be left out, not "${key}"`);
  const all: ToSend[] = [];
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw fileProblem(path, error);
    });
    if (!found.isDirectory()) {
      if (!found.isFile()) throw refused(`${path} is not a file`);
      const name = key === '' || key.endsWith('/') ? key + basename(path) : key;
      all.push({ path, sizeBytes: found.size, bucket, key: name });
      continue;
    }
    if (!options.recursive) throw refused(`${path} is a folder; --recursive sends the files in it`);
    for await (const way of filesBelow(path, options.output)) {
      const file = join(path, way);
      all.push({ path: file, sizeBytes: (await stat(file)).size, bucket, key: asFolder(key) + way });
    }
  }
  return all;
}
