import { describe, expect, it } from 'vitest';
import { createOverlayArgv, parseFreeBytes } from '../../../../../src/workers/drivers/qemu-img/commands.ts';

describe('qemu-img commands', () => {
  it('name both formats, so that nothing is guessed', () => {
    const spec = { path: '/d/disk', basePath: '/b/base', baseFormat: 'raw', virtualSizeBytes: 1024 } as const;
    expect(createOverlayArgv(spec).join(' ')).toBe('qemu-img create -q -f qcow2 -b /b/base -F raw /d/disk 1024');
    expect(createOverlayArgv({ ...spec, baseFormat: 'qcow2' })).toContain('qcow2');
  });

  it.each([
    ['        Avail\n 79123456789\n', 79_123_456_789],
    ['Avail\n0\n', 0],
    ['Avail\n-\n', undefined],
    ['', undefined],
    ['df: no such file', undefined],
  ])('free bytes of %j', (stdout, bytes) => {
    expect(parseFreeBytes(stdout)).toBe(bytes);
  });
});
