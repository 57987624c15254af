import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** One that has ended and that nobody has waited for yet does not run any more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Runs .ci/run in a folder whose npm does, for each script, what the given lines of sh say. */
function ciRun(scripts: Record<string, string>): { lines: string[]; code: number; called: string[] } {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-ci-'));
  try {
    mkdirSync(join(dir, '.ci'));
    mkdirSync(join(dir, 'bin'));
    cpSync(join(ROOT, '.ci/run'), join(dir, '.ci/run'));
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ scripts }));
    const cases = Object.entries(scripts).map(([name, line]) => `${name}) ${line} ;;`);
    // Called as: npm run --silent NAME
    writeFileSync(
      join(dir, 'bin/npm'),
      `#!/bin/sh\necho "$3" >>${dir}/called\ncase $3 in\n${cases.join('\n')}\nesac\n`,
    );
    chmodSync(join(dir, 'bin/npm'), 0o755);
    const options = {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${dir}/bin:${process.env.PATH ?? ''}` },
      stdio: 'pipe',
    } as const;
    let stdout: string;
    let code = 0;
    try {
      stdout = execFileSync('bash', [join(dir, '.ci/run')], options);
    } catch (error) {
      ({ stdout, status: code } = error as { stdout: string; status: number });
    }
    return {
      lines: stdout.trimEnd().split('\n'),
      code,
      called: readFileSync(join(dir, 'called'), 'utf8').trim().split('\n'),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('.ci/run', () => {
  it('sums the tiers that there are', () => {
    const { lines, code, called } = ciRun({
      lint: 'echo clean',
      test: "echo '12 passed, 0 failed, 1 skipped'",
      'test:system': "echo '3 passed, 0 failed, 2 skipped'",
    });
    expect(called).toEqual(['lint', 'test', 'test:system']);
    expect(lines.at(-1)).toBe('15 passed, 0 failed, 3 skipped');
    expect(code).toBe(0);
  });

  it('goes on after a failed part, counts it, and fails', () => {
    const { lines, code, called } = ciRun({
      lint: 'echo dirty; exit 1',
      test: "echo '12 passed, 2 failed, 0 skipped'; exit 1",
      'test:system': "echo '3 passed, 0 failed, 0 skipped'; exit 7",
    });
    expect(called).toEqual(['lint', 'test', 'test:system']);
    expect(lines.at(-1)).toBe('15 passed, 4 failed, 0 skipped');
    expect(lines).toContain('npm run test:system failed (exit 7)');
    expect(code).toBe(1);
  });

  it('does not take the word of a tier that ends without its closing line', () => {
    const { lines, code } = ciRun({ lint: ':', test: 'echo all good' });
    expect(lines.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
    expect(lines).toContain('npm run test ended without its closing line');
    expect(code).toBe(1);
  });

  it('ends a process that a tier left behind, names it, and counts it [real]', async () => {
    const { lines, code } = ciRun({ lint: ':', test: "sleep 321 & echo '1 passed, 0 failed, 0 skipped'" });
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
    const left = lines.find((line) => line.includes('sleep 321')) ?? '';
    expect(left).toMatch(/^left behind: process \d+: sleep 321/);
    expect(code).toBe(1);
    const pid = Number(/process (\d+)/.exec(left)?.[1]);
    // It was told to end, and does so in its own time.
    await until(() => !isRunning(pid), { what: 'the process is gone' });
  });
});
