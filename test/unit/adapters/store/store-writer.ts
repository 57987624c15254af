import { writeSync } from 'node:fs';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { Store } from '../../../../src/ports/store.ts';

const WRITERS = 8;

/** Three keys in one transaction; `ack` is printed once it has been answered. */
async function write(store: Store, writer: number): Promise<never> {
  for (let n = (store.get<number>(`w/${writer}/a`)?.value ?? 0) + 1; ; n += 1) {
    const token = `${writer}/${n}`;
    const puts = ['a', 'b', 'c'].map((key) => ({ key: `w/${writer}/${key}`, value: n }));
    const result = await store.txn({
      token,
      puts: [...puts, { key: `log/${writer}/${n}`, value: 'x'.repeat(n % 500) }],
    });
    if (!result.ok) throw new Error('conflict without a guard');
    writeSync(1, `ack ${writer} ${n} ${result.rev}\n`);
  }
}

/** Writes until it is killed; snapshots and segments turn over all the time. `hold`: only holds the folder. */
async function main(dir: string, mode: string | undefined): Promise<void> {
  const clock = new SystemClock();
  const tunables = { snapshotOps: 400, segmentBytes: 20_000 };
  const options = {
    dir,
    clock,
    random: new SystemRandom(),
    logger: silentLogger,
    holder: { command: 'store-writer' },
    ...tunables,
  };
  const store = await openFileStore(options);
  writeSync(1, 'open\n');
  if (mode === 'hold') setInterval(() => undefined, 60_000);
  else await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(store, writer)));
}

await main(process.argv[2] ?? '', process.argv[3]);
