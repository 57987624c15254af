import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { restoreSecret } from '../adapters/archive/file-archives.ts';
import { readArchive } from '../adapters/archive/read-archive.ts';
import type { ArchivedFile } from '../adapters/archive/write-archive.ts';
import { createFileBlobs } from '../adapters/blobs/file-blobs.ts';
import { systemFiles } from '../adapters/store/file-port.ts';
import { openFileStore } from '../adapters/store/file-store.ts';
import { SnapshotAdapter } from '../adapters/store/snapshot.ts';
import { acquireStateLock } from '../adapters/store/state-lock.ts';
import { Readable } from 'node:stream';
import { isoTime, type Clock } from '../base/clock.ts';
import { syncFolder, writeDurably } from '../base/durable-file.ts';
import { asCloudError, CloudError, errorText } from '../base/errors.ts';
import { canonicalJson, toJson } from '../base/json.ts';
import { silentLogger } from '../base/logger.ts';
import { randomHex, type Random } from '../base/random.ts';
import { KEYS } from '../domain/keys.ts';
import type { RestoredRecord } from '../domain/maintenance.ts';
import type { ArchiveFacts } from '../ports/state-archive.ts';
import type { Entry, Store } from '../ports/store.ts';
import { UNFINISHED_RESTORE } from './open-store.ts';

/** The restored state goes on from a revision that the lost one can't have reached: nobody takes its news for old. */
const REV_LEAP = 1_000_000;
/** What a state folder may hold and still be empty: locks, logs, backups, and what an earlier restore moved aside. */
const NO_STATE = /^((store|lock)\.(db|db-journal|holder)|log|backups|replaced-.*|\.novactl-.*)$/;

