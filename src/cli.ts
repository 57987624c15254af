import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The commands and their manifest stand beside this file, package.json one folder above. */
const root = import.meta.dirname;

interface Package {
  readonly name: string;
  readonly version: string;
  readonly oclif: Record<string, unknown>;
}

function readPackage(): Package {
  return JSON.parse(readFileSync(join(root, '..', 'package.json'), 'utf8')) as Package;
}

async function run(argv: readonly string[]): Promise<number> {
  // Answered before anything is loaded: scripts ask for it often.
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`novactl ${readPackage().version}\n`);
    return 0;
  }
  const [{ main }, { processIo }] = await Promise.all([
    import('./commands/support/main.ts'),
    import('./commands/support/io.ts'),
  ]);
  return main(argv, processIo(), { root, pjson: readPackage() });
}

function unwritable(error: NodeJS.ErrnoException): never {
  // Who reads stdout may have read enough (novactl ... | head): that is no failure.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`novactl: stdout can't be written: ${error.message}\n`);
  process.exit(1);
}

process.stdout.on('error', unwritable);
const code = await run(process.argv.slice(2));
// Comes after everything that was written before it, and has its error.
process.stdout.write('', (error) => (error ? unwritable(error) : process.exit(code)));
