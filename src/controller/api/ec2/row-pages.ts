import { CloudError } from '../../../base/errors.ts';

/** One page of rows that are sorted by a key of their own: the token is the last one's, so that pages stay stable while rows come and go. */
export function rowPage<R>(
  rows: readonly R[],
  keyOf: (row: R) => string,
  { MaxResults, NextToken }: { readonly MaxResults?: number; readonly NextToken?: string },
): { readonly rows: readonly R[]; readonly nextToken?: string } {
  const after = NextToken === undefined ? undefined : Buffer.from(NextToken, 'base64url').toString();
  if (after?.startsWith('row/') === false) {
    throw new CloudError('InvalidParameterValue', 'NextToken: is not a token that this cloud gave out', {
      details: { parameter: 'NextToken' },
    });
  }
  const sorted = rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const left = after === undefined ? sorted : sorted.filter((row) => `row/${keyOf(row)}` > after);
  const page = left.slice(0, MaxResults);
  const last = page.at(-1);
  if (last === undefined || page.length === left.length) return { rows: page };
  return { rows: page, nextToken: Buffer.from(`row/${keyOf(last)}`).toString('base64url') };
}
