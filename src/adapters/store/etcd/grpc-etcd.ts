import type { Clock } from '../../../base/clock.ts';
import { isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type { EtcdApi } from './etcd-api.ts';
import { ALARM } from './etcd-schema.ts';
import {
  readAlarms,
  readHeader,
  readRange,
  readTxn,
  wholeNumber,
  writeRange,
  writeTxn,
  type RawAlarmAnswer,
  type RawGrantAnswer,
  type RawKeepAliveAnswer,
  type RawRangeAnswer,
  type RawTxnAnswer,
} from './etcd-wire.ts';
import { GrpcCalls } from './grpc-calls.ts';
import { EtcdServers, type EtcdCredentials } from './grpc-endpoints.ts';
import { grpcWatch } from './grpc-watch.ts';

export interface GrpcEtcdOptions extends EtcdCredentials {
  /** Like https://etcd1.example.org:2379; plain http for loopback addresses only. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * etcd over gRPC. Nothing is asked twice: a failed call is an error, and the next call goes to the next server. It connects at the first call.
 * Errors, beside those of EtcdApi: 'InvalidParameterValue' for addresses or credentials that can't be used, and from calls for what etcd refuses to
 * take (too many operations, too large), in which case nothing happened; details.reason 'leaseGone', 'futureRevision', 'answerTooLarge', 'corrupt'.
 */
export function createGrpcEtcd(options: GrpcEtcdOptions): EtcdApi {
  const { clock, logger } = options;
  const calls = new GrpcCalls(new EtcdServers(options), clock);
  return {
    range: async (request, call) => readRange(await calls.unary<RawRangeAnswer>('range', writeRange(request), call)),
    txn: async (request, call) => readTxn(await calls.unary<RawTxnAnswer>('txn', writeTxn(request), call)),
    watch: (request, listener) => grpcWatch(request, listener, { calls, clock, logger }),
    leaseGrant: async (ttlS, call) => {
      const answer = await calls.unary<RawGrantAnswer>('leaseGrant', { ttlS }, call);
      return { id: answer.id, ttlS: wholeNumber(answer.ttlS), header: readHeader(answer.header) };
    },
    leaseKeepAlive: async (id, call) => {
      const { ttlS } = await calls.firstOf<RawKeepAliveAnswer>('leaseKeepAlive', { id }, call);
      return { ttlS: wholeNumber(ttlS) };
    },
    leaseRevoke: async (id, call) => {
      try {
        await calls.unary('leaseRevoke', { id }, call);
      } catch (error) {
        // What was asked for is so.
        if (!isCode(error, 'Unavailable') || error.details?.['reason'] !== 'leaseGone') throw error;
      }
    },
    alarms: async (call) => readAlarms(await calls.unary<RawAlarmAnswer>('alarm', { action: ALARM.get }, call)),
    close: () => calls.close(),
  };
}
