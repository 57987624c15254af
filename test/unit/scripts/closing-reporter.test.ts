import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const CONFIG = `
import { ClosingReporter } from '${ROOT}/test/support/closing-reporter.ts';
export default { test: { globals: true, include: ['*.test.ts'], reporters: [new ClosingReporter()] } };
`;

/** Runs vitest, with our reporter alone, over the given test files in a folder of their own. */
function runTests(files: Record<string, string>): { lines: string[]; code: number; closing: string } {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-reporter-'));
  try {
    writeFileSync(join(dir, 'vitest.config.ts'), CONFIG);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { CLOSING_LINE_FILE: _outer, TEST_CANARIES_DIR: _watch, ...env } = process.env;
    const run = (extra: Record<string, string>): { stdout: string; code: number } => {
      const options = { encoding: 'utf8', stdio: 'pipe', env: { ...env, ...extra } } as const;
      try {
        const stdout = execFileSync(process.execPath, [vitest, 'run', '--root', dir], options);
        return { stdout, code: 0 };
      } catch (error) {
        const { stdout, status } = error as { stdout: string; status: number };
        return { stdout, code: status };
      }
    };
    const { stdout, code } = run({});
    const file = join(dir, 'closing');
    run({ CLOSING_LINE_FILE: file });
    return { lines: stdout.trimEnd().split('\n'), code, closing: readFileSync(file, 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('the closing reporter', () => {
  it('names the skipped with their reasons, counts real and simulated, and closes with one line', () => {
    const { lines, code, closing } = runTests({
      'a.test.ts': `it('one [real]', () => { expect(1).toBe(1); });
        it('two [sim]', () => { expect(1).toBe(1); });
        it('three [real]', (ctx) => { ctx.skip('no KVM here'); });
        describe.skipIf(true)('four: no disk', () => { it('five', () => { expect(1).toBe(1); }); });`,
    });
    expect(lines.slice(-4)).toEqual([
      'skipped: a.test.ts > three [real]: no KVM here',
      'skipped: a.test.ts > four: no disk > five: its suite says why',
      'real: 1, simulated: 1',
      '2 passed, 0 failed, 2 skipped',
    ]);
    expect(code).toBe(0);
    expect(closing).toBe('2 passed, 0 failed, 2 skipped\n');
  });

  it('counts what broke outside of tests as failures', () => {
    const { lines, code } = runTests({
      'hook.test.ts': `describe('hosts', () => { beforeAll(() => { throw new Error('no host'); });
        describe('inner', () => { it('needs a host', () => { expect(1).toBe(1); }); }); });`,
      'import.test.ts': `import './not-there.ts'; it('never runs', () => { expect(1).toBe(1); });`,
      'loose.test.ts': `it('passes', () => { expect(1).toBe(1); setTimeout(() => { throw new Error('afterwards'); }, 0); });
        it('waits', async () => { await new Promise((r) => setTimeout(r, 100)); expect(1).toBe(1); });`,
      'fails.test.ts': `it('falls', () => { expect(1).toBe(2); });`,
    });
    const failed = lines.filter((line) => line.startsWith('failed: '));
    expect(failed).toHaveLength(4);
    expect(failed.join('\n')).toMatch(/no host/);
    expect(failed.join('\n')).toMatch(/afterwards/);
    expect(lines).toContain('skipped: hook.test.ts > hosts > inner > needs a host: a hook of its suite failed');
    expect(lines.at(-1)).toBe('2 passed, 4 failed, 1 skipped');
    expect(code).toBe(1);
  });

  it('fails a run in which nothing ran', () => {
    const { lines, code } = runTests({ 'a.test.ts': `it('one', (ctx) => { ctx.skip('nothing here'); });` });
    expect(lines.at(-1)).toBe('0 passed, 0 failed, 1 skipped');
    expect(code).toBe(1);
  });
});
