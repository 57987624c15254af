import { readArchive } from '../adapters/archive/read-archive.ts';
import type { ArchiveFacts } from '../ports/state-archive.ts';

/** Reads an archive to its end. CloudError 'CorruptState' names file and offset of a damage. */
export function verifyArchive(path: string): Promise<ArchiveFacts> {
  return readArchive(path);
}