export interface RestoreOptions {
  readonly archive: string;
  readonly stateDir: string;
  /** What is there is moved into a folder beside it, never deleted. */
  readonly force: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Restored {
  readonly facts: ArchiveFacts;
  readonly rev: number;
  /** Where the state that was there is now. */
  readonly movedTo?: string;
}

/**
 * Makes a fresh state folder of an archive. The archive is read to its end and checked before anything is written; the records come last and all at
 * once, so that a restore that was cut off leaves a folder without a state, never half of one. What is on hosts is not touched.
 * CloudError 'CorruptState' (the archive), 'IncorrectState' (the folder is not empty), 'LockBusy' (a cloud runs on it).
 */
export async function restoreState(options: RestoreOptions): Promise<Restored> {
  const { archive, stateDir, clock, random } = options;
  const records: Entry[] = [];
  const files: ArchivedFile[] = [];
  const facts = await readArchive(archive, {
    record: (entry) => records.push(entry),
    file: (file) => {
      files.push(file);
    },
  });
  const holder = {
    pid: process.pid,
    command: 'state restore',
    since: isoTime(clock.nowMs()),
    kind: 'command',
  } as const;
  const lock = await acquireStateLock({ dir: stateDir, holder, name: 'store' });
  let movedTo: string | undefined;
  const marker = join(stateDir, UNFINISHED_RESTORE);
  try {
    movedTo = await emptyFolder(options);
    // From here on a state that was lost on the way must not be taken for a folder that never had one.
    const mark = { mode: 0o600, tmpPath: join(stateDir, `.novactl-${randomHex(random, 8)}.tmp`) };
    await writeDurably(marker, [Buffer.from(`${archive}\n`)], mark);
    for (const file of files) await restoreSecret(stateDir, file, random);
    if (facts.images > 0) await restoreImages(options);
    const snapshot = new SnapshotAdapter({ dir: stateDir, files: systemFiles, defer: (run) => clock.defer(run) });
    const rev = facts.header.rev + REV_LEAP;
    const savedAtMs = clock.nowMs();
    const restored: RestoredRecord = {
      v: 1,
      atMs: savedAtMs,
      archive: basename(archive),
      fromRev: facts.header.rev,
      settled: false,
    };
    const entries = [...records.filter(({ key }) => key !== KEYS.restored)];
    entries.push({ key: KEYS.restored, value: toJson(restored), rev });
    await snapshot.write({ rev, savedAt: isoTime(savedAtMs), entries, tokens: [] });
    // Before the lock is let go: a cloud that waits for it writes at once.
    const proven = await prove(options, records);
    await rm(marker);
    await syncFolder(stateDir);
    return { facts, rev: proven, ...(movedTo === undefined ? {} : { movedTo }) };
  } catch (error) {
    throw movedTo === undefined ? error : withPlace(error, movedTo);
  } finally {
    lock.release();
  }
}

function withPlace(error: unknown, movedTo: string): CloudError {
  const { code, message } = asCloudError(error);
  return new CloudError(code, `${message}; the state that was there is in ${movedTo}`, { cause: error });
}

async function emptyFolder({ archive, stateDir, force, clock }: RestoreOptions): Promise<string | undefined> {
  const holdsArchive = (name: string): boolean => `${archive}/`.startsWith(`${join(stateDir, name)}/`);
  const all = await readdir(stateDir);
  const there = all.filter((name) => !NO_STATE.test(name) && !holdsArchive(name));
  if (there.length === 0) return undefined;
  // What a restore that was cut off left is moved aside too.
  if (!force && !all.includes(UNFINISHED_RESTORE)) {
    const some = there.slice(0, 4).join(', ');
    throw new CloudError(
      'IncorrectState',
      `${stateDir} is not empty (${some}): restore into an empty folder (--set stateDir=...), or move what is there aside with --force`,
    );
  }
  const time = isoTime(clock.nowMs()).replaceAll(/[-:]|\.\d{3}/g, '');
  const earlier = all.filter((name) => name.startsWith(`replaced-${time}`)).length;
  const aside = join(stateDir, `replaced-${time}${earlier === 0 ? '' : `-${earlier + 1}`}`);
  await mkdir(aside, { mode: 0o700 });
  for (const name of there) {
    await rename(join(stateDir, name), join(aside, name)).catch((error: unknown) => {
      const what = `${name} can not be moved aside: ${errorText(error)}`;
      throw new CloudError('Unavailable', `${what}; what was moved before it is in ${aside}`, { cause: error });
    });
  }
  await syncFolder(aside);
  await syncFolder(stateDir);
  return aside;
}

async function restoreImages({ archive, stateDir, random }: RestoreOptions): Promise<void> {
  const blobs = createFileBlobs({ dir: join(stateDir, 'blobs'), random });
  await readArchive(archive, {
    image: async ({ key, sha256 }, bytes) => {
      await blobs.put(key, Readable.from(bytes), { expectSha256: sha256 });
    },
  });
}

/** The lock is ours already. */
const LOCKED_FILES = { ...systemFiles, lock: () => Promise.resolve({ release: () => undefined }) };

/** Opens the new state as a cloud would and compares it record by record. */
async function prove(options: RestoreOptions, records: readonly Entry[]): Promise<number> {
  const { stateDir, clock, random } = options;
  const store: Store = await openFileStore({ dir: stateDir, clock, random, logger: silentLogger, files: LOCKED_FILES });
  try {
    const isTheirs = ({ key }: Entry): boolean => key !== KEYS.restored;
    const found = store.range('').filter(isTheirs);
    const wantedAll = records.filter(isTheirs);
    const same = (entry: Entry | undefined, wanted: Entry): boolean =>
      entry?.key === wanted.key && canonicalJson(entry.value) === canonicalJson(wanted.value);
    const at = wantedAll.findIndex((wanted, index) => !same(found[index], wanted));
    if (found.length !== wantedAll.length || at >= 0) {
      const key = wantedAll[at]?.key ?? found[wantedAll.length]?.key ?? '';
      throw new CloudError(
        'CorruptState',
        `the restored state is not the archive's (${key}); do not start a cloud on it`,
      );
    }
    return store.rev;
  } finally {
    await store.close();
  }
}
