import { CloudError } from '../../base/errors.ts';
import type { DeleteMarker, ObjectRecord, ObjectSummary, ObjectVersion, Segment } from '../../domain/s3/records.ts';

/** `state` of a version's row. */
export const STATE = { noncurrent: 0, object: 1, marker: 2 } as const;

/** A row of the table `versions`; a marker has no size. */
export interface VersionRow {
  readonly id: number;
  readonly key: Uint8Array;
  readonly version: string;
  readonly state: number;
  readonly size: number | null;
  readonly head: string;
}

export interface WholeVersionRow extends VersionRow {
  readonly rest: string | null;
}

export const HEAD_COLUMNS = 'id, key, version, state, size, head';
export const WHOLE_COLUMNS = `${HEAD_COLUMNS}, rest`;

type Head = Pick<ObjectRecord, 'modifiedMs' | 'ownerId' | 'etag' | 'tags' | 'checksum'>;
type Rest = Pick<ObjectRecord, 'metadata' | 'grants' | 'segments' | 'parts' | 'uploadId'>;

/** 'InvalidArgument' for half a character: as bytes it would be another key than it is as text. */
export function keyBytes(key: string): Buffer {
  if (!key.isWellFormed())
    throw new CloudError('InvalidArgument', 'a key is UTF-8, and this one has half a character in it');
  return Buffer.from(key, 'utf8');
}

export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}

export function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
}

/** What the two JSON columns of an object hold. */
export function objectColumns(object: Head & Rest): { head: string; rest: string } {
  const { modifiedMs, ownerId, etag, tags, checksum, metadata, grants, segments, parts, uploadId } = object;
  const head: Head = { modifiedMs, ownerId, etag, tags, ...(checksum === undefined ? {} : { checksum }) };
  const rest: Rest = {
    ...{ metadata, grants, segments },
    ...(parts === undefined ? {} : { parts }),
    ...(uploadId === undefined ? {} : { uploadId }),
  };
  return { head: JSON.stringify(head), rest: JSON.stringify(rest) };
}

export function markerHead(marker: Pick<DeleteMarker, 'modifiedMs' | 'ownerId'>): string {
  return JSON.stringify({ modifiedMs: marker.modifiedMs, ownerId: marker.ownerId });
}

export function segmentsOf(rest: string | null): readonly Segment[] {
  return rest === null ? [] : (JSON.parse(rest) as Rest).segments;
}

export function summaryOf(bucket: string, row: VersionRow): ObjectSummary | DeleteMarker {
  const common = {
    bucket,
    key: keyText(row.key),
    versionId: row.version,
    isLatest: row.state !== STATE.noncurrent,
    ...(JSON.parse(row.head) as Head),
  };
  return row.size === null ? { kind: 'marker', ...common } : { kind: 'object', sizeBytes: row.size, ...common };
}

export function versionOf(bucket: string, row: WholeVersionRow): ObjectVersion {
  const summary = summaryOf(bucket, row);
  return summary.kind === 'marker' ? summary : { ...summary, ...(JSON.parse(row.rest ?? '{}') as Rest) };
}
