import { defineConfig } from 'vitest/config';
import { ClosingReporter } from './test/support/closing-reporter.ts';
import { SlowestFirst, WORKERS } from './test/support/slowest-first.ts';

/** `npm run test:system`: hosts out of namespaces, terminals. Labs side by side share nothing, and their tests wait for much. */
const SYSTEM = ['test/system/**/*.test.ts'];

/**
 * Of these, clusters of a dozen processes with leases to keep, many clients at once, and a search of all that changed on this machine: they need both
 * processors or what they search for themselves. One file at a time, after the others.
 */
const SYSTEM_ALONE = ['cluster', 'ec2', 'secrets'].map((folder) => `test/system/${folder}/*.test.ts`);

/** `npm run test:long`: full sizes. */
const LONG = ['test/long/**/*.test.ts'];

/** What `npm test` leaves to other commands. */
const ELSEWHERE = ['test/system/**', 'test/lab/**', 'test/long/**', 'test/bench/**', 'node_modules/**'];

/** Guests that share nothing with others: QEMU processes of their own on ports that are free. */
const BY_THEMSELVES = ['test/real/tiny-image/*.test.ts'];

/**
 * Guests and daemons that share this machine's libvirt or its network; and those with a libvirtd of their own, as two of them would name the control
 * groups of their domains alike. One file at a time, beside what is not of these.
 */
const TAKING_TURNS = 'test/real/**/*.test.ts';

/** What a test may take on a machine that is busy with others; one that waits in vain says so itself, and sooner (`until`). */
const common = { testTimeout: 60_000, hookTimeout: 120_000 };
/** Hosts are started before the tests and removed behind them. */
const lab = { testTimeout: 60_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    reporters: ['default', new ClosingReporter()],
    maxWorkers: WORKERS,
    globalSetup: ['test/support/global-libvirtd.ts', 'test/support/global-canaries.ts'],
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'fast',
          include: ['test/!(real)/**/*.test.ts', 'test/*.test.ts', ...BY_THEMSELVES],
          exclude: ELSEWHERE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'real',
          include: [TAKING_TURNS],
          exclude: [...ELSEWHERE, ...BY_THEMSELVES],
          setupFiles: ['test/support/one-at-a-time.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...lab,
          name: 'system',
          include: SYSTEM,
          exclude: SYSTEM_ALONE,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...lab,
          name: 'system-alone',
          include: SYSTEM_ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          ...common,
          name: 'long',
          include: LONG,
          // What is to be searched and removed at the end is large, too.
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
