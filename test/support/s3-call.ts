import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { checksumOf } from '../../src/base/checksums.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { CloudError } from '../../src/base/errors.ts';
import { S3_ACTIONS } from '../../src/controller/api/s3/actions/index.ts';
import type { BucketCall, S3Action, S3Answer, S3Body } from '../../src/controller/api/s3/s3-action.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { bucketSample } from './object-samples.ts';

export interface S3Request {
  readonly method?: S3Action['method'];
  readonly bucket?: string;
  readonly key?: string;
  /** As in a URL: `versions&max-keys=2`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Default p-1, which owns the buckets of the samples. */
  readonly project?: string;
  readonly anonymous?: boolean;
  readonly nowMs?: number;
  /** Those that are refused. */
  readonly denied?: readonly string[];
  readonly formSigner?: string;
}

export interface Told extends Omit<S3Answer, 'body'> {
  readonly text: string;
}

const ACCOUNTS: Readonly<Record<string, string>> = { 'p-1': '111111111111', 'p-2': '222222222222' };
const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
const PIECE_BYTES = 65_521;
const chances = new WeakMap<ObjectStore, SeededRandom>();

/** One for each store, so that a test's ids are the same alone and among others. */
function chanceOf(store: ObjectStore): SeededRandom {
  const random = chances.get(store) ?? new SeededRandom(6);
  chances.set(store, random);
  return random;
}

function bodyOf(store: ObjectStore, { body = '', headers = {} }: S3Request): S3Body {
  const bytes = Buffer.from(body);
  // In pieces, as a connection gives it.
  const pieces = Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, n) =>
    bytes.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES),
  );
  const stream = (): Readable => Readable.from(pieces, { highWaterMark: 1 });
  return {
    length: bytes.length,
    text: async () => bytes.toString(),
    stream,
    receive: async ({ maxBytes, checksum: asked }) => {
      const brought = ALGORITHMS.find((name) => headers[`x-amz-checksum-${name.toLowerCase()}`] !== undefined);
      const algorithm = asked ?? brought;
      const received = await store.receive(stream(), { maxBytes });
      if (algorithm === undefined) return received;
      const value = checksumOf(algorithm, bytes);
      return { ...received, checksum: { algorithm, type: 'FULL_OBJECT', value } };
    },
  };
}

/** The row that the request is for; as the router finds it. */
export function rowOf({ method = 'GET', bucket = '', key = '', query = '', headers = {} }: S3Request): S3Action {
  const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const asked = new URLSearchParams(query);
  const fits = S3_ACTIONS.filter((row) => {
    const [name, value] = row.query?.split('=') ?? [];
    const of = row.level === 'new-bucket' ? 'bucket' : row.level;
    return (
      row.method === method &&
      of === level &&
      (name === undefined || (asked.has(name) && (value === undefined || asked.get(name) === value))) &&
      (row.header === undefined || headers[row.header] !== undefined)
    );
  });
  const weight = (row: S3Action): number => (row.query === undefined ? 0 : 1) + (row.header === undefined ? 0 : 1);
  const [best] = fits.toSorted((a, b) => weight(b) - weight(a));
  if (best === undefined) throw new Error(`no action for ${method} ${bucket}/${key}?${query}`);
  return best;
}

/** Carries a request out by its row, over a store, without a server: as the owner's project, who may do all that is not `denied`. */
export async function performS3(store: ObjectStore, request: S3Request): Promise<S3Answer> {
  const { bucket = '', key = '', query = '', headers = {}, project = 'p-1', anonymous = false, denied = [] } = request;
  const row = rowOf(request);
  const call: BucketCall = {
    requestId: 'req-1',
    nowMs: request.nowMs ?? 5_000,
    random: chanceOf(store),
    method: row.method,
    endpoint: 'http://127.0.0.1:3333',
    region: 'nova',
    bucketName: bucket,
    key,
    query: new Map(new URLSearchParams(query)),
    header: (name) => headers[name],
    headersOf: (prefix) =>
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      ),
    caller: anonymous
      ? { kind: 'anonymous' }
      : { kind: 'key', principal: { name: 'u', projectId: project, roles: [], from: 's3' } },
    store,
    body: bodyOf(store, request),
    accountIdOf: (id) => ACCOUNTS[id],
    accountIdNow: async (id) => ACCOUNTS[id],
    projectId: () => {
      if (anonymous) throw new CloudError('AccessDenied', 'nobody');
      return project;
    },
    require: async (permission) => {
      if (denied.includes(permission)) throw new CloudError('AccessDenied', `${permission} is denied`);
    },
    bucket: row.level === 'bucket' || row.level === 'object' ? await store.bucket(bucket) : bucketSample(''),
    asKey: async () => call,
    asFormSigner: async () => ({ ...call, projectId: () => request.formSigner ?? 'p-1' }),
  };
  if (row.permission !== undefined) await call.require(row.permission, call.bucket);
  return row.perform(call);
}

/** The same with the body as text. */
export async function askS3(store: ObjectStore, request: S3Request): Promise<Told> {
  const { status, headers, body = '' } = await performS3(store, request);
  return { status, headers, text: typeof body === 'string' ? body : await readText(body) };
}

/** All texts of an element's name. */
export function textsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) => text);
}
