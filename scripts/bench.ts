import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Bench, BenchRow } from '../test/bench/bench-row.ts';

/**
 * npm run bench [-- NAME...] [--json] [--list]: runs test/bench/NAME.bench.ts (all but scale, when none is named), one after the other.
 * stdout has the figures: a table, or with --json one JSON object a line. stderr has what is going on.
 * Exits 1 when a benchmark broke, 2 on bad arguments; a goal that is not met is shown and is no failure, since machines differ.
 */
const FOLDER = join(import.meta.dirname, '..', 'test', 'bench');
const SUFFIX = '.bench.ts';
/** Run only when they are named: they have a machine for themselves for many minutes. */
const ALONE = new Set(['scale']);

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function known(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

async function load(name: string): Promise<Bench> {
  const module: unknown = await import(pathToFileURL(join(FOLDER, `${name}${SUFFIX}`)).href);
  const bench = (module as { bench?: unknown }).bench;
  if (typeof bench !== 'function') throw new Error(`test/bench/${name}${SUFFIX} exports no function named bench`);
  return bench as Bench;
}

async function run(name: string): Promise<readonly BenchRow[] | undefined> {
  const started = process.hrtime.bigint();
  say(`${name} ...`);
  try {
    const bench = await load(name);
    const rows = await bench({ progress: (text) => say(`  ${text}`) });
    say(`${name}: ${String(rows.length)} figures in ${(Number(process.hrtime.bigint() - started) / 1e9).toFixed(1)} s`);
    return rows;
  } catch (error) {
    say(`${name} broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return undefined;
  }
}

/** Three significant digits, without exponents. */
function digits(value: number | undefined): string {
  if (value === undefined) return '-';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function table(rows: readonly BenchRow[]): string {
  const head = ['name', 'value', 'unit', 'baseline', 'ratio', 'goal', 'met', 'note'];
  const body = rows.map((row) => [
    row.name,
    digits(row.value),
    row.unit,
    digits(row.baseline),
    digits(row.ratio),
    row.goal ?? '-',
    row.met === undefined ? '-' : row.met ? 'yes' : 'NO',
    row.note ?? '',
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...body.map((cells) => (cells[column] ?? '').length)),
  );
  const numeric = new Set([1, 3, 4]);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        numeric.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [head, ...body].map(line).join('\n');
}

/** Every line has the same keys; what a figure has not is null. */
function jsonLine({ name, value, unit, baseline, ratio, goal, met, note }: BenchRow): string {
  const none = null;
  return JSON.stringify({
    ...{ name, value, unit, baseline: baseline ?? none, ratio: ratio ?? none, goal: goal ?? none, met: met ?? none },
    ...(note !== undefined && { note }),
  });
}

async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((word) => word.startsWith('-'));
  const strange = flags.find((word) => word !== '--json' && word !== '--list');
  if (strange !== undefined) {
    say(`unknown option ${strange}; there are --json and --list`);
    return 2;
  }
  const all = known();
  if (flags.includes('--list')) {
    process.stdout.write(`${all.join('\n')}\n`);
    return 0;
  }
  const asked = args.filter((word) => !word.startsWith('-'));
  const unknown = asked.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    say(`no benchmark named ${unknown.join(', ')}; there are: ${all.join(', ')}`);
    return 2;
  }
  const names = asked.length > 0 ? asked : all.filter((name) => !ALONE.has(name));
  const json = flags.includes('--json');
  say(`node ${process.version}, ${String(cpus().length)} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  const rows: BenchRow[] = [];
  let broken = 0;
  for (const name of names) {
    const found = await run(name);
    if (found === undefined) broken += 1;
    for (const row of found ?? []) {
      rows.push(row);
      if (json) process.stdout.write(`${jsonLine(row)}\n`);
    }
  }
  if (!json) process.stdout.write(`${table(rows)}\n`);
  return broken > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
