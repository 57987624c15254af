import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArchive } from '../../../src/adapters/archive/read-archive.ts';
import { openFileStore } from '../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import type { Entry } from '../../../src/ports/store.ts';
import { CronMachine } from './cron-machine.ts';

const clock = new SystemClock();
let machine: CronMachine;
beforeAll(async () => {
  machine = new CronMachine();
  await machine.cloud.start();
});
afterAll(async () => {
  await machine.cloud.stop();
  rmSync(machine.dir, { recursive: true, force: true });
});

/** Changes one after the other until told to stop; answers the times that each took, in milliseconds. */
async function load(name: string, signal: AbortSignal): Promise<number[]> {
  const client = new SocketClient({ socketPath: join(machine.dir, 'run/novactl.sock'), clock });
  const took: number[] = [];
  for (let at = 0; !signal.aborted; at += 1) {
    const startMs = clock.monotonicMs();
    const clientToken = `${name}-${at}-${'x'.repeat(20)}`;
    await client.call('CreateKeyPair', { KeyName: `${name}-${at}`, KeyType: 'ed25519' }, { clientToken });
    took.push(clock.monotonicMs() - startMs);
  }
  return took;
}

const keyOf = (records: readonly Entry[]): Map<string, string> =>
  new Map(records.map(({ key, value }) => [key, JSON.stringify(value)]));

describe('a backup under load', () => {
  it(
    '[real] is of one moment, restores on an empty machine record by record, and shows any damage',
    { timeout: 120_000 },
    async () => {
      const stop = new AbortController();
      const writers = ['a', 'b', 'c', 'd'].map((name) => load(name, stop.signal));
      const file = join(machine.dir, 'under-load.novactl');
      for (let round = 0; round < 3; round += 1) await machine.cloud.ok('maintain', 'backup');
      await machine.cloud.ok('maintain', 'backup', '--to', file, '--with-images');
      stop.abort();
      const took = (await Promise.all(writers)).flat();
      expect(took.length).toBeGreaterThan(50);

      const archived: Entry[] = [];
      const facts = await readArchive(file, { record: (entry) => archived.push(entry) });
      const revs = archived.map(({ rev }) => rev);
      expect(Math.max(...revs)).toBeLessThanOrEqual(facts.header.rev);
      // A key pair, its operation and its token are written in one transaction: all are in it, or none.
      const count = (prefix: string): number => archived.filter(({ key }) => key.startsWith(prefix)).length;
      expect(count('token/admin/CreateKeyPair/')).toBe(count('keypair/admin/'));

      const empty = join(machine.dir, 'elsewhere');
      await machine.cloud.ok('state', 'verify', file);
      await machine.cloud.ok('state', 'restore', file, '--set', `stateDir=${empty}`);
      const store = await openFileStore({ dir: empty, clock, random: new SystemRandom(), logger: silentLogger });
      // Beside the records there is the one that says that they were restored.
      const restored = store.range('').filter(({ key }) => key !== 'restored');
      expect(store.rev).toBeGreaterThan(facts.header.rev);
      await store.close();
      expect(keyOf(restored)).toEqual(keyOf(archived));
      for (const secret of ['seal.key']) {
        expect(readFileSync(join(empty, secret))).toEqual(readFileSync(join(machine.stateDir, secret)));
      }
      const again = await machine.cloud.cli('state', 'restore', file, '--set', `stateDir=${empty}`);
      expect([again.code, again.stderr]).toEqual([5, expect.stringContaining('is not empty') as string]);

      await machine.cloud.stop();
      const alive = machine.cloud.with({ NOVACTL_STATE_DIR: empty });
      const { code, stdout } = await alive.cli('maintain', 'verify');
      expect([code, stdout]).toEqual([0, expect.stringContaining('clean') as string]);
      await showsDamage(file);
    },
  );
});

/** One bit of a byte at many places of the file: `state verify` ends with 1 and names the place. */
async function showsDamage(file: string): Promise<void> {
  const sound = readFileSync(file);
  const step = Math.ceil(sound.length / 400);
  for (let at = 0; at < sound.length; at += step) {
    const bytes = Buffer.from(sound);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    writeFileSync(file, bytes);
    await expect(readArchive(file), `byte ${at}`).rejects.toMatchObject({ code: 'CorruptState' });
  }
  const { code, stderr } = await machine.cloud.cli('state', 'verify', file);
  expect(code).toBe(1);
  expect(stderr).toMatch(/damaged at byte \d+/);
}
