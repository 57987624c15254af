/** One figure of a benchmark. */
export interface BenchRow {
  /** `bench.figure`, for instance `journal.commits-at-16`. */
  readonly name: string;
  readonly value: number;
  /** ms, us, 1/s, x (a ratio), MiB ... */
  readonly unit: string;
  /** The same figure of the baseline, measured in the same run; absent where there is none to compare with. */
  readonly baseline?: number;
  /** value / baseline. */
  readonly ratio?: number;
  /** What is aimed at, in words: `<= 1.15 x`, `>= 2000 1/s`. */
  readonly goal?: string;
  readonly met?: boolean;
  /** What a reader must know to judge the figure: sizes, counts, why there is none. */
  readonly note?: string;
}

/** What a row is made of; ratio and met are worked out. `of` says what the bound is on. */
export interface BenchFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: number;
  readonly goal?: { readonly of: 'value' | 'ratio'; readonly atMost?: number; readonly atLeast?: number };
  readonly note?: string;
}

/** What each test/bench/*.bench.ts exports as `bench`. A CloudError or Error is reported as a figure that could not be had. */
export type Bench = (context: BenchContext) => Promise<readonly BenchRow[]>;

export interface BenchContext {
  /** Says what is going on (to stderr), so that a long benchmark is not a silent one. */
  progress(text: string): void;
}

/** A row from a figure: ratio = value / baseline, met = the goal's bound holds. */
export function benchRow(figure: BenchFigure): BenchRow {
  const { name, value, unit, baseline, goal, note } = figure;
  const ratio = baseline === undefined || baseline === 0 ? undefined : value / baseline;
  const judged = goal?.of === 'ratio' ? ratio : value;
  const bound = goal?.of === 'ratio' ? 'x' : unit;
  return {
    name,
    value,
    unit,
    ...(baseline !== undefined && { baseline }),
    ...(ratio !== undefined && { ratio }),
    ...(goal !== undefined && { goal: goalText(goal, bound), met: holds(goal, judged) }),
    ...(note !== undefined && { note }),
  };
}

type Goal = NonNullable<BenchFigure['goal']>;

function goalText(goal: Goal, unit: string): string {
  const bounds: string[] = [];
  if (goal.atMost !== undefined) bounds.push(`<= ${String(goal.atMost)} ${unit}`);
  if (goal.atLeast !== undefined) bounds.push(`>= ${String(goal.atLeast)} ${unit}`);
  return bounds.join(', ');
}

function holds(goal: Goal, judged: number | undefined): boolean {
  if (judged === undefined || !Number.isFinite(judged)) return false;
  return judged <= (goal.atMost ?? Infinity) && judged >= (goal.atLeast ?? -Infinity);
}
