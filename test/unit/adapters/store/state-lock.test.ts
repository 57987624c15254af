import { spawnSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { acquireStateLock, seenHolder } from '../../../../src/adapters/store/state-lock.ts';
import { scratchDir } from './open-store.ts';

const holder = { pid: process.pid, command: 'novactl up', since: '2026-01-02T03:04:05.000Z' };
const MODULE = path.join(import.meta.dirname, '../../../../src/adapters/store/state-lock.ts');

/** What another process gets: `held`, or the error's code and text. */
function fromOutside(dir: string): string {
  const script = `
    const { acquireStateLock } = await import(${JSON.stringify(MODULE)});
    const holder = { pid: process.pid, command: 'other', since: '' };
    await acquireStateLock({ dir: process.argv[1], holder }).then(
      () => console.log('held'),
      (error) => console.log(error.code, error.message),
    );`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], { encoding: 'utf8' }).stdout.trim();
}

describe('state lock', () => {
  it('keeps other processes out, and this one, and names the holder', async () => {
    const dir = await scratchDir();
    const lock = await acquireStateLock({ dir, holder });
    expect(JSON.parse(await readFile(path.join(dir, 'lock.holder'), 'utf8'))).toEqual(holder);
    expect(fromOutside(dir)).toBe(
      `LockBusy ${dir} is in use by process ${process.pid} (novactl up) since 2026-01-02T03:04:05.000Z; wait until it ends, or stop it`,
    );
    await expect(acquireStateLock({ dir, holder })).rejects.toMatchObject({
      code: 'LockBusy',
      details: { dir, holder },
    });
    // The refused attempts must not have let the kernel's lock go.
    expect(fromOutside(dir)).toContain('LockBusy');
    lock.release();
    lock.release();
    expect(fromOutside(dir)).toBe('held');
  });

  it('is free again when its holder died, whatever it left behind', async () => {
    const dir = await scratchDir();
    expect(fromOutside(dir)).toBe('held');
    expect(await readdir(dir)).toContain('lock.holder');
    expect(seenHolder(dir)).toBeUndefined();
    const lock = await acquireStateLock({ dir, holder });
    expect(seenHolder(dir)).toEqual(holder);
    expect(JSON.parse(await readFile(path.join(dir, 'lock.holder'), 'utf8'))).toEqual(holder);
    lock.release();
    expect(await readdir(dir)).toEqual(['lock.db']);
  });

  it('is busy also while the holder has not signed yet', async () => {
    const dir = await scratchDir();
    const lock = await acquireStateLock({ dir, holder });
    await writeFile(path.join(dir, 'lock.holder'), '{"pid":');
    expect(fromOutside(dir)).toBe(`LockBusy ${dir} is in use by another process; wait until it ends, or stop it`);
    lock.release();
  });

  it('locks of two names in one folder do not touch', async () => {
    const dir = await scratchDir();
    const first = await acquireStateLock({ dir, holder });
    const second = await acquireStateLock({ dir, holder, name: 'store' });
    first.release();
    expect(fromOutside(dir)).toBe('held');
    await expect(acquireStateLock({ dir, holder, name: 'store' })).rejects.toMatchObject({ code: 'LockBusy' });
    second.release();
  });

  it('makes the folder, and everything for its owner alone', async () => {
    const dir = path.join(await scratchDir(), 'a', 'b');
    const lock = await acquireStateLock({ dir, holder });
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(dir)) expect((await stat(path.join(dir, name))).mode & 0o777).toBe(0o600);
    lock.release();
  });
});
