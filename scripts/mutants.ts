import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * npm run sim:mutants [-- NAME...] [--seeds N] [--first-seed S] [--check]: does the simulation see what it is for? Each patch of test/simulation/mutants breaks the
 * source in one way, on a copy; the seed that its patch names is played on it, or seeds from S (1) on until one finds out. --check only says whether each patch still applies.
 * Exits 1 when a mutant survives, or when its patch does not apply any more.
 */
const ROOT = join(import.meta.dirname, '..');
const PATCHES = join(ROOT, 'test', 'simulation', 'mutants');
const JOBS = 2;
const FOUND = /^seed (\d+): (.*)$/m;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Verdict {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
}

interface Options {
  readonly seeds: string;
  readonly first: string | undefined;
  readonly check: boolean;
}

function known(): string[] {
  return readdirSync(PATCHES)
    .filter((file) => file.endsWith('.patch'))
    .map((file) => file.slice(0, -'.patch'.length))
    .sort();
}

/** The patch's own words on why not; undefined when it was applied. */
function apply(dir: string, name: string, args: readonly string[] = []): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    'patch',
    ['-p1', '--batch', '--fuzz=2', ...args, '-i', join(PATCHES, `${name}.patch`)],
    {
      cwd: dir,
      encoding: 'utf8',
    },
  );
  return status === 0 ? undefined : `${stdout}${stderr}`.trim().split('\n').join('; ');
}

function copy(): string {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-mutant-'));
  for (const path of ['src', 'scripts', 'package.json', 'test/simulation', 'test/support']) {
    cpSync(join(ROOT, path), join(dir, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

/** What the lines above its patch say: in which world it can be seen (one process is the default), and by which seed it was. */
function headOf(name: string): { readonly world: string; readonly seed: string | undefined } {
  const text = readFileSync(join(PATCHES, `${name}.patch`), 'utf8');
  return { world: /^world: (\w+)$/m.exec(text)?.[1] ?? 'one', seed: /^seed: (\d+)$/m.exec(text)?.[1] };
}

function play(dir: string, world: string, seeds: string, first: string): Promise<string> {
  const args = [
    'scripts/sim.ts',
    '--world',
    world,
    '--seeds',
    seeds,
    '--first-seed',
    first,
    '--jobs',
    '1',
    '--no-shrink',
    '--until-violation',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    // Progress is of no interest; what it dies of is.
    child.stderr.on('data', (chunk: Buffer) => (out += /^sim: /.test(chunk.toString()) ? '' : chunk.toString()));
    child.on('error', reject);
    child.on('exit', () => resolve(out));
  });
}

async function judge(name: string, options: Options): Promise<Verdict> {
  if (options.check) {
    const problem = apply(ROOT, name, ['--dry-run']);
    return {
      name,
      ok: problem === undefined,
      text: problem === undefined ? `applies ${name}` : `DOES NOT APPLY ${name}: ${problem}`,
    };
  }
  const dir = copy();
  try {
    const problem = apply(dir, name);
    if (problem !== undefined) return { name, ok: false, text: `DOES NOT APPLY ${name}: ${problem}` };
    const { world, seed } = headOf(name);
    const { seeds, first } = options;
    // The seed that is known first: it is often enough.
    let out = seed === undefined || first !== undefined ? '' : await play(dir, world, '1', seed);
    if (!FOUND.test(out)) out = await play(dir, world, seeds, first ?? '1');
    const [, by = '', what = ''] = FOUND.exec(out) ?? [];
    if (by !== '')
      return { name, ok: true, text: `killed ${name} by seed ${by} of world ${world} (${what.slice(0, 160)})` };
    const played = /(\d+) seeds, 0 violations/.exec(out);
    if (played !== null) return { name, ok: false, text: `SURVIVED ${name}: ${played[1] ?? ''} seeds saw nothing` };
    return { name, ok: false, text: `BROKEN ${name}: ${out.trim().slice(-500)}` };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '1500' },
      'first-seed': { type: 'string' },
      check: { type: 'boolean', default: false },
    },
  });
  const names = known().filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
  const verdicts: Verdict[] = [];
  const waiting = [...names];
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const verdict = await judge(name, { seeds: values.seeds, first: values['first-seed'], check: values.check });
      verdicts.push(verdict);
      say(verdict.text);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  const bad = verdicts.filter(({ ok }) => !ok).length;
  say(`${verdicts.length} mutants, ${verdicts.length - bad} ${values.check ? 'apply' : 'killed'}, ${bad} not`);
  process.exitCode = bad === 0 && verdicts.length > 0 ? 0 : 1;
}

await main();
