import { PREFIX, KEYS } from '../../domain/keys.ts';
import type { ClaimRecord, OperationRecord, ReservationRecord, TokenRecord } from '../../domain/records.ts';
import type { UserCertificateRecord } from '../../domain/user-certificate.ts';
import { STORE_LIMITS } from '../../ports/store.ts';
import type { Entry, Replica } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { QUARANTINE_MS } from '../controller-context.ts';

/** Within this time the same ClientToken gets the same answer, as EC2 has it. */
export const TOKEN_KEEP_MS = 24 * 3_600_000;
/** Entries that are looked at before others get a turn. */
const SLICE = 500;

type Context = Pick<ControllerContext, 'store' | 'clock' | 'policy'>;

interface Rule {
  readonly prefix: string;
  /** Nobody needs the entry any more. */
  readonly isOver: (value: unknown, parts: { nowMs: number; operationsKeepMs: number; replica: Replica }) => boolean;
}

const RULES: readonly Rule[] = [
  {
    prefix: PREFIX.operation,
    isOver: (value, { nowMs, operationsKeepMs }) => {
      const { endedAtMs } = value as OperationRecord;
      return endedAtMs !== undefined && nowMs - endedAtMs >= operationsKeepMs;
    },
  },
  { prefix: PREFIX.token, isOver: (value, { nowMs }) => nowMs - (value as TokenRecord).atMs >= TOKEN_KEEP_MS },
  {
    prefix: PREFIX.address,
    isOver: (value, { nowMs }) => {
      const { releasedAtMs } = value as ClaimRecord;
      return releasedAtMs !== undefined && nowMs - releasedAtMs >= QUARANTINE_MS;
    },
  },
  {
    prefix: PREFIX.userCertificate,
    isOver: (value, { nowMs }) => nowMs >= (value as UserCertificateRecord).expiresAtMs,
  },
  {
    prefix: PREFIX.reservation,
    isOver: (value, { replica }) => {
      const { remaining, instanceIds } = value as ReservationRecord;
      return remaining === undefined && instanceIds.every((id) => replica.get(KEYS.instance(id)) === undefined);
    },
  },
];

/** Deletes what has had its time: ended operations, tokens, addresses out of quarantine, certificates that are over, reservations without instances. Answers how many. */
export async function expireRecords({ store, clock, policy }: Context): Promise<number> {
  const { operationsKeepMs } = policy;
  let deleted = 0;
  for (const { prefix, isOver } of RULES) {
    for (let after: string | undefined, more = true; more;) {
      const slice = store.range<unknown>(prefix, { limit: SLICE, ...(after === undefined ? {} : { after }) });
      const parts = { nowMs: clock.nowMs(), operationsKeepMs, replica: store };
      deleted += await deleteAll(
        store,
        slice.filter(({ value }) => isOver(value, parts)),
      );
      after = slice.at(-1)?.key;
      more = slice.length === SLICE;
      await new Promise<void>((resolve) => clock.defer(resolve));
    }
  }
  return deleted;
}

/** How many `expireRecords` would delete now. */
export function countExpired({ store, clock, policy }: Context): number {
  const parts = { nowMs: clock.nowMs(), operationsKeepMs: policy.operationsKeepMs, replica: store };
  const isOver = ({ prefix, isOver: over }: Rule): number =>
    store.range<unknown>(prefix).filter(({ value }) => over(value, parts)).length;
  return RULES.reduce((total, rule) => total + isOver(rule), 0);
}

/** Each as it was seen: one that somebody changed meanwhile stays, with those of its transaction, until the next time. */
async function deleteAll(store: Context['store'], entries: readonly Entry<unknown>[]): Promise<number> {
  let deleted = 0;
  for (let at = 0; at < entries.length; at += STORE_LIMITS.opsPerTxn) {
    const some = entries.slice(at, at + STORE_LIMITS.opsPerTxn);
    const { ok } = await store.txn({
      guards: some.map(({ key, rev }) => ({ key, rev })),
      dels: some.map(({ key }) => key),
    });
    if (ok) deleted += some.length;
  }
  return deleted;
}
