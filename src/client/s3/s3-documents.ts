import { CloudError } from '../../base/errors.ts';
import { escapeXml, xmlChildren, xmlText, type XmlElement } from '../../base/xml.ts';

export interface S3Bucket {
  readonly name: string;
  readonly createdAtMs: number;
  readonly region: string;
}

/** An object, or one version of it. */
export interface S3Object {
  readonly key: string;
  readonly sizeBytes: number;
  /** Without its quotes. */
  readonly etag: string;
  readonly modifiedAtMs: number;
  readonly versionId?: string;
  /** Whether it is the version that is read without naming one. */
  readonly latest?: boolean;
  /** What stands where an object was deleted. */
  readonly deleteMarker?: boolean;
}

/** One page of a list. */
export interface S3Page {
  readonly objects: readonly S3Object[];
  /** Ended by the delimiter. */
  readonly prefixes: readonly string[];
  /** What asks for the next page; undefined: this is the last. */
  readonly next?: Readonly<Record<string, string>>;
}

export interface S3Upload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAtMs: number;
  /** Absent: its parts are known by their MD5 alone. */
  readonly checksumAlgorithm?: string;
}

export interface S3Part {
  readonly number: number;
  readonly sizeBytes: number;
  /** Hex MD5. */
  readonly etag: string;
  /** Base64. */
  readonly crc32?: string;
}

export interface S3Quota {
  readonly usedBytes: number;
  readonly usedObjects: number;
  readonly maxBytes?: number;
  readonly maxObjects?: number;
}

const missing = (name: string): CloudError => new CloudError('InternalError', `the answer of S3 has no ${name}`);

/** An element's own text as it is: keys may begin with blanks. */
function rawText(element: XmlElement, name: string): string {
  const found = element.children.find((child) => child.name === name);
  if (found === undefined) throw missing(name);
  return found.text;
}

function word(element: XmlElement, name: string): string {
  const found = xmlText(element, name);
  if (found === undefined) throw missing(name);
  return found;
}

/** A whole number, at most 2^53. */
function count(element: XmlElement, name: string): number {
  const found = word(element, name);
  if (!/^\d{1,16}$/.test(found)) throw missing(`number in ${name}`);
  return Number(found);
}

const moment = (element: XmlElement, name: string): number => Date.parse(word(element, name));
const bare = (etag: string): string => etag.replaceAll('"', '');
/** Lists are asked for with `encoding-type=url`: XML can't carry every key. */
const decoded = (text: string): string => decodeURIComponent(text);

export function readBuckets(root: XmlElement): { readonly buckets: readonly S3Bucket[]; readonly next?: string } {
  const list = root.children.find(({ name }) => name === 'Buckets');
  const buckets = (list === undefined ? [] : xmlChildren(list, 'Bucket')).map((one) => ({
    name: word(one, 'Name'),
    createdAtMs: moment(one, 'CreationDate'),
    region: xmlText(one, 'BucketRegion') ?? '',
  }));
  const next = xmlText(root, 'ContinuationToken');
  return { buckets, ...(next === undefined || next === '' ? {} : { next }) };
}

const prefixesIn = (root: XmlElement): string[] =>
  xmlChildren(root, 'CommonPrefixes').map((one) => decoded(rawText(one, 'Prefix')));

export function readObjects(root: XmlElement): S3Page {
  const objects = xmlChildren(root, 'Contents').map((one) => ({
    key: decoded(rawText(one, 'Key')),
    sizeBytes: count(one, 'Size'),
    etag: bare(word(one, 'ETag')),
    modifiedAtMs: moment(one, 'LastModified'),
  }));
  const token = xmlText(root, 'NextContinuationToken');
  const next = token === undefined || token === '' ? {} : { next: { 'continuation-token': token } };
  return { objects, prefixes: prefixesIn(root), ...next };
}

