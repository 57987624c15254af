import { defineConfig } from 'vitest/config';
import { ClosingReporter } from './test/support/closing-reporter.ts';
import { SlowestFirst } from './test/support/slowest-first.ts';

/** `npm run test:system`: hosts out of namespaces, terminals. One file at a time. */
const SYSTEM = ['test/system/**/*.test.ts'];

/** `npm run test:long`: full sizes. */
const LONG = ['test/long/**/*.test.ts'];

/** What `npm test` leaves to other commands. */
const ELSEWHERE = ['test/system/**', 'test/lab/**', 'test/long/**', 'test/bench/**', 'node_modules/**'];

/**
 * Guests that share nothing with others: QEMU processes of their own on ports that are free. And one file, never two, with a libvirtd of its own,
 * as two of them would name the control groups of their domains alike.
 */
const BY_THEMSELVES = ['test/real/tiny-image/*.test.ts', 'test/real/libvirt/life.test.ts'];

/** Guests and daemons that share this machine's libvirt or its network: one file at a time, after everything else. */
const ONE_AT_A_TIME = 'test/real/**/*.test.ts';

/** What a test may take on a machine that is busy with others; one that waits in vain says so itself, and sooner (`until`). */
const common = { testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    reporters: ['default', new ClosingReporter()],
    maxWorkers: 2,
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
          include: [ONE_AT_A_TIME],
          exclude: [...ELSEWHERE, ...BY_THEMSELVES],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'system',
          include: SYSTEM,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 60_000,
          hookTimeout: 180_000,
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
