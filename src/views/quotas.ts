import { QUOTA_KINDS, QUOTA_LIMIT_MAX } from '../domain/quota.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';
import type { Paint } from './paint.ts';

export type QuotaRow = OperationOutput<'DescribeQuotas'>['quotas'][number];

/** What can be limited. */
export const LIMITED = QUOTA_KINDS;

/** What SetQuota takes for a kind. */
export type LimitWish = number | 'unlimited' | 'default';

/** What a limit may be, for whoever typed another. */
export const LIMIT_ALLOWED = `a whole number, 0 to ${QUOTA_LIMIT_MAX}, "unlimited" or "default"`;

/** Undefined: it says no limit. */
export function limitIn(text: string): LimitWish | undefined {
  if (text === 'unlimited' || text === 'default') return text;
  const limit = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return limit <= QUOTA_LIMIT_MAX ? limit : undefined;
}

/** As tables show it. */
export const limitText = ({ limit }: Pick<QuotaRow, 'limit'>): string =>
  limit === undefined ? 'unlimited' : String(limit);

const BAR_CELLS = 20;
/** From here on a limit is close. */
const CLOSE = 0.9;

const share = ({ used, limit }: QuotaRow): number | undefined =>
  limit === undefined ? undefined : limit === 0 ? Number(used > 0) : used / limit;

/** `####................ 20 %` */
function bar(row: QuotaRow): string {
  const part = share(row);
  if (part === undefined) return '-';
  const cells = Math.min(BAR_CELLS, part > 0 ? Math.max(1, Math.floor(part * BAR_CELLS)) : 0);
  return `${'#'.repeat(cells)}${'.'.repeat(BAR_CELLS - cells)} ${Math.round(part * 100)} %`;
}

function paintUsed(row: QuotaRow): Paint | undefined {
  const part = share(row) ?? 0;
  return part >= 1 ? 'bad' : part >= CLOSE ? 'busy' : undefined;
}

const COLUMNS: readonly Column<QuotaRow>[] = [
  { name: 'kind', fixed: true, text: (row) => row.kind },
  { name: 'used', right: true, text: (row) => String(row.used), paint: paintUsed },
  { name: 'limit', right: true, text: limitText },
  { name: 'bar', wide: true, fixed: true, text: bar, raw: { name: 'share', text: (row) => String(share(row) ?? '') } },
];

/** `extra`: whose they are, beside the rows in json. */
export function quotaListing(rows: readonly QuotaRow[], extra: Record<string, unknown> = {}): Listing<QuotaRow> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.kind,
    data: (kept) => ({ ...extra, quotas: kept }),
    empty: '',
  };
}
