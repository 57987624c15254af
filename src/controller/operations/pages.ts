import type { Entry, Replica } from '../../ports/store.ts';
import { badParameter } from './handler.ts';

export interface Page<V> {
  readonly rows: V[];
  readonly nextToken?: string;
}

/**
 * Up to `limit` rows of the records under a prefix; those that `pick` answers undefined for are left out. The token is the key of the last row:
 * pages stay stable while other records come and go. Token errors: 'InvalidParameterValue'.
 */
export function pageOf<R, V>(
  replica: Replica,
  prefix: string,
  ask: { readonly limit: number; readonly token: string | undefined },
  pick: (entry: Entry<R>) => V | undefined,
): Page<V> {
  const { limit } = ask;
  const rows: V[] = [];
  let after = startOf(prefix, ask.token);
  for (;;) {
    const entries = replica.range<R>(prefix, { ...(after === undefined ? {} : { after }), limit });
    for (const entry of entries) {
      after = entry.key;
      const row = pick(entry);
      if (row !== undefined) rows.push(row);
      if (rows.length >= limit) return { rows, ...nextToken(replica, prefix, after) };
    }
    if (entries.length < limit) return { rows };
  }
}

function nextToken(replica: Replica, prefix: string, after: string): { nextToken?: string } {
  const more = replica.range(prefix, { after, limit: 1 }).length > 0;
  return more ? { nextToken: Buffer.from(after).toString('base64url') } : {};
}

function startOf(prefix: string, token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const key = Buffer.from(token, 'base64url').toString();
  if (!key.startsWith(prefix)) throw badParameter('NextToken', 'is not a token that this cloud gave out');
  return key;
}
