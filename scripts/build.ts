import { cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleOptions } from './bundle.ts';
import { manifestFromSources, ROOT } from './manifest.ts';

/** What is built stands in dist/ all at once: a command that is started meanwhile finds the old or the new whole. */
const DIST = join(ROOT, 'dist');
const out = join(ROOT, `build/dist-${process.pid}`);
const old = `${out}-old`;

async function writeManifest(): Promise<void> {
  const manifest = await manifestFromSources();
  for (const [id, command] of Object.entries(manifest.commands)) {
    command.relativePath = ['commands', ...id.split(':')];
    command.relativePath.push(`${command.relativePath.pop() ?? ''}.js`);
    command.isESM = true;
    // The help of a default is the same at every run, so that --help need not load the command.
    command.hasDynamicHelp = false;
  }
  await writeFile(join(out, 'oclif.manifest.json'), JSON.stringify(manifest));
}

async function copyAssets(): Promise<void> {
  const from = join(ROOT, 'src/launch/tiny-image/assets');
  const there = await stat(from).catch(() => undefined);
  if (there?.isDirectory() === true) await cp(from, join(out, 'assets/tiny-image'), { recursive: true });
}

await mkdir(out, { recursive: true });
try {
  await Promise.all([build(await bundleOptions(out)), writeManifest(), copyAssets()]);
  await rename(DIST, old).catch(() => undefined);
  await rename(out, DIST);
} finally {
  await rm(out, { recursive: true, force: true });
  await rm(old, { recursive: true, force: true });
}
