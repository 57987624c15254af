import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface DurableFileOptions {
  /** Octal mode, set before the name appears. */
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Where the bytes gather; in the same folder as `path`, and not there yet. */
  readonly tmpPath: string;
  /** Runs when all bytes are written, before they become visible: throw to refuse them. */
  readonly accept?: () => void | Promise<void>;
  /** Gives the synced bytes their name, atomically; default rename(2). */
  readonly publish?: ((tmpPath: string, path: string) => Promise<void>) | undefined;
}

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}

/**
 * Writes a whole file so that `path` is at every moment the old or the new one, and the new one is on disk when this resolves:
 * written beside, synced, renamed, folder synced. On an error nothing is left beside it and `path` is as it was.
 */
export async function writeDurably(
  path: string,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: DurableFileOptions,
): Promise<void> {
  const file = await open(options.tmpPath, 'wx', 0o600);
  try {
    try {
      for await (const chunk of body) await writeAll(file, chunk);
      await options.accept?.();
      // The owner goes first: a change of owner clears the set-id bits of the mode.
      if (options.uid !== undefined || options.gid !== undefined)
        await file.chown(options.uid ?? -1, options.gid ?? -1);
      await file.chmod(options.mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await (options.publish ?? rename)(options.tmpPath, path);
  } catch (error) {
    await unlink(options.tmpPath).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}
