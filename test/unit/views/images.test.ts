import { describe, expect, it } from 'vitest';
import { imageCacheListing } from '../../../src/views/image-cache.ts';
import { imageDetails, imageListing, type ImageView } from '../../../src/views/images.ts';
import { renderListing, renderOne, type RenderOptions } from '../../../src/views/listing.ts';

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const RENDERING: RenderOptions = {
  ...{ format: 'table', nowMs: AT_MS + 45_000, width: undefined, color: false, cutMark: '' },
  yaml: JSON.stringify,
};
const PENDING: ImageView = {
  ...{ imageId: 'ami-0123456789abcdef0', name: 'golden', kind: 'machine', state: 'pending', architecture: 'x86_64' },
  ...{ format: 'raw', sizeBytes: 0, virtualSizeBytes: 0, sha256: '', projectId: 'lab', public: false },
  ...{ sourceId: 'i-0123456789abcdef0', createdAtMs: AT_MS },
  progress: {
    ...{ step: 'copying', doneBytes: 1536, totalBytes: 6144, bytesPerSecond: 512, attempts: 1 },
    ...{ startedAtMs: AT_MS, updatedAtMs: AT_MS },
  },
};

describe('an image that is being made', () => {
  it('claims nothing of bytes that nobody has seen yet', () => {
    expect(renderOne(imageDetails(PENDING, RENDERING.nowMs), RENDERING).split('\n')).toEqual([
      'id            ami-0123456789abcdef0',
      'name          golden',
      'kind          machine',
      'state         pending 25 %',
      'progress      copying, 1.5 KiB of 6.0 KiB, 512 B/s',
      'architecture  x86_64',
      'project       lab',
      'public        no',
      'made of       i-0123456789abcdef0',
      'created       2026-01-02T03:04:05.000Z (45s ago)',
      '',
    ]);
    expect(renderListing(imageListing([PENDING]), RENDERING).split('\n')[1]).toBe(
      'ami-0123456789abcdef0  golden  machine  pending 25 %  -          -  45s',
    );
  });
});

describe('the images that hosts keep', () => {
  it('say which of them were removed and stay for their instances', () => {
    const images = [
      { imageId: 'ami-0123456789abcdef0', name: 'old', deregistered: true },
      { imageId: 'ami-0123456789abcdef1', name: 'new' },
    ];
    const row = {
      ...{ hostId: 'h-0123456789abcdef0', hostName: 'node1', sha256: 'ab'.repeat(32), kind: 'machine' as const },
      ...{ sizeBytes: 1536, lastUsedMs: AT_MS, usedBy: ['i-0123456789abcdef0'], images },
    };
    expect(renderListing(imageCacheListing([row]), RENDERING).split('\n')).toEqual([
      'HOST   IMAGE               DIGEST        KIND        SIZE  USED  IN-USE',
      'node1  old (removed), new  abababababab  machine  1.5 KiB   45s       1',
      '',
    ]);
  });
});
