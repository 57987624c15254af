import { describe, expect, it } from 'vitest';
import { abortedBy, expiredBy, expiryOf, type VersionPlace } from '../../../../src/domain/s3/lifecycle.ts';
import type { DeleteMarker, LifecycleRule, ObjectSummary } from '../../../../src/domain/s3/records.ts';

const DAY = 86_400_000;
const at = (text: string): number => Date.parse(text);
const MADE = at('2026-01-01T10:00:00Z');
const head = { bucket: 'b', key: 'a/k', versionId: 'v', isLatest: true, modifiedMs: MADE, ownerId: 'p' };
const object: ObjectSummary = { ...head, kind: 'object', sizeBytes: 10, etag: 'e', tags: { t: '1' } };
const marker: DeleteMarker = { ...head, kind: 'marker' };
const CURRENT: VersionPlace = { newerNoncurrent: 0, isOnly: true };

const rule = (change: Partial<LifecycleRule>): LifecycleRule => ({ id: 'r', enabled: true, filter: {}, ...change });
const goes = (
  change: Partial<LifecycleRule>,
  when: string,
  version: ObjectSummary | DeleteMarker = object,
  place = CURRENT,
): boolean => expiredBy([rule(change)], version, place, at(when)) !== undefined;

describe('what a rule says of the current object', () => {
  it('counts days from the midnight that follows', () => {
    const rules = { expirationDays: 3 };
    expect(goes(rules, '2026-01-04T23:59:59.999Z')).toBe(false);
    expect(goes(rules, '2026-01-05T00:00:00Z')).toBe(true);
    const midnight = { ...object, modifiedMs: at('2026-01-01T00:00:00Z') };
    expect(goes(rules, '2026-01-03T23:59:59.999Z', midnight)).toBe(false);
    expect(goes(rules, '2026-01-04T00:00:00Z', midnight)).toBe(true);
  });

  it('is told before it is due: the rule that comes first, at the very moment at which it is', () => {
    const date = rule({ id: 'date', expirationAtMs: at('2026-02-01T00:00:00Z') });
    const days = rule({ id: 'days', expirationDays: 3 });
    const others = [rule({ enabled: false, expirationDays: 1 }), rule({ filter: { prefix: 'b' }, expirationDays: 1 })];
    expect(expiryOf([...others, date, days], object)).toEqual({ atMs: at('2026-01-05T00:00:00Z'), rule: days });
    expect(expiryOf([date], object)?.atMs).toBe(at('2026-02-01T00:00:00Z'));
    expect(expiryOf([...others, rule({ noncurrentDays: 1 })], object)).toBeUndefined();
  });

  it('knows dates, and rules that are off', () => {
    const date = { expirationAtMs: at('2026-02-01T00:00:00Z') };
    expect([goes(date, '2026-01-31T23:59:59Z'), goes(date, '2026-02-01T00:00:00Z')]).toEqual([false, true]);
    expect(goes({ ...date, enabled: false }, '2026-03-01T00:00:00Z')).toBe(false);
    expect(goes({ noncurrentDays: 1 }, '2027-01-01T00:00:00Z')).toBe(false);
  });

  it.each([
    [{ prefix: 'a/' }, true],
    [{ prefix: 'b/' }, false],
    [{ tags: { t: '1' } }, true],
    [{ tags: { t: '2' } }, false],
    [{ tags: { t: '1', u: '1' } }, false],
    [{ tags: { constructor: 'x' } }, false],
    [{ sizeGreaterThanBytes: 9, sizeLessThanBytes: 11 }, true],
    [{ sizeGreaterThanBytes: 10 }, false],
    [{ sizeLessThanBytes: 10 }, false],
    [{ prefix: 'a/', tags: { t: '2' } }, false],
  ])('means by %j: %s', (filter, meant) => {
    expect(goes({ filter, expirationDays: 1 }, '2027-01-01T00:00:00Z')).toBe(meant);
  });
});

describe('what a rule says of versions that are not current', () => {
  const old = (newerNoncurrent: number): VersionPlace => ({
    noncurrentSinceMs: MADE + DAY,
    newerNoncurrent,
    isOnly: false,
  });

  it('counts from when they were followed, and keeps the newest', () => {
    const rules = { noncurrentDays: 2 };
    expect(goes(rules, '2026-01-04T23:00:00Z', object, old(0))).toBe(false);
    expect(goes(rules, '2026-01-05T00:00:00Z', object, old(0))).toBe(true);
    expect(goes(rules, '2026-01-05T00:00:00Z', marker, old(0))).toBe(true);
    const keeps = { noncurrentDays: 2, noncurrentKeep: 2 };
    expect([0, 1, 2].map((newer) => goes(keeps, '2027-01-01T00:00:00Z', object, old(newer)))).toEqual([
      false,
      false,
      true,
    ]);
    expect(goes({ expirationDays: 1 }, '2027-01-01T00:00:00Z', object, old(0))).toBe(false);
  });

  it('takes markers that hide nothing any more, and no others', () => {
    const rules = { expiredObjectDeleteMarker: true };
    expect(goes(rules, '2026-01-01T10:00:01Z', marker)).toBe(true);
    expect(goes(rules, '2027-01-01T00:00:00Z', marker, { ...CURRENT, isOnly: false })).toBe(false);
    expect(goes(rules, '2027-01-01T00:00:00Z', object)).toBe(false);
    expect(goes({ expirationDays: 3 }, '2026-01-05T00:00:00Z', marker)).toBe(true);
    expect(goes({ ...rules, filter: { tags: { t: '1' } } }, '2027-01-01T00:00:00Z', marker)).toBe(false);
  });
});

describe('what a rule says of uploads', () => {
  it('gives them up by age and prefix', () => {
    const aborts = (change: Partial<LifecycleRule>, when: string): boolean =>
      abortedBy([rule({ abortMultipartDays: 1, ...change })], { key: 'a/k', startedMs: MADE }, at(when)) !== undefined;
    expect([aborts({}, '2026-01-02T23:59:59Z'), aborts({}, '2026-01-03T00:00:00Z')]).toEqual([false, true]);
    expect(aborts({ filter: { prefix: 'b' } }, '2027-01-01T00:00:00Z')).toBe(false);
    expect(aborts({ enabled: false }, '2027-01-01T00:00:00Z')).toBe(false);
  });
});
