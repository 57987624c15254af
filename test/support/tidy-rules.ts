import { basename, dirname } from 'node:path';
import ts from 'typescript';
import { lineOf, relativeImports, walk } from './source-tree.ts';
import type { SourceFile } from './source-tree.ts';

/** A rule answers what is wrong, one sentence each, with the place; an empty list when all is well. */
export const MAX_FILE_LINES = 400;
export const MAX_FUNCTION_LINES = 70;

export function longFiles(file: SourceFile): string[] {
  const lines = file.text.split('\n').length - 1;
  return lines > MAX_FILE_LINES ? [`${file.path}: ${String(lines)} lines, ${String(MAX_FILE_LINES)} are allowed`] : [];
}

export function badFileName(file: SourceFile): string[] {
  const good = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|bench|config))?\.tsx?$/.test(basename(file.path));
  return good ? [] : [`${file.path}: file names are kebab-case`];
}

/** What registers tests and hooks: the callback given to one is a body of its own, not a part of the function around it. */
const REGISTRARS = new Set(['describe', 'it', 'test', 'beforeAll', 'beforeEach', 'afterAll', 'afterEach']);

function calleeNames(call: ts.CallExpression): string[] {
  const names: string[] = [];
  let at: ts.Node = call.expression;
  for (;;) {
    if (ts.isIdentifier(at)) return [at.text, ...names];
    if (ts.isPropertyAccessExpression(at)) {
      names.unshift(at.name.text);
      at = at.expression;
    } else if (ts.isCallExpression(at) || ts.isTaggedTemplateExpression(at)) {
      at = ts.isCallExpression(at) ? at.expression : at.tag;
    } else {
      return ['', ...names];
    }
  }
}

/** True for a call that registers a test, a hook or a suite, by vitest's name or by a helper's of the tests. */
function isRegistration(node: ts.Node, helpers: ReadonlySet<string>): node is ts.CallExpression {
  if (!ts.isCallExpression(node)) return false;
  const name = calleeNames(node)[0] ?? '';
  return REGISTRARS.has(name) || helpers.has(name);
}

/** Functions of the tests that register a test whose body they were given: an `it` in them only calls a parameter. */
export function registeringHelpers(files: readonly SourceFile[], asserting: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  for (const file of files) {
    walk(file.tree, (node) => {
      const name = functionName(node);
      if (name === undefined) return;
      const given = parametersOf(node);
      walk(node, (child) => {
        const called = isTest(child) ? [...calledIn(child)] : [];
        // A parameter is not the function of that name which is somewhere else.
        const asserts = called.some((word) => !given.includes(word) && isAssertion(word, asserting));
        if (called.some((word) => given.includes(word)) && !asserts) found.add(name);
      });
    });
  }
  return found;
}

function isTest(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && ['it', 'test'].includes(calleeNames(node)[0] ?? '');
}

function isAssertion(name: string, asserting: ReadonlySet<string>): boolean {
  return /^(expect|assert)/.test(name) || asserting.has(name);
}

function parametersOf(node: ts.Node): string[] {
  const held = ts.isVariableDeclaration(node) || ts.isPropertyAssignment(node) ? node.initializer : node;
  if (held === undefined || !ts.isFunctionLike(held)) return [];
  return held.parameters.map((parameter) => parameter.name.getText());
}

function lineSpan(file: SourceFile, node: ts.Node): number {
  const end = file.tree.getLineAndCharacterOfPosition(node.end).line + 1;
  return end - lineOf(file, node) + 1;
}

/** The lines of a function, without those of the tests that it registers. */
function ownLines(file: SourceFile, node: ts.Node, helpers: ReadonlySet<string>): number {
  let lines = lineSpan(file, node);
  const subtract = (child: ts.Node): void => {
    if (isRegistration(child, helpers)) lines -= lineSpan(file, child) - 1;
    else child.forEachChild(subtract);
  };
  node.forEachChild(subtract);
  return lines;
}

