import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CloudError, errorText } from '../../base/errors.ts';

const SCHEMA_VERSION = 1;

/**
 * Keys are BLOBs: SQLite compares those byte by byte, as S3 orders keys, and cuts nothing at a NUL. A version's `id` grows, so that it is the order of a key's
 * versions too; `state` is 0 noncurrent, 1 current object, 2 current delete marker. `head` is what a list tells, `rest` what may be large and is read only for one object.
 */
const SCHEMA = `
CREATE TABLE buckets (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, project TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE usage (
  bucket INTEGER PRIMARY KEY, objects INTEGER NOT NULL, versions INTEGER NOT NULL, bytes INTEGER NOT NULL, uploads INTEGER NOT NULL
);
CREATE TABLE versions (
  id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, version TEXT NOT NULL, state INTEGER NOT NULL,
  size INTEGER, head TEXT NOT NULL, rest TEXT
);
CREATE INDEX byKey ON versions (bucket, key, id DESC);
CREATE UNIQUE INDEX currentObjects ON versions (bucket, key) WHERE state = 1;
CREATE UNIQUE INDEX oldNulls ON versions (bucket, key) WHERE state = 0 AND version = 'null';
CREATE TABLE uploads (id INTEGER PRIMARY KEY, uploadId TEXT NOT NULL UNIQUE, bucket INTEGER NOT NULL, key BLOB NOT NULL, record TEXT NOT NULL);
CREATE INDEX uploadsByKey ON uploads (bucket, key, id);
CREATE TABLE parts (upload INTEGER, number INTEGER, size INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE segments (id TEXT PRIMARY KEY, size INTEGER NOT NULL, sha256 TEXT NOT NULL, refs INTEGER NOT NULL, body BLOB);
CREATE INDEX unnamedSegments ON segments (id) WHERE refs = 0;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

const SQLITE = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const;

export interface IndexOptions {
  readonly dir: string;
  /** The index may not grow beyond it: 'Unavailable', as on a full disk. */
  readonly maxIndexBytes?: number;
}

/** SQLite's primary result code, when it is an error of SQLite. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: number }).errcode;
  return code === undefined ? undefined : code & 0xff;
}

/** An error of SQLite or of a file in the words of the port; others as they are. */
export function diskProblem(error: unknown, dir: string): unknown {
  const code = sqliteCode(error);
  const { code: errno } = error as NodeJS.ErrnoException;
  if (code === SQLITE.full || errno === 'ENOSPC' || errno === 'EDQUOT') {
    const text = `no space is left for the object store in ${dir}: delete objects, run its collector, or give it more room`;
    return new CloudError('Unavailable', text, { cause: error });
  }
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase) {
    const text = `the object store's index ${join(dir, 'index.db')} is damaged (${errorText(error)}): restore the folder from a backup`;
    return new CloudError('CorruptState', text, { cause: error });
  }
  return error;
}

/** True: a transaction was refused for want of room, and is not there. Any other failure of a commit leaves open what is on disk. */
export function isFull(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.full;
}

/** By hand for its mode (SQLite gives its other files the same), and only when absent: closing any descriptor of it drops this process's lock. */
function makeFile(file: string): void {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The open index. Its lock is SQLite's own: exclusive, held by this process until it closes or dies. */
export class IndexDb {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** 'LockBusy' when another process has it. */
  static open({ dir, maxIndexBytes }: IndexOptions): IndexDb {
    const file = join(dir, 'index.db');
    makeFile(file);
    const db = new DatabaseSync(file);
    try {
      db.exec(
        'PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL',
      );
      db.exec('PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864');
      db.exec('BEGIN IMMEDIATE');
      const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
      if (version === 0) db.exec(SCHEMA);
      db.exec('COMMIT');
      if (version > SCHEMA_VERSION) {
        const text = `${file} was written by a newer novactl (its format is ${version}, this one knows ${SCHEMA_VERSION}): use that one`;
        throw new CloudError('CorruptState', text);
      }
      if (maxIndexBytes !== undefined) {
        const { page_size: pageBytes } = db.prepare('PRAGMA page_size').get() as { page_size: number };
        db.exec(`PRAGMA max_page_count = ${Math.ceil(maxIndexBytes / pageBytes)}`);
      }
    } catch (error) {
      db.close();
      if (sqliteCode(error) !== SQLITE.busy) throw diskProblem(error, dir);
      const text = `the object store in ${dir} is in use by another process; wait until it ends, or stop it`;
      throw new CloudError('LockBusy', text, { details: { dir } });
    }
    return new IndexDb(db);
  }

  /** Prepared once. */
  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  get<T>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Row by row, from the index as it is asked for: whoever stops early has read no more. A statement is to be in use once at a time. */
  iterate<T>(sql: string, ...values: SQLInputValue[]): IterableIterator<T> {
    return this.#statement(sql).iterate(...values) as IterableIterator<T>;
  }

  close(): void {
    this.#statements.clear();
    this.db.close();
  }
}
