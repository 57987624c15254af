import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  REPOSITORY,
  filesUnder,
  parseSource,
  readSources,
  relativeImports,
  trackedFiles,
} from './support/source-tree.ts';
import {
  assertingHelpers,
  badFileName,
  bannedCalls,
  bannedWords,
  defaultExports,
  emptyTests,
  longFiles,
  longFunctions,
  registeringHelpers,
  unreachable,
  unusedGolden,
} from './support/tidy-rules.ts';

const sources = readSources(['src', 'test', 'scripts']);
const tests = sources.filter(({ path }) => path.startsWith('test/'));
const asserting = assertingHelpers(tests);
const registering = registeringHelpers(tests, asserting);
const shipped = sources.filter(({ path }) => !path.startsWith('test/'));

/** Paths that exist on one person's machine alone. Put together here, so that this file does not hold them itself. */
const PRIVATE_PATHS = [
  ...['work', 'Users'].map((folder) => new RegExp(`(?<![\\w.$}/-])/${folder}/\\w`)),
  new RegExp(`/tmp/${'lab'}\\b`),
];

function commandNames(): string[] {
  return filesUnder('src/commands')
    .filter((path) => path.endsWith('.ts') && !path.startsWith('src/commands/support/'))
    .map((path) => path.slice('src/commands/'.length, -'.ts'.length).replaceAll('/', '-'));
}

describe('the sources', () => {
  it('are there to be read', () => {
    expect(shipped.length).toBeGreaterThan(50);
    expect(tests.length).toBeGreaterThan(5);
  });

  it('have files of at most 400 lines', () => {
    expect(sources.flatMap(longFiles)).toEqual([]);
  });

  it('have functions of at most 70 lines', () => {
    expect(sources.flatMap((file) => longFunctions(file, registering))).toEqual([]);
  });

  it('have kebab-case file names', () => {
    expect(sources.flatMap(badFileName)).toEqual([]);
  });

  it('have no default exports', () => {
    expect(sources.flatMap(defaultExports)).toEqual([]);
  });

  it('read clocks, timers and chance in src/base alone', () => {
    expect(sources.flatMap(bannedCalls)).toEqual([]);
  });

  it('have none of the banned words', () => {
    expect(sources.flatMap(bannedWords)).toEqual([]);
  });

  it('have no file in src/ that nothing leads to', () => {
    const isRoot = (path: string) => /^(src\/(cli\.ts|commands\/|launch\/)|scripts\/|test\/)/.test(path);
    expect(unreachable(sources, isRoot)).toEqual([]);
  });

  it('have no helper in test/ that no test uses', () => {
    const program = sources.filter(({ path }) => !path.startsWith('src/'));
    const config = readFileSync(join(REPOSITORY, 'vitest.config.ts'), 'utf8');
    // A program that a test starts as a process is named in the test instead of imported.
    const named = [...tests.map(({ text }) => text), config].join('\n');
    const isNamed = (path: string) => named.includes(`${path.split('/').at(-1) ?? ''}'`);
    const isRoot = (path: string) => /\.(test|bench)\.ts$/.test(path) || path.startsWith('scripts/');
    expect(unreachable(program, (path) => isRoot(path) || isNamed(path))).toEqual([]);
  });
});

describe('the tests', () => {
  it('each assert something', () => {
    expect(tests.flatMap((file) => emptyTests(file, asserting, registering))).toEqual([]);
  });

  it('use every golden file', () => {
    expect(unusedGolden(filesUnder('test/golden'), tests)).toEqual([]);
  });
});

