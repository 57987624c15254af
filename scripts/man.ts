import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandPage, pageName } from './man/command-page.ts';
import { conceptsPage } from './man/concepts-page.ts';
import { configPage } from './man/config-page.ts';
import { mainPage } from './man/main-page.ts';
import { manifestFromSources, ROOT } from './manifest.ts';

/** npm run man writes man/ from the commands and the configuration's schema; with --check it only says what differs, and fails. */
const folder = join(ROOT, 'man');

async function pages(): Promise<Map<string, string>> {
  const { commands, version } = await manifestFromSources();
  const all = Object.values(commands).sort((a, b) => (a.id < b.id ? -1 : 1));
  return new Map([
    ['novactl.1', mainPage(all, version)],
    ['novactl.yaml.5', configPage(version)],
    ['novactl-concepts.7', conceptsPage(version)],
    ...all.map((command) => [`${pageName(command.id)}.1`, commandPage(command, version)] as const),
  ]);
}

function contentOf(name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch {
    return undefined;
  }
}

const wanted = await pages();
mkdirSync(folder, { recursive: true });
const stale = readdirSync(folder).filter((name) => !wanted.has(name));
const differing = [...wanted].filter(([name, text]) => contentOf(name) !== text).map(([name]) => name);
if (process.argv.includes('--check')) {
  for (const name of [...differing, ...stale]) process.stderr.write(`man/${name} is not what the sources say\n`);
  if (differing.length + stale.length > 0) {
    process.stderr.write('npm run man writes them anew\n');
    process.exitCode = 1;
  }
} else {
  for (const name of stale) rmSync(join(folder, name));
  for (const name of differing) writeFileSync(join(folder, name), wanted.get(name) ?? '');
  process.stdout.write(`${wanted.size} pages, ${differing.length} written, ${stale.length} removed\n`);
}
