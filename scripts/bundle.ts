import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { ROOT } from './manifest.ts';

const commands = join(ROOT, 'src/commands');
/** What oclif brings along and novactl never needs, but every start would pay for. */
const SHIMS = join(ROOT, 'scripts/shims');

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

/** What esbuild is asked for; the bundle goes to `outdir`. */
export const bundleOptions = async (outdir: string): Promise<BuildOptions> => ({
  entryPoints: await entries(),
  outdir,
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
  // React's developer tools are no part of it either, nor is ssh2's optional native look at the CPU.
  external: ['fastify', 'typescript', 'react-devtools-core', 'cpu-features'],
  alias: { 'wsl-utils': join(SHIMS, 'wsl-utils.ts'), tinyglobby: join(SHIMS, 'tinyglobby.ts') },
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.OCLIF_DISABLE_ENGINE_WARNING': '"1"' },
  logLevel: 'warning',
});
