import type { DeleteMarker, ObjectSummary } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { isoTime, ownerTree, xmlAnswer } from './answers.ts';
import { invalidArgument, pageSize } from './asked.ts';
import { commonPrefixTrees, encoderOf, summaryTree } from './list-objects.ts';

function versionTree(version: ObjectSummary | DeleteMarker, encode: (key: string) => string): S3Tree {
  const head = { Key: encode(version.key), VersionId: version.versionId, IsLatest: version.isLatest };
  const Owner = ownerTree(version.ownerId);
  if (version.kind === 'object') return { Version: { ...head, ...summaryTree(version), Owner } };
  return { DeleteMarker: { ...head, LastModified: isoTime(version.modifiedMs), Owner } };
}

async function listVersions(call: BucketCall): Promise<S3Answer> {
  const { query, store, bucket } = call;
  const encode = encoderOf(call);
  const { max } = pageSize(call, 'max-keys');
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const after = query.get('key-marker') ?? '';
  const afterVersionId = query.get('version-id-marker') ?? '';
  if (afterVersionId !== '' && after === '')
    throw invalidArgument('version-id-marker', afterVersionId, 'together with key-marker');
  const page = await store.listVersions(bucket.name, {
    prefix,
    delimiter,
    after,
    max,
    ...(afterVersionId === '' ? {} : { afterVersionId }),
  });
  return xmlAnswer('ListVersionsResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    KeyMarker: encode(after),
    VersionIdMarker: afterVersionId,
    NextKeyMarker: page.next === undefined ? undefined : encode(page.next),
    NextVersionIdMarker: page.nextVersionId,
    MaxKeys: max,
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    IsTruncated: page.next !== undefined,
    EncodingType: query.get('encoding-type'),
    '': page.rows.map((version) => versionTree(version, encode)),
    CommonPrefixes: commonPrefixTrees(page.commonPrefixes, encode),
  });
}

export const VERSION_ACTIONS: readonly S3Action[] = [
  {
    name: 'ListObjectVersions',
    level: 'bucket',
    method: 'GET',
    query: 'versions',
    permission: 's3:ListBucketVersions',
    perform: listVersions,
  },
];
