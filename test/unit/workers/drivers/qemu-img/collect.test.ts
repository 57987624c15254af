import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import { createImageStore } from '../../../../../src/workers/drivers/qemu-img/image-store.ts';

const DAY_MS = 86_400_000;
const [kept, surplus, young] = ['a', 'b', 'c'].map((letter) => letter.repeat(64));

let baseDir: string;
beforeEach(() => {
  baseDir = mkdtempSync(join(tmpdir(), 'novactl-collect-'));
  mkdirSync(join(baseDir, 'images'));
  const old = new Date(Date.UTC(2020, 0, 1));
  for (const name of [kept, surplus, `${surplus}.json`, '.novactl-half.tmp', 'foreign']) {
    writeFileSync(join(baseDir, 'images', name ?? ''), 'x');
    utimesSync(join(baseDir, 'images', name ?? ''), old, old);
  }
  writeFileSync(join(baseDir, 'images', young ?? ''), 'x');
});
afterEach(() => rmSync(baseDir, { recursive: true, force: true }));

describe('old image files on a host', () => {
  it('[real] go with their markers and halves of uploads; what is young, wanted or foreign stays', async () => {
    const clock = new SystemClock();
    const shell = createLocalShell({ clock, random: new SystemRandom() });
    const source = () => Promise.reject(new Error('nothing is uploaded'));
    const images = createImageStore({ shell, source, clock, baseDir });
    const order = { keepSha256: [kept ?? ''], minAgeMs: DAY_MS };
    const all = readdirSync(join(baseDir, 'images'));
    const planned = await images.collect({ ...order, remove: false });
    expect(readdirSync(join(baseDir, 'images'))).toEqual(all);
    expect(await images.collect({ ...order, remove: true })).toEqual(planned);
    expect(planned.map((path) => path.split('/').at(-1))).toEqual([surplus, '.novactl-half.tmp']);
    expect(readdirSync(join(baseDir, 'images')).sort()).toEqual([kept, young, 'foreign'].sort());
    await shell.close();
  });
});