export function longFunctions(file: SourceFile, helpers: ReadonlySet<string> = new Set()): string[] {
  const found: string[] = [];
  walk(file.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const lines = ownLines(file, node, helpers);
    if (lines <= MAX_FUNCTION_LINES) return;
    const name = node.name === undefined ? 'a function' : node.name.getText(file.tree);
    found.push(
      `${file.path}:${String(lineOf(file, node))}: ${name} has ${String(lines)} lines, ${String(MAX_FUNCTION_LINES)} are allowed`,
    );
  });
  return found;
}

export function defaultExports(file: SourceFile): string[] {
  if (/(^|\/)[^/]*\.config\.ts$/.test(file.path)) return [];
  const found: string[] = [];
  for (const statement of file.tree.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    const marked = modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword) === true;
    if (marked || ts.isExportAssignment(statement)) {
      found.push(`${file.path}:${String(lineOf(file, statement))}: a default export; name it`);
    }
  }
  return found;
}

interface BannedCall {
  /** Dotted, as written at the call; `new X` for a constructor. */
  readonly call: string;
  readonly instead: string;
  /** Only when called without arguments: `new Date(ms)` is a conversion, `new Date()` reads the clock. */
  readonly bare?: true;
}

/** What nothing under src/ but base/ may call, with what to use. */
export const BANNED_CALLS: readonly BannedCall[] = [
  { call: 'Date.now', instead: 'a Clock (base/clock.ts)' },
  { call: 'new Date', instead: 'a Clock (base/clock.ts)', bare: true },
  { call: 'performance.now', instead: 'a Clock (base/clock.ts)' },
  { call: 'process.hrtime', instead: 'a Clock (base/clock.ts)' },
  { call: 'process.hrtime.bigint', instead: 'a Clock (base/clock.ts)' },
  { call: 'setTimeout', instead: 'Clock.timer (base/clock.ts)' },
  { call: 'setInterval', instead: 'Clock.timer (base/clock.ts)' },
  { call: 'setImmediate', instead: 'Clock.timer (base/clock.ts)' },
  { call: 'Math.random', instead: 'a Random (base/random.ts)' },
  { call: 'randomUUID', instead: 'uuidFrom or newId (base/ids.ts)' },
  { call: 'randomBytes', instead: 'a Random (base/random.ts)' },
];

export function bannedCalls(file: SourceFile): string[] {
  if (!file.path.startsWith('src/') || file.path.startsWith('src/base/')) return [];
  const found: string[] = [];
  walk(file.tree, (node) => {
    if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return;
    const written = `${ts.isNewExpression(node) ? 'new ' : ''}${node.expression.getText(file.tree)}`;
    const banned = BANNED_CALLS.find(({ call }) => written === call || written.endsWith(`crypto.${call}`));
    if (banned === undefined || (banned.bare === true && (node.arguments?.length ?? 0) > 0)) return;
    found.push(`${file.path}:${String(lineOf(file, node))}: ${banned.call}; use ${banned.instead}`);
  });
  return found;
}

