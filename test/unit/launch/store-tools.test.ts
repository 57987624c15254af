import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { operationIdAt, KEYS } from '../../../src/domain/keys.ts';
import { openStore } from '../../../src/launch/open-store.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import { readExport } from '../../../src/launch/store-tools/read-export.ts';
import type { Store } from '../../../src/ports/store.ts';
import { runCli, type CliRun } from '../../support/run-cli.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';

const CHILD = join(import.meta.dirname, 'import-child.ts');
const clock = new SystemClock();
const random = new SystemRandom();
let dir = '';
let file = '';

const openFile = (stateDir: string): Promise<Store> =>
  openFileStore({ dir: stateDir, clock, random, logger: silentLogger, holder: { command: 'a test', kind: 'daemon' } });

/** `novactl ...` on a state folder. */
const cli = (stateDir: string, ...argv: string[]): Promise<CliRun> =>
  runCli(argv, { env: { NOVACTL_STATE_DIR: join(dir, stateDir), NOVACTL_RUN_DIR: join(dir, 'no-daemon') } });

/** Operations that fill several transactions. */
async function addOperations(store: Store, count: number): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    const puts = Array.from({ length: Math.min(100, count - at) }, (_, index) => {
      const id = operationIdAt(1000 + at + index, 'abcde');
      const value = {
        v: 1,
        id,
        name: 'Nothing "ü\u0001"',
        status: 'succeeded',
        startedAtMs: 1,
        endedAtMs: clock.nowMs(),
      };
      return { key: KEYS.operation(id), value };
    });
    await store.txn({ puts });
  }
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-store-tools-'));
  file = join(dir, 'cloud.export');
  const store = await openFile(join(dir, 'first'));
  const sim = await startSimCloud({ store, stateDir: join(dir, 'first') });
  const { instances } = await sim.run({ MinCount: 3, MaxCount: 3 });
  await sim.settled(
    'running',
    instances.map(({ instanceId }) => instanceId),
  );
  await addOperations(store, 450);
  await store.txn({ puts: [{ key: KEYS.own('h-1'), value: { v: 1, controllerId: 'a', session: 's', epoch: 1 } }] });
  await sim.close();
  const run = await cli('first', 'store', 'export', file);
  if (run.code !== 0) throw new Error(run.stderr);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('store export', () => {
  it('[sim] writes a file for its owner alone, says what is not in it, and writes over nothing', async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('"own/');
    const again = await cli('first', 'store', 'export', file);
    expect(again).toMatchObject({ code: 5, stdout: '' });
    const other = await cli('first', 'export-store', join(dir, 'second.export'), '--json');
    expect(other.stderr).toMatch(/not in it, copy it yourself: keys that the cloud made in .*seal\.key/);
    expect(JSON.parse(other.stdout)).toMatchObject({ counts: { instance: 3, host: 1 } });
    // The head may differ (its time does), the records may not.
    const tail = (path: string): string => readFileSync(path, 'utf8').split('\n').slice(1).join('\n');
    expect(tail(join(dir, 'second.export'))).toBe(tail(file));
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('[sim] refuses a state that a daemon works on, and names it', async () => {
    const store = await openFile(join(dir, 'first'));
    try {
      for (const words of [['export', join(dir, 'x')], ['import', file], ['verify'], ['compare', file]]) {
        const run = await cli('first', 'store', ...words);
        expect(run.code, run.stderr).toBe(9);
        expect(run.stderr).toContain(`process ${process.pid}`);
      }
    } finally {
      await store.close();
    }
  });

  it('has nothing to say of a folder without a state', async () => {
    expect(await cli('nowhere', 'store', 'export', join(dir, 'y'))).toMatchObject({ code: 3 });
    expect(await cli('nowhere', 'store', 'verify')).toMatchObject({ code: 3 });
    expect(readdirSync(dir)).not.toContain('nowhere');
  });

  it('[sim] --offline reads what is on disk, also while a daemon works on it', async () => {
    const store = await openFile(join(dir, 'first'));
    try {
      const path = join(dir, 'offline.export');
      expect(await cli('first', 'store', 'export', path, '--offline')).toMatchObject({ code: 0 });
      expect((await readExport(path)).end).toEqual((await readExport(file)).end);
      const verified = await cli('first', 'store', 'verify', '--offline', '--json');
      expect(verified.code, verified.stderr).toBe(0);
      expect(JSON.parse(verified.stdout)).toMatchObject({ problems: [] });
    } finally {
      await store.close();
    }
  });
});

describe('store import', () => {
  it('[sim] fills an empty store, and compare finds nothing; a second export is the same', async () => {
    const run = await cli('second', 'store', 'import', file, '--json');
    expect(run.code, run.stderr).toBe(0);
    const { end } = await readExport(file);
    expect(JSON.parse(run.stdout)).toMatchObject({ written: end.records, found: 0 });
    expect(await cli('second', 'store', 'compare', file)).toMatchObject({ code: 0 });
    const back = join(dir, 'back.export');
    expect(await cli('second', 'store', 'export', back)).toMatchObject({ code: 0 });
    expect((await readExport(back)).end).toEqual(end);
    expect(await cli('second', 'store', 'verify')).toMatchObject({ code: 0 });
  });

  it('[sim] refuses a store that is not empty and counts what is there', async () => {
    const run = await cli('first', 'store', 'import', file);
    expect(run.code).toBe(5);
    expect(run.stderr).toMatch(/goes into an empty store only; there are \d+ records in this one: .*\d+ address/);
  });

  it('goes on where it was killed, and no cloud starts before it has ended', { timeout: 60_000 }, async () => {
    const { end } = await readExport(file);
    for (const killAt of [0, 100, 250, end.records]) {
      const stateDir = join(dir, `killed-${killAt}`);
      const config = { stateDir, drivers: 'simulated' };
      const killed = spawnSync(process.execPath, [CHILD, JSON.stringify(config), file, String(killAt)]);
      expect(killed.signal, killed.stderr.toString()).toBe('SIGKILL');
      const parts = { clock, random, logger: silentLogger, onPoison: () => undefined };
      await expect(openStore(ConfigSchema.parse(config), parts)).rejects.toMatchObject({ code: 'CorruptState' });
      const other = join(dir, `other-${killAt}.export`);
      writeFileSync(other, readFileSync(file));
      expect(await cli(`killed-${killAt}`, 'store', 'import', other)).toMatchObject({ code: 0 });
      expect(await cli(`killed-${killAt}`, 'store', 'compare', file)).toMatchObject({ code: 0 });
      await (await openStore(ConfigSchema.parse(config), parts)).close();
    }
  });

  it('of another file is refused after one that was cut off', async () => {
    const stateDir = join(dir, 'mixed');
    const child = [CHILD, JSON.stringify({ stateDir, drivers: 'simulated' }), file, '100'];
    expect(spawnSync(process.execPath, child).signal).toBe('SIGKILL');
    const store = await openFile(join(dir, 'second'));
    await store.txn({ dels: [KEYS.sealCheck] });
    await store.close();
    const other = join(dir, 'less.export');
    expect(await cli('second', 'store', 'export', other)).toMatchObject({ code: 0 });
    const refused = await cli('mixed', 'store', 'import', other);
    expect(refused).toMatchObject({ code: 5 });
    expect(refused.stderr).toContain('an import of another file');
  });
});

describe('a damaged export', () => {
  it('is found, whatever byte was changed', async () => {
    const whole = readFileSync(file);
    const damaged = join(dir, 'damaged.export');
    const step = Math.max(1, Math.floor(whole.length / 150));
    const head = whole.indexOf(10);
    const places = [...Array.from({ length: head + 2 }, (_, at) => at)];
    for (let at = head + 2; at < whole.length; at += step) places.push(at);
    for (let at = whole.length - 110; at < whole.length; at += 1) places.push(at);
    const missed: number[] = [];
    for (const at of places) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(damaged, bytes);
      const found = await readExport(damaged).then(
        () => false,
        (error: unknown) => (error as { code?: string }).code === 'CorruptState',
      );
      if (!found) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  it('is found cut off anywhere, with lines gone, doubled or exchanged, and with more behind it', async () => {
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n');
    const [head = '', first = '', second = '', ...rest] = lines;
    const variants: Record<string, string> = {
      empty: '',
      'one byte short': text.slice(0, -1),
      'half of it': text.slice(0, text.length / 2),
      'whole lines of it': `${lines.slice(0, 20).join('\n')}\n`,
      exchanged: [head, second, first, ...rest].join('\n'),
      'a line gone': [head, second, ...rest].join('\n'),
      'a line doubled': [head, first, first, second, ...rest].join('\n'),
      twice: text + text,
      'a space behind it': `${text} `,
      'no head': [first, second, ...rest].join('\n'),
    };
    for (const [what, content] of Object.entries(variants)) {
      const path = join(dir, 'variant.export');
      writeFileSync(path, content);
      await expect(readExport(path), what).rejects.toMatchObject({ code: 'CorruptState' });
      const run = await cli('empty', 'store', 'import', path);
      expect(run.code, what).toBe(1);
    }
    expect(readdirSync(dir)).not.toContain('empty');
  });

  it('names the line', async () => {
    const lines = readFileSync(file, 'utf8').split('\n');
    lines[4] = (lines[4] ?? '').replace('"v":1', '"v":2');
    const path = join(dir, 'line.export');
    writeFileSync(path, lines.join('\n'));
    const run = await cli('first', 'store', 'verify', path);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('line.export, line 5: it is damaged');
  });
});

describe('store compare and verify', () => {
  it('[sim] say which keys differ and which records do not agree', async () => {
    const store = await openFile(join(dir, 'changed'));
    await store.close();
    expect(await cli('changed', 'store', 'import', file)).toMatchObject({ code: 0 });
    const again = await openFile(join(dir, 'changed'));
    const [host] = again.range<Record<string, string>>('host/');
    const [capacity] = again.range('capacity/');
    await again.txn({
      puts: [
        { key: host?.key ?? '', value: { ...host?.value, name: 'other' } },
        { key: 'service/extra', value: { v: 1 } },
      ],
      dels: [capacity?.key ?? ''],
    });
    await again.close();
    const compared = await cli('changed', 'store', 'compare', file, '--json');
    expect(compared.code).toBe(5);
    expect(JSON.parse(compared.stdout)).toMatchObject({
      equal: false,
      differ: [host?.key],
      missing: ['service/extra'],
      extra: [capacity?.key],
    });
    const verified = await cli('changed', 'store', 'verify');
    expect(verified.code).toBe(1);
    expect(verified.stdout).toContain('problems');
    const config = join(dir, 'changed.yaml');
    writeFileSync(config, `stateDir: ${join(dir, 'changed')}\n`);
    const two = await cli('second', 'store', 'compare', '--with', config, '-o', 'name');
    expect(two).toMatchObject({ code: 5 });
    expect(two.stdout).toContain('service/extra');
  });
});
