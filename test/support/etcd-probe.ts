import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { EtcdApi, EtcdEvent, EtcdOp, EtcdWatch, EtcdWatchAnswer } from '../../src/adapters/store/etcd/etcd-api.ts';
import { createGrpcEtcd } from '../../src/adapters/store/etcd/grpc-etcd.ts';
import type { EtcdAccess } from './etcd-cluster.ts';

/** Long enough for a machine that is busy with everything else. */
export const PATIENT = { timeoutMs: 15_000 };

export const dialEtcd = (access: EtcdAccess): EtcdApi =>
  createGrpcEtcd({ ...access, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger });

export const put = (key: string, value: string, lease?: string): EtcdOp => ({
  ...{ kind: 'put', key, value },
  ...(lease === undefined ? {} : { lease }),
});

/** Writes without a guard; the revision of the write. */
export async function write(etcd: EtcdApi, ...success: EtcdOp[]): Promise<number> {
  const { header } = await etcd.txn({ compare: [], success, failure: [] }, PATIENT);
  return header.revision;
}

/** What a watch says, kept. */
export class EtcdListener {
  readonly answers: EtcdWatchAnswer[] = [];
  readonly ends: string[] = [];
  readonly close: () => void;

  constructor(etcd: EtcdApi, watch: EtcdWatch) {
    const handle = etcd.watch(watch, {
      onAnswer: (answer) => {
        this.answers.push(answer);
      },
      onEnd: (problem) => {
        this.ends.push(problem);
      },
    });
    this.close = () => handle.close();
  }

  get created(): boolean {
    return this.answers.some(({ created }) => created);
  }

  get events(): EtcdEvent[] {
    return this.answers.flatMap(({ events }) => events);
  }
}
