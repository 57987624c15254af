import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../support/source-tree.ts';
import { WORLDS, scriptFor } from './worlds.ts';

const SEEDS = 300;
/** Each is the life of five processes. */
const CLUSTER_SEEDS = 40;

/** The program's output and exit code. */
function run(script: string, args: readonly string[]): Promise<{ out: string; code: number | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(REPOSITORY, 'scripts', script), ...args], { cwd: REPOSITORY });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.on('error', reject);
    child.on('exit', (code) => resolve({ out, code }));
  });
}

describe('the simulation', () => {
  it(`[sim] finds every invariant kept in seeds 1 to ${SEEDS}`, { timeout: 300_000 }, async () => {
    const { out, code } = await run('sim.ts', ['--seeds', String(SEEDS)]);
    expect(out).toContain(`${SEEDS} seeds, 0 violations`);
    expect(code).toBe(0);
  });

  it(
    `[sim] finds every invariant kept by three controllers and two workers in seeds 1 to ${CLUSTER_SEEDS}`,
    { timeout: 300_000 },
    async () => {
      const { out, code } = await run('sim.ts', ['--world', 'many', '--seeds', String(CLUSTER_SEEDS)]);
      expect(out).toContain(`${CLUSTER_SEEDS} seeds, 0 violations`);
      expect(code).toBe(0);
    },
  );

  it.each(WORLDS)(
    '[sim] writes the same history for the same seed, and another for another, in the world of %s',
    async (world) => {
      const digests = [];
      for (const seed of [7, 31, 31, 148, 148]) digests.push((await scriptFor(world, seed).play()).digest);
      expect(digests[1]).toBe(digests[2]);
      expect(digests[3]).toBe(digests[4]);
      expect(new Set(digests).size).toBe(3);
    },
  );

  it(
    '[sim] has mutants of the source that still apply; npm run sim:mutants plays them',
    { timeout: 60_000 },
    async () => {
      const { out, code } = await run('mutants.ts', ['--check']);
      expect(out).toMatch(/^\d\d mutants, \d\d apply, 0 not$/m);
      expect(code).toBe(0);
    },
  );

  it('[sim] names the parameter that it does not understand', async () => {
    expect(await run('sim.ts', ['--world', 'flat'])).toEqual({
      out: 'sim: --world must be one, many or both; it is "flat"\n',
      code: 2,
    });
    expect(await run('sim.ts', ['--seeds', 'many'])).toEqual({
      out: 'sim: --seeds must be a whole number, 1 or more; it is "many"\n',
      code: 2,
    });
  });
});
