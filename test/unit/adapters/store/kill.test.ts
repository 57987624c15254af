import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../../../src/ports/store.ts';
import { openAt, scratchDir } from './open-store.ts';

const WRITER = path.join(import.meta.dirname, 'store-writer.ts');
const KILLS = 20;

interface Ack {
  readonly n: number;
  readonly rev: number;
}

interface Writer {
  readonly pid: number;
  /** The last acknowledgement of each writer. */
  readonly acks: Map<string, Ack>;
  /** Resolves at the first line, when the folder is its own. */
  readonly opened: Promise<unknown>;
  /** SIGKILL; resolves when it is dead and all it said has been read. */
  kill(): Promise<void>;
}

function startWriter(dir: string, mode = 'write'): Writer {
  const child = spawn(process.execPath, [WRITER, dir, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const acks = new Map<string, Ack>();
  lines.on('line', (line) => {
    const [word, writer = '', n, rev] = line.split(' ');
    if (word === 'ack') acks.set(writer, { n: Number(n), rev: Number(rev) });
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return {
    pid: child.pid ?? 0,
    acks,
    opened: Promise.race([once(lines, 'line'), ended]),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Everything acknowledged is there, each transaction whole, nothing beyond the next one, and tokens answer as before. */
async function audit(store: Store, acks: Map<string, Ack>): Promise<void> {
  for (const [writer, { n, rev }] of acks) {
    const values = ['a', 'b', 'c'].map((key) => store.get<number>(`w/${writer}/${key}`)?.value ?? 0);
    expect(new Set(values).size, `writer ${writer} is whole: ${values.join()}`).toBe(1);
    const there = values[0] ?? 0;
    expect(there, `writer ${writer}: acknowledged ${n}`).toBeGreaterThanOrEqual(n);
    expect(there).toBeLessThanOrEqual(n + 1);
    expect(store.count(`log/${writer}/`)).toBe(there);
    expect(await store.txn({ token: `${writer}/${n}`, puts: [{ key: 'never', value: 1 }] })).toEqual({ ok: true, rev });
  }
  expect(store.get('never')).toBeUndefined();
}

describe('file store: kill -9', () => {
  it(
    `loses nothing acknowledged and keeps nothing half in ${KILLS} kills under load`,
    { timeout: 120_000 },
    async () => {
      const dir = await scratchDir();
      let total = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const writer = startWriter(dir);
        await writer.opened;
        // Kills are to come at any moment of the work, so that this one wait is a time and not a condition.
        await sleep(20 + ((kill * 37) % 150));
        await writer.kill();
        const store = await openAt(dir);
        await audit(store, writer.acks);
        total += store.rev;
        await store.close();
      }
      expect(total).toBeGreaterThan(KILLS * 10);
    },
  );

  it(
    'a second process is refused and told who has the folder; after a kill it gets in',
    { timeout: 30_000 },
    async () => {
      const dir = await scratchDir();
      const holder = startWriter(dir, 'hold');
      await holder.opened;
      await expect(openAt(dir)).rejects.toMatchObject({
        code: 'LockBusy',
        message: expect.stringMatching(new RegExp(`process ${holder.pid} \\(store-writer\\) since \\d{4}-`)) as string,
      });
      await holder.kill();
      const store = await openAt(dir);
      await expect(openAt(dir)).rejects.toMatchObject({ code: 'LockBusy' });
      await store.close();
      await (await openAt(dir)).close();
    },
  );
});
