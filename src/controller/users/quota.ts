import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import { DEFAULT_QUOTA, QUOTA_KINDS, type QuotaKind, type QuotaRecord, type UsageRecord } from '../../domain/quota.ts';
import type { Draft } from '../state/draft.ts';

export type Amounts = Readonly<Partial<Record<QuotaKind, number>>>;

/** Whose the claim is: a project, and the user in it whose own limits count beside the project's. */
export interface QuotaOwner {
  readonly projectId: string;
  readonly user?: string;
}

type Get = <T>(key: string) => T | undefined;

/** The limits of a project, or of a user in it (for whom what is not set is unlimited). */
export function limitsOf(get: Get, { projectId, user }: QuotaOwner): Readonly<Record<QuotaKind, number>> {
  const set = get<QuotaRecord>(KEYS.quota(projectId, user))?.limits ?? {};
  const rest = user === undefined ? DEFAULT_QUOTA : undefined;
  const row = (kind: QuotaKind): number => set[kind] ?? rest?.[kind] ?? Number.MAX_SAFE_INTEGER;
  return Object.fromEntries(QUOTA_KINDS.map((kind) => [kind, row(kind)])) as Record<QuotaKind, number>;
}

export function usageOf(get: Get, { projectId, user }: QuotaOwner): Readonly<Record<QuotaKind, number>> {
  const used = get<UsageRecord>(KEYS.usage(projectId, user))?.used ?? {};
  return Object.fromEntries(QUOTA_KINDS.map((kind) => [kind, used[kind] ?? 0])) as Record<QuotaKind, number>;
}

function ownersOf(owner: QuotaOwner): QuotaOwner[] {
  return owner.user === undefined ? [owner] : [{ projectId: owner.projectId }, owner];
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
    const used = usageOf(get, one);
    const limits = limitsOf(get, one);
    const next: Partial<Record<QuotaKind, number>> = { ...used };
    for (const kind of QUOTA_KINDS) {
      const amount = amounts[kind] ?? 0;
      if (amount === 0) continue;
      next[kind] = Math.max(0, used[kind] + sign * amount);
      if (sign === 1 && next[kind] > limits[kind])
        throw exceeded(kind, one, { amount, used: used[kind], limit: limits[kind] });
    }
    draft.put(KEYS.usage(one.projectId, one.user), { v: 1, used: next } satisfies UsageRecord);
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
} as const satisfies Record<QuotaKind, string>;

function exceeded(kind: QuotaKind, owner: QuotaOwner, n: { amount: number; used: number; limit: number }): CloudError {
  const whose = owner.user === undefined ? `project ${owner.projectId}` : `${owner.user} in project ${owner.projectId}`;
  return new CloudError(
    CODES[kind],
    `${whose} has ${n.used} of ${n.limit} ${kind} in use and asks for ${n.amount} more; see "novactl quota show"`,
    { details: { quota: kind, ...n } },
  );
}
