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
  'test/contract/image-import-user.test.ts': 15,
  'test/clients/s3/object-commands.test.ts': 15,
  // Project real.
  'test/real/embedded/lock.test.ts': 82,
  'test/real/life/kill.test.ts': 68,
  'test/real/bare/quickstart.test.ts': 38,
  'test/real/embedded/life.test.ts': 34,
  'test/real/life/tiny-guest.test.ts': 30,
  'test/real/libvirt/life.test.ts': 29,
  'test/real/life/whole-disk.test.ts': 16,
  'test/real/linux-net/traffic.test.ts': 15,
  'test/real/libvirt/loss.test.ts': 12,
  'test/real/ssh/faults.test.ts': 10,
  'test/real/libvirt/libvirtd-start.test.ts': 9,
  'test/real/linux-net/repair.test.ts': 8,
  'test/real/ssh/claim.test.ts': 8,
  'test/real/libvirt/console.test.ts': 7,
  'test/real/ssh/libvirt.test.ts': 6,
  'test/real/ssh/sudo.test.ts': 5,
  'test/real/ssh/load.test.ts': 5,
  'test/real/ssh/contract.test.ts': 4,
  // Project system.
  'test/system/faults/kill.test.ts': 142,
  'test/system/faults/daemons.test.ts': 80,
  'test/system/faults/power.test.ts': 70,
  'test/system/images/of-objects.test.ts': 61,
  'test/system/faults/cuts.test.ts': 57,
  'test/system/hosts/over-ssh.test.ts': 49,
  'test/system/cron/cron.test.ts': 40,
  'test/system/tui/console.test.ts': 40,
  'test/system/cron/jobs.test.ts': 35,
  'test/system/life/https.test.ts': 31,
  'test/system/life/embedded.test.ts': 30,
  'test/system/life/daemon.test.ts': 26,
  'test/system/images/create-image.test.ts': 22,
};

/** Of a file that is not listed. */
const USUAL_SECONDS = 1.2;
/** `maxWorkers` of vitest.config.ts. */
export const WORKERS = 2;
/** The project whose files run one at a time, beside those of another. */
const TAKES_TURNS = 'real';
/** A turn may take so much longer than it is known to take before somebody waits for it. */
const TURN_ALLOWANCE = 1.3;

/** What is known to be slow comes first, slowest at the head, and the rest as vitest has it behind it. Files that take turns are spread among the others. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const pathOf = ({ moduleId }: TestSpecification): string => relative(this.ctx.config.root, moduleId);
    const sorted = slowestFirst(await super.sort(files), pathOf);
    return turnsSpread(sorted, pathOf, ({ project }) => project.name === TAKES_TURNS);
  }
}

/** Stable. Files of several projects may be mixed: vitest runs the groups of projects one after the other, each in this order. */
export function slowestFirst<T>(files: readonly T[], pathOf: (file: T) => string): T[] {
  const seconds = (file: T): number => SLOW_FILES[pathOf(file)] ?? 0;
  return files.toSorted((a, b) => seconds(b) - seconds(a));
}

/**
 * Of the files that take turns one at a time can run (`turn.ts`), so that a worker that came to the next too early would have to wait. Each is
 * put where a worker comes to it when the one before has ended, by what is known of them; the order is otherwise kept.
 */
export function turnsSpread<T>(
  files: readonly T[],
  pathOf: (file: T) => string,
  takesTurns: (file: T) => boolean,
): T[] {
  const secondsOf = (file: T): number => SLOW_FILES[pathOf(file)] ?? USUAL_SECONDS;
  const [turns, others] = [files.filter(takesTurns), files.filter((file) => !takesTurns(file))];
  const freeAtS = Array.from({ length: WORKERS }, () => 0);
  const order: T[] = [];
  let turnFromS = 0;
  while (order.length < files.length) {
    const nowS = Math.min(...freeAtS);
    const isTurn = others.length === 0 || (turns.length > 0 && nowS >= turnFromS);
    const next = (isTurn ? turns : others).splice(0, 1);
    order.push(...next);
    const tookS = next.reduce((sum, file) => sum + secondsOf(file), 0);
    freeAtS[freeAtS.indexOf(nowS)] = nowS + tookS;
    if (isTurn) turnFromS = nowS + tookS * TURN_ALLOWANCE;
  }
  return order;
}
