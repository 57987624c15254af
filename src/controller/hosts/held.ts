import { isoTime } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AdoptedRecord, AssignRecord, HeldRecord } from '../../domain/records.ts';
import type { Store } from '../../ports/store.ts';

type Seen = Pick<Store, 'get' | 'health'>;

/**
 * Why nothing may be changed: the store was restored from an older copy, and nobody has adopted it. What this process's own store noticed counts
 * before the record is written, so that there is no moment in between.
 */
export function heldRecord(store: Seen): HeldRecord | undefined {
  const record = store.get<HeldRecord>(KEYS.held)?.value;
  if (record !== undefined) return record;
  const { restored } = store.health();
  return restored && { v: 1, ...restored };
}

/** The host was opened since the store was last adopted: before that its worker may know of later intent and epochs than the records do. */
export function isOpenedSince(store: Pick<Store, 'get'>, assign: AssignRecord): boolean {
  return assign.adoption === store.get<AdoptedRecord>(KEYS.adopted)?.value.id;
}

export function isHeld(store: Seen): boolean {
  return heldRecord(store) !== undefined;
}

/** CloudError 'StateHeld' while the cloud waits for `novactl state adopt`. */
export function refuseHeld(store: Seen): void {
  const held = heldRecord(store);
  if (held !== undefined) throw new CloudError('StateHeld', heldText(held));
}

export function heldText({ reason, sinceMs, knownRev, rev }: HeldRecord): string {
  return `nothing is changed: the store was restored from an older copy (${reason}; noticed ${isoTime(sinceMs)}, revision ${knownRev} was known, ${rev} is there). See novactl state diff, then novactl state adopt`;
}
