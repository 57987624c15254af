import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { manifestFromSources, ROOT } from './manifest.ts';

/** What is built stands in dist/ all at once: a command that is started meanwhile finds the old or the new whole. */
const DIST = join(ROOT, 'dist');
const out = join(ROOT, `build/dist-${process.pid}`);
const old = `${out}-old`;
const commands = join(ROOT, 'src/commands');

/** CommonJS packages inside an ES module bundle expect these names. */
const banner = [
  "import { createRequire as __novactlRequire } from 'node:module';",
  'const require = __novactlRequire(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = import.meta.dirname;',
].join('');

/** Every command is an entry of its own, so that a run loads the one that it needs. */
async function entries(): Promise<Record<string, string>> {
  const files = await readdir(commands, { recursive: true });
  const sources = files.filter((file) => file.endsWith('.ts') && !file.startsWith('support/'));
  return {
    cli: join(ROOT, 'src/cli.ts'),
    ...Object.fromEntries(sources.map((file) => [`commands/${file.slice(0, -3)}`, join(commands, file)])),
  };
}

const options = (entryPoints: Record<string, string>): BuildOptions => ({
  entryPoints,
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minify: true,
  legalComments: 'none',
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: banner },
  // The daemon's HTTP server loads files of its own at run time; it starts once, so it needs no bundle.
  external: ['fastify', 'typescript'],
  define: { 'process.env.OCLIF_DISABLE_ENGINE_WARNING': '"1"' },
  logLevel: 'warning',
});

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
  await Promise.all([build(options(await entries())), writeManifest(), copyAssets()]);
  await rename(DIST, old).catch(() => undefined);
  await rename(out, DIST);
} finally {
  await rm(out, { recursive: true, force: true });
  await rm(old, { recursive: true, force: true });
}
