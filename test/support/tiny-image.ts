import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/base/clock.ts';
import { isCode } from '../../src/base/errors.ts';
import { buildTinyImage, type TinyImage } from '../../src/launch/tiny-image/build-tiny.ts';

const SOURCES = join(import.meta.dirname, '../../src/launch/tiny-image');

/** Changes whenever the builder or a script of the guest does. */
async function sourcesDigest(): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(SOURCES, { recursive: true })).sort();
  for (const name of names) {
    if (name === 'assets') continue;
    hash.update(`${name}\n`).update(await readFile(join(SOURCES, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Images of sources that have changed since; one of today may be in use by another test run. */
async function removeOld(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const path = join(root, name);
    if (/^(tiny|building)-/.test(name) && Date.now() - (await stat(path)).mtimeMs > 24 * 3600 * 1000) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

let building: Promise<TinyImage | string> | undefined;

async function build(): Promise<TinyImage | string> {
  const root = process.env['NOVACTL_TEST_CACHE'] ?? join(tmpdir(), `novactl-test-cache-${process.getuid?.() ?? 0}`);
  const cacheDir = join(root, 'kernel');
  const ready = join(root, `tiny-${await sourcesDigest()}`);
  const facts = join(ready, 'facts.json');
  if (!existsSync(facts)) {
    await mkdir(cacheDir, { recursive: true });
    await removeOld(root);
    const outDir = await mkdtemp(join(root, 'building-'));
    try {
      const image = await buildTinyImage({ outDir, cacheDir, clock: new SystemClock(), onStep: () => undefined });
      await writeFile(join(outDir, 'facts.json'), JSON.stringify(image).replaceAll(outDir, ready));
      // Fails when another test process was faster; its image is as good.
      await rename(outDir, ready).catch(() => undefined);
    } catch (error) {
      if (isCode(error, 'UnsupportedOperation')) return error.message;
      throw error;
    } finally {
      await rm(outDir, { recursive: true, force: true });
    }
  }
  return JSON.parse(await readFile(facts, 'utf8')) as TinyImage;
}

/** The tiny image, built once for all test runs on this machine; a text says why that cannot be done here. */
export function tinyImage(): Promise<TinyImage | string> {
  building ??= build();
  return building;
}
