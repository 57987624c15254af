import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import {
  DEFAULT_QUOTA,
  QUOTA_KINDS,
  type QuotaKind,
  type QuotaRecord,
  UNLIMITED,
  UNLIMITED_PROJECT,
  type UsageRecord,
} from '../../domain/quota.ts';
import {
  type Amounts,
  COUNTED_PREFIXES,
  NOTHING_USED,
  plus,
  type QuotaOwner,
  usageInRecords,
  type Used,
  wholeUsage,
} from '../../domain/usage.ts';
import type { Replica } from '../../ports/store.ts';
import type { Principal } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

export type { Amounts, QuotaOwner } from '../../domain/usage.ts';

type Get = <T>(key: string) => T | undefined;

/** Whose what a caller makes is. The administrator at the socket is no user: only the project's limits count. */
export function quotaOwner({ projectId, userName }: Pick<Principal, 'projectId' | 'userName'>): QuotaOwner {
  return userName === undefined ? { projectId } : { projectId, user: userName };
}

/**
 * The limits of a project, or of a user in it (for whom what is not set is unlimited, as it is for the administrator's own project). Each region counts for
 * itself, by the limits that were set for the project (docs/adr/0013).
 */
export function limitsOf(get: Get, { projectId: idInRegion, user }: QuotaOwner): Readonly<Record<QuotaKind, number>> {
  const projectId = projectWithoutRegion(idInRegion);
  const set = get<QuotaRecord>(KEYS.quota(projectId, user))?.limits ?? {};
  const rest = user === undefined && projectId !== UNLIMITED_PROJECT ? DEFAULT_QUOTA : undefined;
  const limits = { ...NOTHING_USED };
  for (const kind of QUOTA_KINDS) limits[kind] = set[kind] ?? rest?.[kind] ?? UNLIMITED;
  return limits;
}

/** What is in use, by the usage record; where there is none yet (a state of before), by what the records say. */
export function usageOf(
  get: Get,
  replica: Pick<Replica, 'range'>,
  owner: QuotaOwner,
): Readonly<Record<QuotaKind, number>> {
  const known = get<UsageRecord>(KEYS.usage(owner.projectId, owner.user));
  return known === undefined ? countUsage(replica, owner) : wholeUsage(known.used);
}

/** What the records say that the owner has in use. Right for a transaction that guards the usage record, since all that counts is written with it. */
export function countUsage(replica: Pick<Replica, 'range'>, { projectId, user }: QuotaOwner): Used {
  const records = COUNTED_PREFIXES.flatMap((prefix) => replica.range<unknown>(prefix));
  return usageInRecords(records).get(KEYS.usage(projectId, user)) ?? NOTHING_USED;
}

function ownersOf(owner: QuotaOwner): QuotaOwner[] {
  return owner.user === undefined ? [owner] : [{ projectId: owner.projectId }, owner];
}

/** How many, `most` at most, of what takes `each` fit into the owner's quotas. */
export function quotaRoom(draft: Draft, owner: QuotaOwner, each: Amounts, most: number): number {
  const get: Get = (key) => draft.get(key);
  const rooms = ownersOf(owner).flatMap((one) => {
    const used = usageOf(get, draft.replica, one);
    const limits = limitsOf(get, one);
    return QUOTA_KINDS.map((kind) => {
      const amount = each[kind] ?? 0;
      return amount === 0 ? most : Math.floor(Math.max(0, limits[kind] - used[kind]) / amount);
    });
  });
  return Math.min(most, ...rooms);
}

/** In the transaction of what uses it: guarded, so that no two overshoot together. Errors: 'InstanceLimitExceeded' and its sisters (details.quota). */
export function claimQuota(draft: Draft, owner: QuotaOwner, amounts: Amounts): void {
  change(draft, owner, amounts, 1);
}

/** What is given back; never below nothing. */
export function releaseQuota(draft: Draft, owner: QuotaOwner, amounts: Amounts): void {
  change(draft, owner, amounts, -1);
}

function change(draft: Draft, owner: QuotaOwner, amounts: Amounts, sign: 1 | -1): void {
  const get: Get = (key) => draft.get(key);
  for (const one of ownersOf(owner)) {
    const used = usageOf(get, draft.replica, one);
    const next = plus(used, amounts, sign);
    if (sign === 1) refuseExcess(limitsOf(get, one), one, used, amounts);
    draft.put(KEYS.usage(one.projectId, one.user), { v: 1, used: next } satisfies UsageRecord);
  }
}

function refuseExcess(limits: Used, owner: QuotaOwner, used: Used, amounts: Amounts): void {
  for (const kind of QUOTA_KINDS) {
    const amount = amounts[kind] ?? 0;
    const limit = limits[kind];
    if (amount > 0 && used[kind] + amount > limit) throw exceeded(kind, owner, { amount, used: used[kind], limit });
  }
}

const CODES = {
  instances: 'InstanceLimitExceeded',
  vcpus: 'VcpuLimitExceeded',
  memoryMib: 'InstanceLimitExceeded',
  volumes: 'VolumeLimitExceeded',
  gigabytes: 'VolumeLimitExceeded',
  snapshots: 'SnapshotLimitExceeded',
  addresses: 'AddressLimitExceeded',
  groups: 'SecurityGroupLimitExceeded',
  images: 'ResourceLimitExceeded',
  keyPairs: 'ResourceLimitExceeded',
} as const satisfies Record<QuotaKind, string>;

function exceeded(kind: QuotaKind, owner: QuotaOwner, n: { amount: number; used: number; limit: number }): CloudError {
  const whose = owner.user === undefined ? `project ${owner.projectId}` : `${owner.user} in project ${owner.projectId}`;
  return new CloudError(
    CODES[kind],
    `${whose} has ${n.used} of ${n.limit} ${kind} in use and asks for ${n.amount} more; see "novactl quota show"`,
    { details: { quota: kind, ...n } },
  );
}
