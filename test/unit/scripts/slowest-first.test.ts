import { existsSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';
import config from '../../../vitest.config.ts';
import { SLOW_FILES, SlowestFirst, slowestFirst } from '../../support/slowest-first.ts';
import { filesUnder, REPOSITORY } from '../../support/source-tree.ts';

interface Project {
  readonly name: string;
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
}

const projects = (config.test?.projects ?? []).map((project) => (project as { test: Project }).test);
/** Tiers that are no part of a run of all projects. */
const OTHER_TIERS = ['test/lab/**', 'test/long/**', 'test/bench/**'];
const matches = (path: string, globs: readonly string[] = []): boolean => globs.some((glob) => matchesGlob(path, glob));

describe('the order in which test files are begun', () => {
  it('is that of vitest.config.ts, for all projects', () => {
    expect(config.test?.sequence?.sequencer).toBe(SlowestFirst);
  });

  it('has the slow ones first, slowest at the head, and the others as they were', () => {
    const files = ['a.test.ts', 'test/contract/etcd-cut.test.ts', 'b.test.ts', 'test/contract/bus-rabbit.test.ts'];
    expect(slowestFirst(files, (file) => file)).toEqual([
      'test/contract/bus-rabbit.test.ts',
      'test/contract/etcd-cut.test.ts',
      'a.test.ts',
      'b.test.ts',
    ]);
  });

  it('knows no file that is not there', () => {
    expect(Object.keys(SLOW_FILES).filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });
});

describe('the projects of vitest.config.ts', () => {
  it('have each test file once', () => {
    const files = filesUnder('test').filter((path) => path.endsWith('.test.ts') && !matches(path, OTHER_TIERS));
    const wrong = files.flatMap((path) => {
      const of = projects.filter(({ include, exclude }) => matches(path, include) && !matches(path, exclude));
      return of.length === 1 ? [] : [`${path}: ${of.map(({ name }) => name).join(', ')}`];
    });
    expect(wrong).toEqual([]);
    expect(files.length).toBeGreaterThan(200);
  });
});
