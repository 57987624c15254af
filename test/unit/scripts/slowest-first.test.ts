import { existsSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import config from '../../../vitest.config.ts';
import { SLOW_FILES, SlowestFirst, slowestFirst, turnsSpread } from '../../support/slowest-first.ts';
import { filesUnder, REPOSITORY } from '../../support/source-tree.ts';
import { takeTurn } from '../../support/turn.ts';

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

  it('puts files that take turns where the one before has ended, and keeps the order otherwise', () => {
    const turns = ['test/real/embedded/lock.test.ts', 'test/real/life/kill.test.ts', 'test/real/other.test.ts'];
    const others = [
      'test/contract/bus-rabbit.test.ts',
      ...Array.from({ length: 150 }, (_, index) => `${index}.test.ts`),
    ];
    const order = turnsSpread(
      [...others, ...turns],
      (file) => file,
      (file) => turns.includes(file),
    );
    expect(order.filter((file) => others.includes(file))).toEqual(others);
    expect(order.filter((file) => turns.includes(file))).toEqual(turns);
    // 82 s and 30 % of it behind the first turn: the 90 s of RabbitMQ beside it, and 13 files of 1.2 s by the worker that is free first.
    expect(order.slice(0, 2)).toEqual([turns[0], others[0]]);
    expect(order.indexOf('test/real/life/kill.test.ts')).toBeGreaterThan(13);
    expect(order.at(-1)).toBe('149.test.ts');
  });

  it('is as it was where nothing takes turns, and has all where everything does', () => {
    const files = ['a', 'b', 'c'];
    for (const takesTurns of [false, true])
      expect(
        turnsSpread(
          files,
          (file) => file,
          () => takesTurns,
        ),
      ).toEqual(files);
  });

  it('knows no file that is not there', () => {
    expect(Object.keys(SLOW_FILES).filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });
});

describe('a turn', () => {
  it('is had by one at a time, and another has it when it is over', async () => {
    const name = `novactl-test-of-turns-${process.pid}`;
    const first = await takeTurn(name);
    const order: string[] = [];
    const second = takeTurn(name).then((turn) => {
      order.push('taken');
      return turn;
    });
    // Others have turns of their own meanwhile.
    (await takeTurn(`${name}-other`)).close();
    await sleep(100);
    order.push('over');
    first.close();
    (await second).close();
    expect(order).toEqual(['over', 'taken']);
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
