import type { SignableRequest } from '../../../base/signature/canonical-request.ts';

/** As node's IncomingMessage has it. */
interface RequestHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** A request as its signature covers it. From the raw headers: node joins or drops doubled ones in the others. */
export function signableRequest({ method, url, rawHeaders }: RequestHead): SignableRequest {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    const known = headers.get(name);
    if (known === undefined) headers.set(name, [value]);
    else known.push(value);
  }
  const target = url ?? '/';
  const mark = target.indexOf('?');
  return {
    method: method ?? '',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
  };
}
