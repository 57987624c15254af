import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wordSecret } from './secret-spellings.ts';

/** Names the folder in which a run of tests keeps what it has for secrets and where it looks for them. */
export const CANARY_DIR_VARIABLE = 'TEST_CANARIES_DIR';

/** Files of that folder, one JSON a line. */
export const SECRETS = 'secrets';
export const HEARD = 'heard';
export const FINDINGS = 'findings';
const ARGV = 'argv';
const ROUNDS = 'rounds';

export interface KnownSecret {
  readonly name: string;
  readonly word: string;
  readonly test: string;
}

export interface Heard {
  readonly where: string;
  readonly test: string;
  readonly text: string;
}

interface Finding {
  readonly where: string;
  readonly test: string;
  readonly name: string;
}

const EVERY_MS = 300;
const ENOUGH_BYTES = 256 * 1024 * 1024;

/** Looks at the argument lists of all processes while tests run, and says at the end where secrets were seen. */
export class CanaryWatch {
  readonly dir = mkdtempSync(join(tmpdir(), 'nv-canaries-'));
  readonly #child: ChildProcess;

  constructor() {
    for (const name of [SECRETS, HEARD, FINDINGS, ARGV]) writeFileSync(join(this.dir, name), '', { mode: 0o600 });
    // A process of its own: a busy test is no gap.
    const argv = [import.meta.filename, 'sample', this.dir];
    this.#child = spawn(process.execPath, argv, { stdio: ['pipe', 'ignore', 'inherit'] });
    this.#child.unref();
  }

  /** How often it has looked. */
  rounds(): number {
    const path = join(this.dir, ROUNDS);
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  }

  /** Removes what it kept. */
  close(): void {
    this.#child.kill('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const linesOf = <T>(dir: string, name: string): T[] => {
  const path = join(dir, name);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter(Boolean).map((line) => JSON.parse(line) as T);
};

/** Line numbers and words, as grep finds all the words in one go. */
function matches(dir: string, file: string, words: readonly string[]): { line: number; word: string }[] {
  if (words.length === 0) return [];
  const patterns = join(dir, 'patterns');
  writeFileSync(patterns, words.join('\n'), { mode: 0o600 });
  // The second file is empty. Grep ends with 1 when it finds nothing.
  const script = 'grep -aonF -f "$1" "$2" || [ $? -eq 1 ]';
  const options = { encoding: 'utf8', maxBuffer: ENOUGH_BYTES } as const;
  const found = execFileSync('sh', ['-c', script, 'sh', patterns, join(dir, file)], options);
  rmSync(patterns);
  return found
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, number = '', word = ''] = /^(\d+):(.*)$/.exec(line) ?? [];
      return { line: Number(number), word };
    });
}

/** Where secrets were seen: one line each, with the test that has the secret or heard it; never the secret. */
export function canaryFindings(dir: string): string[] {
  const owners = new Map<string, string>();
  for (const { name, word, test } of linesOf<KnownSecret>(dir, SECRETS))
    for (const spelling of wordSecret(name, word).spellings) owners.set(spelling, `${name} of ${test}`);
  const words = [...owners.keys()];
  const hidden = (text: string): string => words.reduce((rest, word) => rest.replaceAll(word, '***'), text);
  const found = <T>(file: string, show: (line: T) => string): string[] => {
    const hits = matches(dir, file, words);
    const lines = hits.length === 0 ? [] : linesOf<T>(dir, file);
    return hits.flatMap(({ line, word }) => {
      const whole = lines[line - 1];
      return whole === undefined ? [] : [`${owners.get(word) ?? 'a secret'} in ${hidden(show(whole)).slice(0, 300)}`];
    });
  };
  const findings = [
    ...linesOf<Finding>(dir, FINDINGS).map(({ where, test, name }) => `${name} of ${test} in ${where}`),
    ...found<Heard>(HEARD, ({ where, test }) => `${where} (${test})`),
    ...found<string[]>(ARGV, (argv) => `an argument list: ${argv.join(' ')}`),
  ];
  return [...new Set(findings)].toSorted();
}

function argvOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** Writes down each argument list once. A process is read until it has shown the same twice: it may be about to become another program. */
function sample(dir: string): void {
  const settled = new Map<string, string | undefined>();
  const written = new Set<string>();
  let rounds = 0;
  const look = (): void => {
    if (!existsSync(dir)) process.exit(0);
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const lines: string[] = [];
    for (const pid of pids) {
      const before = settled.get(pid);
      if (settled.has(pid) && before === undefined) continue;
      const text = argvOf(pid);
      if (text === undefined) continue;
      settled.set(pid, before === text ? undefined : text);
      if (text === '' || written.has(text)) continue;
      written.add(text);
      lines.push(`${JSON.stringify(text.split('\0').slice(0, -1))}\n`);
    }
    const alive = new Set(pids);
    for (const pid of settled.keys()) if (!alive.has(pid)) settled.delete(pid);
    if (lines.length > 0) appendFileSync(join(dir, ARGV), lines.join(''));
    rounds += 1;
    writeFileSync(join(dir, ROUNDS), String(rounds));
  };
  look();
  setInterval(look, EVERY_MS);
  // Whoever started it is gone.
  process.stdin.resume().once('end', () => process.exit(0));
}

const [, program, verb, folder] = process.argv;
if (program === import.meta.filename && verb === 'sample' && folder !== undefined) sample(folder);