export function readVersions(root: XmlElement): S3Page {
  const rows = root.children.filter(({ name }) => name === 'Version' || name === 'DeleteMarker');
  const objects = rows.map((one): S3Object => {
    const isMarker = one.name === 'DeleteMarker';
    return {
      key: decoded(rawText(one, 'Key')),
      sizeBytes: isMarker ? 0 : count(one, 'Size'),
      etag: isMarker ? '' : bare(word(one, 'ETag')),
      modifiedAtMs: moment(one, 'LastModified'),
      versionId: word(one, 'VersionId'),
      latest: word(one, 'IsLatest') === 'true',
      ...(isMarker ? { deleteMarker: true } : {}),
    };
  });
  const page = { objects, prefixes: prefixesIn(root) };
  if (xmlText(root, 'IsTruncated') !== 'true') return page;
  const version = xmlText(root, 'NextVersionIdMarker');
  return {
    ...page,
    next: {
      'key-marker': decoded(rawText(root, 'NextKeyMarker')),
      ...(version === undefined || version === '' ? {} : { 'version-id-marker': version }),
    },
  };
}

export function readUploads(root: XmlElement): {
  readonly uploads: readonly S3Upload[];
  readonly next?: Readonly<Record<string, string>>;
} {
  const uploads = xmlChildren(root, 'Upload').map((one) => {
    const checksumAlgorithm = xmlText(one, 'ChecksumAlgorithm');
    return {
      key: decoded(rawText(one, 'Key')),
      uploadId: word(one, 'UploadId'),
      startedAtMs: moment(one, 'Initiated'),
      ...(checksumAlgorithm === undefined ? {} : { checksumAlgorithm }),
    };
  });
  if (xmlText(root, 'IsTruncated') !== 'true') return { uploads };
  const upload = xmlText(root, 'NextUploadIdMarker') ?? '';
  const next = {
    'key-marker': decoded(rawText(root, 'NextKeyMarker')),
    ...(upload === '' ? {} : { 'upload-id-marker': upload }),
  };
  return { uploads, next };
}

/** Of the document that an extension of this cloud answers. */
export function readQuota(root: XmlElement): S3Quota {
  const number = (name: string): number | undefined => {
    const text = xmlText(root, name) ?? '';
    return text === '' ? undefined : Number(text);
  };
  const [usedBytes, usedObjects, maxBytes, maxObjects] = ['UsedBytes', 'UsedObjects', 'MaxBytes', 'MaxObjects'].map(
    number,
  );
  if (usedBytes === undefined || usedObjects === undefined) throw missing('UsedBytes and UsedObjects');
  return {
    usedBytes,
    usedObjects,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxObjects === undefined ? {} : { maxObjects }),
  };
}

export function readParts(root: XmlElement): { readonly parts: readonly S3Part[]; readonly next?: number } {
  const parts = xmlChildren(root, 'Part').map((one) => {
    const crc32 = xmlText(one, 'ChecksumCRC32');
    return {
      number: count(one, 'PartNumber'),
      sizeBytes: count(one, 'Size'),
      etag: bare(word(one, 'ETag')),
      ...(crc32 === undefined ? {} : { crc32 }),
    };
  });
  return xmlText(root, 'IsTruncated') === 'true' ? { parts, next: count(root, 'NextPartNumberMarker') } : { parts };
}

/** What could not be deleted of several. */
export function readDeleteErrors(
  root: XmlElement,
): readonly { readonly key: string; readonly code: string; readonly message: string }[] {
  return xmlChildren(root, 'Error').map((one) => ({
    key: rawText(one, 'Key'),
    code: xmlText(one, 'Code') ?? 'InternalError',
    message: xmlText(one, 'Message') ?? '',
  }));
}

/** A document to send. */
export type Tree = string | number | readonly Tree[] | { readonly [name: string]: Tree | undefined };

function element(name: string, tree: Tree): string {
  if (Array.isArray(tree)) return (tree as readonly Tree[]).map((one) => element(name, one)).join('');
  if (typeof tree !== 'object') return `<${name}>${escapeXml(String(tree))}</${name}>`;
  const inside = Object.entries(tree as Record<string, Tree | undefined>)
    .map(([child, value]) => (value === undefined ? '' : element(child, value)))
    .join('');
  return `<${name}>${inside}</${name}>`;
}

export const document = (name: string, tree: Tree): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, tree)}`;
