import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Result } from '../test/simulation/run-plan.ts';
import { failureText, shrink } from '../test/simulation/shrink.ts';
import type { World } from '../test/simulation/worlds.ts';
import { scriptFor, WORLDS } from '../test/simulation/worlds.ts';

/**
 * npm run sim [-- --world one|many|both] [--seeds N] [--first-seed S] [--verbose] [--jobs N] [--until-violation]: plays N seeds of the simulation. Each is a whole life of a cloud: plan,
 * faults, checks. The last line of stdout has the figures. --keep I,J plays only these steps of a plan, as a failure's text says.
 * Exits 1 when an invariant broke, 2 on bad arguments. A failure is printed with its steps shrunk to those that are needed.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Options {
  readonly worlds: readonly World[];
  readonly seeds: number;
  readonly first: number;
  readonly verbose: boolean;
  readonly untilViolation: boolean;
  readonly noShrink: boolean;
  readonly jobs: number;
  readonly part: number;
  readonly keep: readonly number[] | undefined;
}

interface Figures {
  seeds: number;
  violations: number;
  virtualMs: number;
  events: number;
  lives: number;
  acknowledged: number;
  transactions: number;
}

const NONE: Figures = { seeds: 0, violations: 0, virtualMs: 0, events: 0, lives: 0, acknowledged: 0, transactions: 0 };

function whole(name: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min) return value;
  say(`sim: --${name} must be a whole number, ${min} or more; it is ${JSON.stringify(text)}`);
  process.exit(2);
}

function worldsOf(text: string): readonly World[] {
  const worlds = WORLDS.filter((world) => world === text || text === 'both');
  if (worlds.length > 0) return worlds;
  say(`sim: --world must be one, many or both; it is ${JSON.stringify(text)}`);
  process.exit(2);
}

function optionsOf(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      world: { type: 'string', default: 'one' },
      seeds: { type: 'string', default: '100' },
      'first-seed': { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      part: { type: 'string', default: '0' },
      keep: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      'until-violation': { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
    },
  });
  return {
    worlds: worldsOf(values.world),
    seeds: whole('seeds', values.seeds, 1),
    first: whole('first-seed', values['first-seed'], 0),
    jobs: whole('jobs', values.jobs, 1),
    part: whole('part', values.part, 0),
    verbose: values.verbose,
    untilViolation: values['until-violation'],
    noShrink: values['no-shrink'],
    keep:
      values.keep === undefined
        ? undefined
        : values.keep
            .split(',')
            .filter(Boolean)
            .map((text) => whole('keep', text, 0)),
  };
}

function add(figures: Figures, result: Result): void {
  figures.seeds += 1;
  figures.violations += result.violation === undefined ? 0 : 1;
  figures.virtualMs += result.virtualMs;
  figures.events += result.events;
  figures.lives += result.lives;
  figures.acknowledged += result.acknowledged;
  figures.transactions += result.transactions;
}

/** Every jobs-th seed, from the one whose number is `part`. */
async function playPart(options: Options): Promise<Figures> {
  const figures = { ...NONE };
  for (let index = options.part; index < options.seeds; index += options.jobs) {
    for (const world of options.worlds) {
      const result = await scriptFor(world, options.first + index).play(options.keep);
      add(figures, result);
      await tell(world, result, options, figures.violations);
      if (figures.seeds % 100 === 0) say(`sim: ${figures.seeds} seeds played, ${figures.violations} violations`);
    }
    if (options.untilViolation && figures.violations > 0) break;
  }
  return figures;
}

async function tell(world: World, result: Result, options: Options, violations: number): Promise<void> {
  const { seed, violation } = result;
  if (violation !== undefined) {
    if (options.noShrink || options.keep !== undefined || violations > 3)
      process.stdout.write(`seed ${seed}: ${violation.invariant}: ${violation.message}\n`);
    else process.stdout.write(`${failureText(world, seed, await shrink(world, seed, result))}\n`);
  }
  if (options.verbose) process.stdout.write(`${result.lines.join('\n')}\nseed ${seed}: digest ${result.digest}\n`);
}

function sum(parts: readonly Figures[]): Figures {
  const total = { ...NONE };
  for (const part of parts) for (const key of Object.keys(NONE) as (keyof Figures)[]) total[key] += part[key];
  return total;
}

/** The other parts, each in a process of its own. */
function forkPart(argv: readonly string[], part: number): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [...argv, '--part', String(part)]);
    let figures: Figures | undefined;
    child.on('message', (message) => (figures = message as Figures));
    child.on('error', reject);
    child.on('exit', (code) => {
      if (figures !== undefined) resolve(figures);
      else reject(new Error(`a process of the simulation ended with ${String(code)}`));
    });
  });
}

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const options = optionsOf(argv);
  if (process.send !== undefined && options.part > 0) {
    process.send(await playPart(options));
    process.disconnect();
    return;
  }
  const began = performance.now();
  const jobs = Math.min(options.jobs, options.seeds);
  const others = Array.from({ length: jobs - 1 }, (_, index) => forkPart([...argv, '--jobs', String(jobs)], index + 1));
  const all = sum(await Promise.all([playPart({ ...options, jobs }), ...others]));
  const tookS = (performance.now() - began) / 1000;
  const figures = [
    `${(all.seeds / tookS).toFixed(1)} seeds/s`,
    `${(all.virtualMs / all.seeds / 1000).toFixed(0)} s of virtual time a seed`,
    `${all.lives} lives`,
    `${all.acknowledged} answers`,
    `${all.transactions} transactions`,
    `${all.events} events`,
    `${tookS.toFixed(1)} s`,
  ];
  process.stdout.write(`${all.seeds} seeds, ${all.violations} violations, ${figures.join(', ')}\n`);
  process.exitCode = all.violations === 0 ? 0 : 1;
}

await main();
