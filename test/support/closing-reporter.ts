import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import { CANARY_DIR_VARIABLE, canaryFindings } from './canary-watch.ts';

/** What a run came to. `failures` are the names; `skips` carry the reason that the test gave. */
export interface RunSummary {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly skips: readonly { readonly name: string; readonly reason: string }[];
  /** Tests that ran (not the skipped ones) against the real thing and on the simulated driver. */
  readonly real: number;
  readonly sim: number;
}

/**
 * Counts a finished run. A file or suite that broke outside its tests (at import, in a hook) and an error that no test
 * caught are failures of their own: they must not hide behind tests that never ran.
 */
export function summarise(modules: readonly TestModule[], unhandled: readonly SerializedError[]): RunSummary {
  const failures: string[] = unhandled.map((error) => `(outside any test) ${firstLine(error.message)}`);
  const skips: { name: string; reason: string }[] = [];
  let passed = 0;
  let real = 0;
  let sim = 0;
  for (const module of modules) {
    const where = module.relativeModuleId;
    for (const error of module.errors()) failures.push(`${where}: ${firstLine(error.message)}`);
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) failures.push(`${where} > ${suite.fullName}: ${firstLine(error.message)}`);
    }
    for (const test of module.children.allTests()) {
      const result = test.result();
      const name = `${where} > ${test.fullName}`;
      if (result.state === 'passed') passed += 1;
      else if (result.state === 'failed') failures.push(name);
      else skips.push({ name, reason: skipReason(test) });
      if (result.state !== 'passed' && result.state !== 'failed') continue;
      if (test.fullName.includes('[real]')) real += 1;
      if (test.fullName.includes('[sim]')) sim += 1;
    }
  }
  return { passed, failures, skips, real, sim };
}

const NO_REASON = 'gave no reason';
const SUITE_SAYS = 'its suite says why';

/** The one line that CI reads. */
export function closingLine(summary: RunSummary): string {
  return `${String(summary.passed)} passed, ${String(summary.failures.length)} failed, ${String(summary.skips.length)} skipped`;
}

/** A test says why by ctx.skip(reason), a suite by its name (describe.skipIf); a hook that failed is a failure of its own. */
function skipReason(test: TestCase): string {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return result.note;
  const suites = suitesAround(test);
  if (suites.some((suite) => suite.errors().length > 0)) return 'a hook of its suite failed';
  if (suites.some((suite) => suite.options.mode === 'skip')) return SUITE_SAYS;
  return result.state === 'pending' ? 'it was not reached' : NO_REASON;
}

function suitesAround(test: TestCase): TestSuite[] {
  const suites: TestSuite[] = [];
  for (let at = test.parent; at.type === 'suite'; at = at.parent) suites.push(at);
  return suites;
}

function firstLine(text: string | undefined): string {
  return (text ?? 'unknown error').split('\n')[0] ?? '';
}

/** What the watch of `global-canaries.ts` has seen of the tests' secrets. */
function secretsSeen(): string[] {
  const dir = process.env[CANARY_DIR_VARIABLE];
  return dir === undefined ? [] : canaryFindings(dir).map((finding) => `a secret was seen: ${finding}`);
}

/**
 * Prints every skipped test with its reason, the counts of [real] and [sim], and the closing line; fails a run in which
 * nothing passed or failed. With CLOSING_LINE_FILE set to a file the closing line goes there, and the script that set it
 * prints it when all else has been said.
 */
export class ClosingReporter implements Reporter {
  /** Tests were selected by name (-t): the others are skipped without a reason, and nobody wants to read their names. */
  #selected = false;

  onInit(vitest: Vitest): void {
    this.#selected = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const counted = summarise(modules, unhandled);
    const summary = { ...counted, failures: [...counted.failures, ...secretsSeen()] };
    const named = this.#selected
      ? summary.skips.filter(({ reason }) => reason !== NO_REASON && reason !== SUITE_SAYS)
      : summary.skips;
    const lines = named.map(({ name, reason }) => `skipped: ${name}: ${reason}`);
    for (const name of summary.failures) lines.push(`failed: ${name}`);
    lines.push(`real: ${String(summary.real)}, simulated: ${String(summary.sim)}`);
    const empty = summary.passed === 0 && summary.failures.length === 0;
    if (empty) lines.push('no test ran: that is a failure');
    if (empty || summary.failures.length > 0) process.exitCode = 1;
    const closing = process.env.CLOSING_LINE_FILE;
    if (closing === undefined) lines.push(closingLine(summary));
    else writeFileSync(closing, `${closingLine(summary)}\n`);
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}
