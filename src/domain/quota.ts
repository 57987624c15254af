/** What is counted. `gigabytes`: of volumes. */
export const QUOTA_KINDS = [
  'instances',
  'vcpus',
  'memoryMib',
  'volumes',
  'gigabytes',
  'snapshots',
  'addresses',
  'groups',
  'images',
  'keyPairs',
] as const;
export type QuotaKind = (typeof QUOTA_KINDS)[number];

/** A project's limits where none were set. Generous: one administrator's own machines, not a shop. */
export const DEFAULT_QUOTA: Readonly<Record<QuotaKind, number>> = {
  instances: 100,
  vcpus: 200,
  memoryMib: 524_288,
  volumes: 100,
  gigabytes: 10_000,
  snapshots: 200,
  addresses: 20,
  groups: 100,
  images: 200,
  keyPairs: 200,
};

/** The administrator's own project: without limits until some are set, as all clouds were before there were quotas. */
export const UNLIMITED_PROJECT = 'admin';
export const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** No limit that is set is larger. */
export const QUOTA_LIMIT_MAX = 1_000_000_000;

/** Limits that were set for a project, or for a user in it; -1 is never stored: unlimited is the largest safe integer. */
export interface QuotaRecord {
  readonly v: 1;
  readonly limits: Readonly<Partial<Record<QuotaKind, number>>>;
}

/** What is in use, changed in the transaction of each thing that is made or ends. */
export interface UsageRecord {
  readonly v: 1;
  readonly used: Readonly<Partial<Record<QuotaKind, number>>>;
}
