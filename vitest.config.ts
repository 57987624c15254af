import { defineConfig } from 'vitest/config';
import { ClosingReporter } from './test/support/closing-reporter.ts';

/** `npm run test:system`: hosts out of namespaces, terminals. One file at a time. */
const SYSTEM = ['test/system/**/*.test.ts'];

/** What `npm test` leaves to other commands. */
const ELSEWHERE = ['test/system/**', 'test/lab/**', 'test/long/**', 'test/bench/**', 'node_modules/**'];

/** Guests and daemons that share this machine's libvirt: one file at a time, after everything else. */
const ONE_AT_A_TIME = ['test/real/**/*.test.ts'];

const common = { testTimeout: 20_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    reporters: ['default', new ClosingReporter()],
    maxWorkers: 2,
    globalSetup: ['test/support/global-libvirtd.ts'],
    projects: [
      {
        test: {
          ...common,
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [...ELSEWHERE, ...ONE_AT_A_TIME],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'real',
          include: ONE_AT_A_TIME,
          exclude: ELSEWHERE,
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
    ],
  },
});
