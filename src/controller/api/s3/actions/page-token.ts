import { z } from 'zod';
import type { S3Call } from '../s3-action.ts';
import { invalidArgument } from './asked.ts';

/** Where a list goes on. Opaque to clients; it names nothing that they have not seen. */
const schema = z.strictObject({ after: z.string().max(8192) });
export type PageToken = z.output<typeof schema>;

export function tokenOf(token: PageToken): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** 'InvalidArgument' for what no answer of ours has given; undefined for none. */
export function readToken({ query }: S3Call, name: string): PageToken | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch {
    throw invalidArgument(name, text, 'a token that a list has given');
  }
}
