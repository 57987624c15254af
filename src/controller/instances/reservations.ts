import { isCode } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { unclaim } from '../../domain/placement.ts';
import { launchAmounts } from '../../domain/usage.ts';
import type { CapacityRecord, ReservationRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import { releaseQuota } from '../users/quota.ts';
import { draftRemaining } from './launch.ts';

type Context = Pick<ControllerContext, 'store' | 'clock' | 'random' | 'logger'>;

/** Addresses have become too few, an id is taken, or the snapshot of a volume is gone or in use too often. */
const GIVEN_UP = [
  'InsufficientFreeAddresses',
  'AlreadyExists',
  'InvalidSnapshot.NotFound',
  'IncorrectState',
  'ResourceLimitExceeded',
] as const;

/** Makes what is left of a reservation; what can't be made (for want of addresses) is given up, with the reason in its operation. */
export async function completeReservation(context: Context, reservationId: string): Promise<void> {
  const { store, clock, random, logger } = context;
  try {
    for (let more = true; more;) {
      const { result } = await transact(store, (draft) =>
        draftRemaining(draft, reservationId, { random, nowMs: clock.nowMs() }),
      );
      more = result;
    }
  } catch (error) {
    if (!isCode(error, ...GIVEN_UP)) throw error;
    logger.warn('reservation was cut short', { reservationId, error: error.message });
    await transact(store, (draft) => giveUpRemaining(draft, reservationId, clock.nowMs(), error.flatten()));
  }
}

function giveUpRemaining(
  draft: Draft,
  reservationId: string,
  nowMs: number,
  error: { code: string; message: string },
): void {
  const key = KEYS.reservation(reservationId);
  const reservation = draft.get<ReservationRecord>(key);
  if (reservation?.remaining === undefined) return;
  const { remaining, ...rest } = reservation;
  const dropped = new Set(remaining.placements.map((placement) => placement.instanceId));
  for (const { hostId, instanceId, volumeIds = [] } of remaining.placements) {
    const used = draft.get<CapacityRecord>(KEYS.capacity(hostId)) ?? NO_CAPACITY;
    draft.put(KEYS.capacity(hostId), unclaim(used, remaining.template));
    for (const id of [instanceId, ...volumeIds])
      finishTarget(draft, remaining.template.operationId, id, nowMs, { error });
  }
  const { template, placements } = remaining;
  releaseQuota(draft, template, launchAmounts(template, placements.length));
  draft.put(key, { ...rest, instanceIds: rest.instanceIds.filter((id) => !dropped.has(id)) });
}

/** Reservations whose maker died in the middle. */
export async function completeReservations(context: Context): Promise<void> {
  for (const { value } of context.store.range<ReservationRecord>(PREFIX.reservation)) {
    if (value.remaining !== undefined) await completeReservation(context, value.id);
  }
}