/** Words that must not stand in the sources, as patterns that do not match their own text here. */
const BANNED_WORDS: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /\bTO[D]O\b|\bFIX[M]E\b|\bXX[X]\b/, why: 'do it now, or file an issue' },
  { pattern: /eslint-[d]isable/, why: 'change the code or the rule' },
  { pattern: /@ts-(ignor[e]|expect-erro[r]|nochec[k])/, why: 'mend the type' },
  { pattern: /\bas an[y]\b/, why: 'narrow from unknown' },
  { pattern: /\bexpect\(tru[e]\)/, why: 'assert something about the code' },
  { pattern: /\b(it|test|describe)(\.\w+)*\.onl[y]\(/, why: 'it hides every other test' },
  { pattern: /\b(it|test|describe)(\.\w+)*\.tod[o]\(/, why: 'write the test' },
  {
    pattern: /\b(it|test)(\.\w+)*\.(ski[p]|skipI[f]|runI[f])\(|\bdescribe(\.\w+)*\.(ski[p]|runI[f])\(/,
    why: 'call ctx.skip(reason) in the test, or give the reason in the name of a describe.skipIf, so that the report says why',
  },
];

export function bannedWords(file: SourceFile): string[] {
  return file.text
    .split('\n')
    .flatMap((line, index) =>
      BANNED_WORDS.filter(({ pattern }) => pattern.test(line)).map(
        ({ pattern, why }) => `${file.path}:${String(index + 1)}: ${pattern.exec(line)?.[0] ?? ''}: ${why}`,
      ),
    );
}

/** Functions of the tests that assert something, by name: they call expect or assert, or another such function. */
export function assertingHelpers(files: readonly SourceFile[]): Set<string> {
  const calls = new Map<string, Set<string>>();
  for (const file of files) {
    walk(file.tree, (node) => {
      const name = functionName(node);
      if (name !== undefined) calls.set(name, new Set([...(calls.get(name) ?? []), ...calledIn(node)]));
    });
  }
  const asserting = new Set<string>();
  for (let before = -1; before !== asserting.size;) {
    before = asserting.size;
    for (const [name, called] of calls) {
      if ([...called].some((word) => isAssertion(word, asserting))) asserting.add(name);
    }
  }
  return asserting;
}

function functionName(node: ts.Node): string | undefined {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) {
    return node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : undefined;
  }
  const holdsFunction =
    (ts.isVariableDeclaration(node) || ts.isPropertyAssignment(node)) &&
    node.initializer !== undefined &&
    (ts.isArrowFunction(node.initializer) || ts.isFunctionExpression(node.initializer));
  return holdsFunction && ts.isIdentifier(node.name) ? node.name.text : undefined;
}

function calledIn(node: ts.Node): Set<string> {
  const names = new Set<string>();
  walk(node, (child) => {
    if (ts.isCallExpression(child)) for (const name of calleeNames(child)) names.add(name);
  });
  return names;
}

/** Tests in which nothing is asserted, neither there nor in a helper. */
export function emptyTests(
  file: SourceFile,
  asserting: ReadonlySet<string>,
  helpers: ReadonlySet<string> = new Set(),
): string[] {
  const found: string[] = [];
  walk(file.tree, (node) => {
    if (!isRegistration(node, helpers)) return;
    if (!isTest(node) && !helpers.has(calleeNames(node)[0] ?? '')) return;
    const body = node.arguments.find((argument) => ts.isArrowFunction(argument) || ts.isFunctionExpression(argument));
    if (body === undefined) return;
    const called = calledIn(body);
    const asserts = [...called].some((name) => isAssertion(name, asserting));
    if (asserts || outerParameters(node).some((name) => called.has(name))) return;
    const title = node.arguments[0]?.getText(file.tree) ?? '';
    found.push(`${file.path}:${String(lineOf(file, node))}: the test ${title} asserts nothing`);
  });
  return found;
}

/** Parameters of the functions around a node: a test that calls one has its body from where that function is called. */
function outerParameters(node: ts.Node): string[] {
  const names: string[] = [];
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isFunctionLike(at)) names.push(...parametersOf(at));
  }
  return names;
}

/** Files that no root leads to by imports. */
export function unreachable(files: readonly SourceFile[], isRoot: (path: string) => boolean): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const seen = new Set<string>();
  const queue = files.filter((file) => isRoot(file.path));
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file.path)) continue;
    seen.add(file.path);
    for (const target of relativeImports(file)) {
      const next = byPath.get(target);
      if (next !== undefined) queue.push(next);
    }
  }
  return files.filter((file) => !seen.has(file.path)).map((file) => `${file.path}: nothing leads to it`);
}

/** Where each golden file's folder is named in a test: a golden file that no test compares proves nothing. */
export function unusedGolden(golden: readonly string[], tests: readonly SourceFile[]): string[] {
  const text = tests.map((file) => file.text).join('\n');
  return golden
    .filter((path) => {
      const name = basename(path);
      const stem = name.replace(/\.[a-z0-9]+$/, '');
      const part = basename(dirname(path));
      return !(
        text.includes(part) &&
        (text.includes(name) || text.includes(`'${stem}'`) || text.includes(`\`${stem}`))
      );
    })
    .map((path) => `${path}: no test names it`);
}
