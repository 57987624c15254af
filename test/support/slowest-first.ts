import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds on two cores. vitest itself begins with what took longest the last time, and in a fresh clone, which remembers nothing, with the largest
 * files. The slowest are not large: begun last, they leave the other worker with nothing to do.
 */
export const SLOW_FILES: Readonly<Record<string, number>> = {
  'test/contract/bus-rabbit.test.ts': 90,
  'test/clients/ec2/days-ansible.test.ts': 60,
  'test/clients/ec2/days-aws.test.ts': 60,
  'test/real/tiny-image/guest.test.ts': 53,
  'test/contract/etcd-cut.test.ts': 50,
  'test/clients/s3/days.test.ts': 60,
  'test/clients/ec2/days.test.ts': 40,
  'test/clients/bad-input-elsewhere.test.ts': 30,
  'test/real/libvirt/life.test.ts': 29,
  'test/clients/credentials/credentials.test.ts': 24,
  'test/clients/bad-input.test.ts': 20,
  'test/simulation/seeds.test.ts': 20,
  'test/unit/adapters/store/etcd-members.test.ts': 19,
  'test/clients/s3/kills.test.ts': 19,
  'test/contract/blobs-s3-endpoint.test.ts': 16,
  'test/unit/base/openssh-key.test.ts': 16,
  'test/unit/commands/daemon.test.ts': 16,
  'test/contract/cloud-on-endpoint.test.ts': 15,
  'test/contract/directory-store.test.ts': 15,
  'test/clients/s3/object-commands.test.ts': 15,
};

/** The files that are known to be slow, slowest first; what is not listed has its place from vitest, behind them. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return slowestFirst(await super.sort(files), ({ moduleId }) => relative(this.ctx.config.root, moduleId));
  }
}

/** Stable. Files of several projects may be mixed: each project keeps its own order and turn. */
export function slowestFirst<T>(files: readonly T[], pathOf: (file: T) => string): T[] {
  const seconds = (file: T): number => SLOW_FILES[pathOf(file)] ?? 0;
  return files.toSorted((a, b) => seconds(b) - seconds(a));
}
