import { describe, expect, it } from 'vitest';
import { createOverlayArgv, parseFreeBytes } from '../../../../../src/workers/drivers/qemu-img/commands.ts';

describe('qemu-img commands', () => {
  it('name both formats, so that nothing is guessed', () => {
    const at = { baseDir: '/d', instancesDir: '/d/i', folder: '/d/i/1', tmp: '/d/i/1/tmp', disk: '/d/i/1/disk' };
    const spec = { basePath: '/b/base', baseFormat: 'raw', virtualSizeBytes: 1024, uid: 64055, gid: 109 } as const;
    const [shell, flag, script, ...words] = createOverlayArgv(at, spec);
    expect([shell, flag]).toEqual(['sh', '-c']);
    expect(script).toContain('qemu-img create -q -f qcow2 -b "$6" -F "$7"');
    expect(words).toEqual([
      'sh',
      '/d',
      '/d/i',
      '/d/i/1',
      '/d/i/1/tmp',
      '/d/i/1/disk',
      '/b/base',
      'raw',
      '1024',
      '64055:109',
    ]);
    expect(createOverlayArgv(at, { ...spec, baseFormat: 'qcow2' })).toContain('qcow2');
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
