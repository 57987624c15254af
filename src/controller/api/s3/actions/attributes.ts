import type { ObjectRecord } from '../../../../domain/s3/records.ts';
import { S3_LIMITS } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { checksumTree, httpTime, versionHeader, xmlAnswer } from './answers.ts';
import { invalidArgument, requireObject, wholeNumber } from './asked.ts';
import { lookUp } from './get-object.ts';

const HEADER = 'x-amz-object-attributes';

function numberOf(call: BucketCall, header: string, usual: number): number {
  const value = call.header(header);
  return value === undefined ? usual : wholeNumber(header, value, { min: 0, max: 2 ** 31 - 1 });
}

/** Parts are told one by one only where they have checksums, as S3 does. */
function partsTree(call: BucketCall, { parts, checksum }: ObjectRecord): S3Tree {
  if (parts === undefined) return undefined;
  const max = Math.min(numberOf(call, 'x-amz-max-parts', S3_LIMITS.pageKeys), S3_LIMITS.pageKeys);
  const after = numberOf(call, 'x-amz-part-number-marker', 0);
  const rest = parts.filter(({ number }) => number > after);
  const page = rest.slice(0, max);
  return {
    PartsCount: parts.length,
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.number ?? after,
    MaxParts: max,
    IsTruncated: page.length > 0 && page.length < rest.length,
    Part:
      checksum === undefined
        ? undefined
        : page.map((part) => ({ PartNumber: part.number, Size: part.sizeBytes, ...checksumTree(part.checksum) })),
  };
}

const ATTRIBUTES: Readonly<Record<string, (call: BucketCall, object: ObjectRecord) => S3Tree>> = {
  ETag: (_call, object) => object.etag,
  Checksum: (_call, { checksum }) => (checksum === undefined ? undefined : checksumTree(checksum, true)),
  ObjectParts: partsTree,
  StorageClass: () => 'STANDARD',
  ObjectSize: (_call, object) => object.sizeBytes,
};
const NAMES = Object.keys(ATTRIBUTES);

async function getAttributes(call: BucketCall): Promise<S3Answer> {
  const asked = (call.header(HEADER) ?? '').split(',').map((name) => name.trim());
  const unknown = asked.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw invalidArgument(HEADER, unknown, NAMES.join(', '));
  const versionId = await requireObject(call, 's3:GetObjectAttributes');
  const object = await lookUp(call, call.key, versionId);
  const tree = Object.fromEntries(
    NAMES.filter((name) => asked.includes(name)).map((name) => [name, ATTRIBUTES[name]?.(call, object)]),
  );
  return xmlAnswer('GetObjectAttributesResponse', tree, {
    'last-modified': httpTime(object.modifiedMs),
    ...versionHeader(call.bucket, object.versionId),
  });
}

export const ATTRIBUTE_ACTIONS: readonly S3Action[] = [
  { name: 'GetObjectAttributes', level: 'object', method: 'GET', query: 'attributes', perform: getAttributes },
];
