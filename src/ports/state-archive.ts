import type { BlobInfo } from './blobs.ts';
import type { Entry } from './store.ts';

/** How an archive begins. */
export interface ArchiveHeader {
  readonly v: 1;
  readonly cloudId: string;
  /** All records are as they were at this revision. */
  readonly rev: number;
  readonly createdAtMs: number;
  /** Of the novactl that wrote it. */
  readonly version: string;
  /** The keys that the cloud made for itself (seal.key, tls/, ssh/) are in it. */
  readonly secrets: boolean;
  /** The bytes of images are in it. */
  readonly images: boolean;
}

export interface ArchiveFacts {
  readonly path: string;
  readonly header: ArchiveHeader;
  readonly records: number;
  readonly files: number;
  readonly images: number;
  readonly sizeBytes: number;
  /** Lower-case hex, of all that stands before the closing frame. */
  readonly sha256: string;
}

export interface ArchiveOrder {
  readonly header: Omit<ArchiveHeader, 'v'>;
  /** In key order, all of one revision. */
  readonly records: readonly Entry[];
  /** Their bytes come from the blobs. */
  readonly images: readonly BlobInfo[];
  /** A file that is not there yet; default: one named by its time in the folder of backups. */
  readonly to?: string;
}

/**
 * Archives of the cloud's state as files (mode 0600). Errors: 'AlreadyExists' (the file is there), 'Unavailable' (disk full), 'CorruptState' (what was
 * read back is not what was written, or an archive is damaged: names file and offset).
 */
export interface StateArchives {
  /** Writes one, reads it back and compares it record by record; only then it has its name. */
  write(order: ArchiveOrder, signal: AbortSignal): Promise<ArchiveFacts>;
  /** Names of those in the folder of backups, the newest first, with what older than the newest `keep` would be removed. Those of after `nowMs` count as old. */
  list(keep: number, nowMs: number): Promise<{ readonly kept: readonly string[]; readonly surplus: readonly string[] }>;
  /** Removes one of the folder of backups by its name. */
  remove(name: string): Promise<void>;
  /** Where they are. */
  readonly dir: string;
}
