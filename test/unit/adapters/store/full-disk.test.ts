import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDir } from './open-store.ts';

const CHILD = path.join(import.meta.dirname, 'full-disk-child.ts');

interface Report {
  readonly refused: { acked: number; code: string };
  readonly release: boolean;
  readonly full: { acked: number; code: string };
  readonly after: { acked: number; code: string };
  readonly recovered: string[];
  readonly goesOn: boolean;
}

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly problem: string;
}

/** Runs the child with a tmpfs of its own, in a mount namespace that ends with it. */
function onSmallDisk(mount: string, argv: readonly string[]): Run {
  const script = 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"';
  const run = spawnSync('unshare', ['-m', 'sh', '-c', script, mount, ...argv], { encoding: 'utf8', timeout: 60_000 });
  return { status: run.status, stdout: run.stdout, problem: run.error?.message ?? run.stderr.trim() };
}

describe('file store: a disk that is full', () => {
  it(
    'stops short of the end, poisons itself at the end, and comes back whole [real]',
    { timeout: 90_000 },
    async (context) => {
      const mount = await scratchDir();
      const probe = onSmallDisk(mount, ['true']);
      if (probe.status !== 0) context.skip(`no tmpfs can be mounted here (needs root): ${probe.problem}`);
      const run = onSmallDisk(mount, [process.execPath, CHILD, mount]);
      expect(run.problem).toBe('');
      const report = JSON.parse(run.stdout) as Report;
      expect(report.refused.code).toBe('Unavailable');
      expect(report.refused.acked).toBeGreaterThan(50);
      expect(report.release).toBe(true);
      expect(report.full.code).toBe('StoragePoisoned');
      expect(report.after).toEqual({ acked: 0, code: 'StoragePoisoned' });
      const names = Array.from({ length: report.full.acked }, (_, n) => `k${String(n).padStart(5, '0')}`);
      expect(report.recovered.slice(0, names.length)).toEqual(names);
      expect(report.recovered.length - names.length).toBeLessThanOrEqual(1);
      expect(report.goesOn).toBe(true);
    },
  );
});
