import { isoTime } from '../base/clock.ts';
import { humanDuration } from '../base/units.ts';

/** Fields of outputs that hold a moment (milliseconds since 1970), not a duration. */
export const MOMENTS: ReadonlySet<string> = new Set([
  'addedAtMs',
  'allocatedAtMs',
  'atMs',
  'attachTimeMs',
  'createTimeMs',
  'createdAtMs',
  'deprecatedAtMs',
  'endTimeMs',
  'endedAtMs',
  'expiresAtMs',
  'lastHelloMs',
  'lastReportMs',
  'lastUsedAtMs',
  'lastUsedMs',
  'launchTimeMs',
  'modifiedAtMs',
  'notBeforeMs',
  'nowMs',
  'revokedAtMs',
  'sinceMs',
  'startTimeMs',
  'startedAtMs',
  'stateChangedAtMs',
  'untilMs',
  'updatedAtMs',
]);

/** A copy with `launchTimeMs: 0` as `launchTime: "1970-01-01T00:00:00.000Z"`, at any depth. */
export function withIsoTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withIsoTimes(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) =>
      MOMENTS.has(key) && typeof item === 'number'
        ? [key.slice(0, -2), isoTime(item)]
        : [key, withIsoTimes(item as unknown)],
    ),
  );
}

/** How long ago, for people; `-` when it never was. */
export function age(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined) return '-';
  const ms = Math.max(0, nowMs - atMs);
  return ms < 60_000 ? `${Math.floor(ms / 1000)}s` : humanDuration(ms);
}

export function iso(atMs: number | undefined): string {
  return atMs === undefined ? '' : isoTime(atMs);
}
