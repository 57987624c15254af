import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { asCloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { KIB, MIB } from '../../../../src/base/units.ts';
import type { Store } from '../../../../src/ports/store.ts';

const clock = new SystemClock();
const big = 'x'.repeat(50 * KIB);

/** Writes until refused; the number acknowledged and the code of the refusal. */
async function writeUntilRefused(store: Store, prefix: string): Promise<{ acked: number; code: string }> {
  for (let n = 0; ; n += 1) {
    try {
      await store.txn({ puts: [{ key: `${prefix}${String(n).padStart(5, '0')}`, value: { n, big } }] });
    } catch (error) {
      return { acked: n, code: asCloudError(error).code };
    }
  }
}

/** On a disk of 16 MiB: with the marks off the disk really fills; with them on it does not, and shrinking goes on. */
async function main(mount: string): Promise<void> {
  const open = (dir: string, marks: object): Promise<Store> =>
    openFileStore({
      ...{ dir: path.join(mount, dir), clock, random: new SystemRandom(), logger: silentLogger, spaceCheckMs: 20 },
      ...marks,
    });
  const guarded = { softFreeBytes: 8 * MIB, hardFreeBytes: 2 * MIB };

  let store = await open('a', guarded);
  const refused = await writeUntilRefused(store, 'k');
  const release = await store.txn({ dels: ['k00000'] }).then(
    ({ ok }) => ok,
    () => false,
  );
  await store.close();
  rmSync(path.join(mount, 'a'), { recursive: true });

  const unguarded = { softFreeBytes: 0, hardFreeBytes: 0, closeSnapshotOps: 1_000_000 };
  store = await open('b', unguarded);
  writeFileSync(path.join(mount, 'ballast'), Buffer.alloc(8 * MIB));
  const full = await writeUntilRefused(store, 'k');
  const after = await writeUntilRefused(store, 'late');
  await store.close();
  rmSync(path.join(mount, 'ballast'));
  store = await open('b', unguarded);
  const recovered = store.range('').map(({ key }) => key);
  const goesOn = (await store.txn({ puts: [{ key: 'z', value: 1 }] })).ok;
  await store.close();
  process.stdout.write(JSON.stringify({ refused, release, full, after, recovered, goesOn }));
}

await main(process.argv[2] ?? '');
