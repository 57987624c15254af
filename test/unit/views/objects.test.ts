import { describe, expect, it } from 'vitest';
import { bucketDetails, quotaDetails } from '../../../src/views/buckets.ts';
import { filterRows } from '../../../src/views/filter.ts';
import { renderListing, renderOne, type Format } from '../../../src/views/listing.ts';
import { objectFilterColumns, objectListing, type ObjectRow } from '../../../src/views/objects.ts';

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const ROWS: readonly ObjectRow[] = [
  { key: 'a\u001b[31m.txt', sizeBytes: 1536, etag: 'e1', modifiedAtMs: AT_MS, versionId: 'v1', latest: true },
  { key: ' b', sizeBytes: 0, etag: '', modifiedAtMs: AT_MS, versionId: 'v2', latest: false, deleteMarker: true },
  { key: 'folder/' },
];
const rendering = (format: Format) => ({
  ...{ format, nowMs: AT_MS + 60_000, width: undefined, color: false, cutMark: '' },
  yaml: JSON.stringify,
});

describe('lists of objects', () => {
  it('have columns that stand in line on every page, and no control characters', () => {
    expect(renderListing(objectListing(ROWS, false), rendering('table')).split('\n')).toEqual([
      'MODIFIED                   SIZE  KEY',
      '2026-01-02T03:04:05Z    1.5 KiB  a [31m.txt',
      '2026-01-02T03:04:05Z    deleted   b',
      '                         folder  folder/',
      '',
    ]);
  });

  it('have plain values for programs', () => {
    expect(renderListing(objectListing(ROWS.slice(0, 1), true), rendering('csv'))).toBe(
      'modified,sizeBytes,latest,version,etag,key\n2026-01-02T03:04:05.000Z,1536,true,v1,e1,a\u001b[31m.txt\n',
    );
    expect(renderListing(objectListing(ROWS, true), rendering('name'))).toBe('a\u001b[31m.txt\n b\nfolder/\n');
  });

  it.each([
    ['latest=yes', ['a\u001b[31m.txt']],
    ['size=deleted', [' b']],
    ['key= b', [' b']],
    ['key!=folder/', ['a\u001b[31m.txt', ' b']],
  ])('are filtered by %s as it is read', (filter, keys) => {
    expect(filterRows(ROWS, objectFilterColumns(true), [filter], AT_MS).map(({ key }) => key)).toEqual(keys);
  });
});

describe('a bucket', () => {
  const bucket = {
    ...({ name: 'box', region: 'nova', projectId: 'lab', versioning: 'off', policy: true, cors: false } as const),
    ...{ lifecycle: false, uploadsUnderWay: 2, createdAtMs: AT_MS },
  };

  it('tells what is in it and may be', () => {
    const usage = { usedBytes: 512, usedObjects: 1, maxBytes: 1024 };
    const text = renderOne(bucketDetails({ ...bucket, ...usage }, AT_MS + 60_000), rendering('table'));
    expect(text).toMatch(/\nbytes +512 B of 1\.0 KiB \(50 %\)\nobjects +1, no limit\npolicy +yes\n/);
  });

  it('says nothing of what the caller may not know', () => {
    const text = renderOne(bucketDetails(bucket, AT_MS), rendering('table'));
    expect(text).not.toMatch(/bytes|objects/);
    expect(text).toMatch(/uploads under way +2\n/);
  });

  it('has limits that programs can read', () => {
    const text = renderOne(quotaDetails('box', { usedBytes: 1, usedObjects: 2, maxObjects: 0 }), rendering('csv'));
    expect(text).toBe('bucket,usedBytes,maxBytes,usedObjects,maxObjects\nbox,1,none,2,0\n');
  });
});