describe('the repository', () => {
  it('has the documents that a reader looks for', () => {
    const top = [
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      '.ci/run',
      'bin/novactl',
      'docs/ARCHITECTURE.md',
    ];
    const there = new Set([...filesUnder('bin'), ...filesUnder('docs'), ...filesUnder('.ci')]);
    const missing = top.filter((name) => {
      if (name.includes('/')) return !there.has(name);
      return readFileSync(join(REPOSITORY, name), 'utf8').length < 100;
    });
    expect(missing).toEqual([]);
    expect(readFileSync(join(REPOSITORY, 'LICENSE'), 'utf8')).toContain('Apache License');
  });

  it('names no path of anybody’s machine', (ctx) => {
    const tracked = trackedFiles();
    if (tracked === undefined) {
      ctx.skip('not a git checkout');
      return;
    }
    const found = tracked.flatMap((path) => {
      const lines = readFileSync(join(REPOSITORY, path), 'utf8').split('\n');
      return lines.flatMap((line, index) =>
        PRIVATE_PATHS.some((pattern) => pattern.test(line)) ? [`${path}:${String(index + 1)}: ${line.trim()}`] : [],
      );
    });
    expect(found).toEqual([]);
  });

  it('has under version control all that its files import', (ctx) => {
    const tracked = trackedFiles();
    if (tracked === undefined) {
      ctx.skip('not a git checkout');
      return;
    }
    const known = new Set(tracked);
    const missing = sources
      .filter(({ path }) => known.has(path))
      .flatMap((file) =>
        relativeImports(file)
          .filter((target) => !known.has(target))
          .map((target) => `${file.path}: ${target}`),
      );
    expect(missing).toEqual([]);
  });

  it('has download addresses of no registry in package-lock.json', () => {
    expect(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')).not.toContain('"resolved": "http');
  });

  it('has a man page for every command and for nothing else', () => {
    const pages = filesUnder('man')
      .map((path) => /^man\/novactl-(.+)\.1$/.exec(path)?.[1])
      .filter((name) => name !== undefined);
    expect(pages.toSorted()).toEqual(commandNames().toSorted());
  });
});

describe('the rules themselves', () => {
  const broken = parseSource(
    'src/domain/Bad_Name.ts',
    [
      'export default function clock() { return Date.now(); }',
      `const once = new Date(); const same = new Date(5); // TO${'DO'}: later`,
      `function long() {${'\n'.repeat(80)}}`,
    ].join('\n'),
  );

  it('see what they forbid', () => {
    expect(badFileName(broken)).toHaveLength(1);
    expect(defaultExports(broken)).toHaveLength(1);
    expect(bannedCalls(broken).map((line) => line.split(': ')[1])).toEqual([
      'Date.now; use a Clock (base/clock.ts)',
      'new Date; use a Clock (base/clock.ts)',
    ]);
    expect(bannedWords(broken)).toHaveLength(1);
    expect(longFunctions(broken)).toEqual([expect.stringContaining('long has 81 lines')]);
    expect(longFiles(parseSource('src/a.ts', '\n'.repeat(401)))).toHaveLength(1);
  });

  it('tell a test that asserts from one that does not', () => {
    const helper = parseSource('test/help.ts', 'export function looksRight(a) { expect(a).toBe(1); }');
    const suite = parseSource(
      'test/a.test.ts',
      "it('a', () => { looksRight(1); });\nit('b', () => { run(); });\nit.each([1])('c', (n) => { assert(n); });",
    );
    const found = emptyTests(suite, assertingHelpers([helper, suite]));
    expect(found).toEqual(["test/a.test.ts:2: the test 'b' asserts nothing"]);
  });

  it('look for assertions where a helper is given the body', () => {
    const suite = parseSource(
      'test/a.test.ts',
      [
        'const real = (name, body) => it(name, async () => { await body(); });',
        "real('a', () => { expect(1).toBe(1); });",
        "real('b', () => { run(); });",
      ].join('\n'),
    );
    const helpers = assertingHelpers([suite]);
    const found = emptyTests(suite, helpers, registeringHelpers([suite], helpers));
    expect(found).toEqual(["test/a.test.ts:3: the test 'b' asserts nothing"]);
  });

  it('count a registered test apart from the function that registers it', () => {
    const lines = Array.from({ length: 40 }, () => "  it('x', () => {\n    run();\n  });").join('\n');
    expect(longFunctions(parseSource('test/a.ts', `function suite() {\n${lines}\n}`))).toEqual([]);
  });

  it('find files that nothing leads to', () => {
    const files = [
      parseSource('src/cli.ts', "import './used.ts'; void import('./lazy.ts');"),
      parseSource('src/used.ts', "export type { T } from './types.ts';"),
      parseSource('src/types.ts', ''),
      parseSource('src/lazy.ts', ''),
      parseSource('src/dead.ts', "import './used.ts';"),
    ];
    expect(unreachable(files, (path) => path === 'src/cli.ts')).toEqual(['src/dead.ts: nothing leads to it']);
  });
});
