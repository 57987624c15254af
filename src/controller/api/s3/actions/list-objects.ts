import type { ObjectSummary } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer, S3Call } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { isoTime, ownerTree, quoted, xmlAnswer } from './answers.ts';
import { invalidArgument, pageSize } from './asked.ts';
import { readToken, tokenOf } from './page-token.ts';

/** How keys are written in the answer: as they are, or with `encoding-type=url`, since XML can't carry every character. */
export function encoderOf({ query }: S3Call): (key: string) => string {
  const encoding = query.get('encoding-type');
  if (encoding === undefined || encoding === '') return (key) => key;
  if (encoding !== 'url') throw invalidArgument('encoding-type', encoding, 'url');
  return (key) => encodeURIComponent(key).replaceAll('%2F', '/');
}

/** What the three lists tell of an object or a version. */
export function summaryTree(object: ObjectSummary): Record<string, S3Tree> {
  return {
    LastModified: isoTime(object.modifiedMs),
    ETag: quoted(object.etag),
    ChecksumAlgorithm: object.checksum?.algorithm,
    ChecksumType: object.checksum?.type,
    Size: object.sizeBytes,
    StorageClass: 'STANDARD',
  };
}

export function commonPrefixTrees(prefixes: readonly string[], encode: (key: string) => string): S3Tree {
  return prefixes.map((prefix) => ({ Prefix: encode(prefix) }));
}

async function listObjects(call: BucketCall): Promise<S3Answer> {
  const { query, store, bucket } = call;
  const encode = encoderOf(call);
  const { told, max } = pageSize(call, 'max-keys');
  const [prefix, delimiter, after] = ['prefix', 'delimiter', 'marker'].map((name) => query.get(name) ?? '');
  const asked = { prefix: prefix ?? '', delimiter: delimiter ?? '', after: after ?? '' };
  const page = await store.list(bucket.name, { ...asked, max });
  return xmlAnswer('ListBucketResult', {
    Name: bucket.name,
    Prefix: encode(asked.prefix),
    Marker: encode(asked.after),
    NextMarker: page.next === undefined ? undefined : encode(page.next),
    MaxKeys: Math.min(told, max),
    Delimiter: asked.delimiter === '' ? undefined : encode(asked.delimiter),
    IsTruncated: page.next !== undefined,
    EncodingType: query.get('encoding-type'),
    Contents: page.rows.map((object) => ({
      Key: encode(object.key),
      ...summaryTree(object),
      Owner: ownerTree(object.ownerId),
    })),
    CommonPrefixes: commonPrefixTrees(page.commonPrefixes, encode),
  });
}

async function listObjectsV2(call: BucketCall): Promise<S3Answer> {
  const { query, store, bucket } = call;
  const encode = encoderOf(call);
  const { max } = pageSize(call, 'max-keys');
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const startAfter = query.get('start-after');
  const token = readToken(call, 'continuation-token');
  const withOwner = query.get('fetch-owner')?.toLowerCase() === 'true';
  const page = await store.list(bucket.name, { prefix, delimiter, after: token?.after ?? startAfter ?? '', max });
  return xmlAnswer('ListBucketResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    ContinuationToken: query.get('continuation-token'),
    NextContinuationToken: page.next === undefined ? undefined : tokenOf({ after: page.next }),
    KeyCount: page.rows.length + page.commonPrefixes.length,
    MaxKeys: max,
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    IsTruncated: page.next !== undefined,
    EncodingType: query.get('encoding-type'),
    Contents: page.rows.map((object) => ({
      Key: encode(object.key),
      ...summaryTree(object),
      Owner: withOwner ? ownerTree(object.ownerId) : undefined,
    })),
    CommonPrefixes: commonPrefixTrees(page.commonPrefixes, encode),
  });
}

export const LIST_ACTIONS: readonly S3Action[] = [
  { name: 'ListObjects', level: 'bucket', method: 'GET', permission: 's3:ListBucket', perform: listObjects },
  {
    name: 'ListObjectsV2',
    level: 'bucket',
    method: 'GET',
    query: 'list-type=2',
    permission: 's3:ListBucket',
    perform: listObjectsV2,
  },
];
