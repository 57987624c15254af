import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVmdkDescriptor } from '../../../src/domain/vmdk-descriptor.ts';
import { isVmdk, parseVmdk, VMDK_TAIL_BYTES, type VmdkFacts } from '../../../src/domain/vmdk-header.ts';
import {
  putVmdkField,
  SOUND_DESCRIPTOR,
  streamSample,
  VMDK_FIELD,
  VMDK_SECTORS,
  type VmdkFields,
  vmdkSample,
} from './vmdk-samples.ts';
import { refusal } from './image-samples.ts';

const HEAD_BYTES = 65_536;
const parse = (file: Buffer): VmdkFacts =>
  parseVmdk(file.subarray(0, HEAD_BYTES), file.length, file.subarray(-VMDK_TAIL_BYTES));

const descriptor = (from: string | RegExp, to: string): string => {
  const text = SOUND_DESCRIPTOR.replace(from, to);
  expect(text).not.toBe(SOUND_DESCRIPTOR);
  return text;
};

describe('parseVmdk', () => {
  it('takes a disk that is one file, with its directory in front or at its end', () => {
    const virtualSizeBytes = VMDK_SECTORS * 512;
    const facts = { virtualSizeBytes, grainBytes: 65_536, directoryAtBytes: 26 * 512, tableEntries: 512 };
    expect(parse(vmdkSample())).toEqual({ ...facts, createType: 'monolithicSparse', isCompressed: false });
    expect(parse(streamSample())).toEqual({ ...facts, createType: 'streamOptimized', isCompressed: true });
  });

  it.each<[string, VmdkFields, string]>([
    ['version 4', { version: 4 }, 'version 4'],
    ['no capacity, which QEMU takes for a descriptor', { capacity: 0 }, 'no capacity'],
    ['more than 2 TiB', { capacity: 2 ** 32 + 1 }, 'above 2 TiB'],
    ['a capacity with the sign bit', { capacity: 1n << 63n }, 'above 2 TiB'],
    ['grains of nothing', { grain: 0 }, 'grains of 0'],
    ['grains of no power of two', { grain: 129 }, 'grains of 129'],
    ['grains of 32 MiB', { grain: 65_536 }, 'grains of 65536'],
    ['tables without entries', { tableEntries: 0 }, 'tables of 0'],
    ['very many tables', { tableEntries: 1, grain: 8, capacity: 8 * 1_048_577 }, 'more than 1048576 grain tables'],
    ['huge tables', { tableEntries: 0xffff_ffff }, 'tables of 4294967295'],
    ['a descriptor elsewhere', { descriptorAt: 40 }, 'not in the sector after its header'],
    ['no descriptor', { descriptorAt: 0, descriptorSectors: 0 }, 'not in the sector after'],
    ['a huge descriptor', { descriptorSectors: 1n << 40n }, 'too large'],
    ['unknown compression', { compression: 2 }, 'compression 2'],
    ['a directory behind the end', { directory: 100_000 }, 'behind the end'],
    ['a directory at 0', { directory: 0 }, 'behind the end'],
    ['another capacity than its extent', { capacity: VMDK_SECTORS + 8 }, 'its extent has 32768 sectors'],
  ])('refuses %s', (_, fields, reason) => {
    expect(refusal(() => parse(vmdkSample(fields)))).toContain(reason);
  });

  it('refuses a stream whose footer is not there, or says other things than its header', () => {
    expect(refusal(() => parse(streamSample().subarray(0, -512)))).toContain('cut off');
    expect(refusal(() => parse(streamSample().subarray(0, -100)))).toContain('cut off');
    expect(refusal(() => parse(streamSample({}, { capacity: 8 })))).toContain('contradict');
    expect(refusal(() => parse(streamSample({}, { capacity: 0 })))).toContain('no capacity');
    expect(refusal(() => parse(streamSample({}, { directory: (1n << 64n) - 1n })))).toContain('does not say');
  });

  it('refuses what is a descriptor alone, with what it names', () => {
    const flat = descriptor(/createType.*/, 'createType="monolithicFlat"').replace(
      /RW .*/,
      'RW 63 FLAT "/etc/shadow" 0',
    );
    const file = Buffer.from(flat);
    expect(isVmdk(file)).toBe(true);
    expect(refusal(() => parse(file))).toContain('RW 63 FLAT "/etc/shadow" 0');
    expect(refusal(() => parse(Buffer.from(SOUND_DESCRIPTOR)))).toContain(
      'descriptor of a monolithicSparse disk alone',
    );
  });

  it('refuses an extent of ESX', () => {
    expect(refusal(() => parse(Buffer.from('COWD'.padEnd(1024, '\0'))))).toContain('ESX');
  });

  it('reads what QEMU reads, also behind the announced end of the descriptor', () => {
    const long = `${SOUND_DESCRIPTOR.padEnd(600, '\n')}parentFileNameHint="/etc/shadow"\n`;
    expect(refusal(() => parse(vmdkSample({ descriptorSectors: 1 }, long)))).toContain('/etc/shadow');
  });
});

describe('parseVmdkDescriptor', () => {
  it.each<[string, string, string]>([
    ['a flat disk', descriptor('SPARSE "disk.vmdk"', 'FLAT "disk-flat.vmdk" 0'), 'FLAT "disk-flat.vmdk" 0'],
    ['a flat disk that names a path of the host', descriptor(/SPARSE .*/, 'FLAT "/etc/shadow" 0'), '/etc/shadow'],
    ['a raw device', descriptor(/SPARSE .*/, 'VMFSRDM "/dev/sda"'), 'VMFSRDM "/dev/sda"'],
    ['VMFS', descriptor('monolithicSparse', 'vmfs'), '"vmfs"'],
    ['a whole device', descriptor('monolithicSparse', 'fullDevice'), '"fullDevice"'],
    ['a disk in pieces', descriptor('monolithicSparse', 'twoGbMaxExtentSparse'), 'twoGbMaxExtentSparse'],
    ['an absolute path', descriptor('disk.vmdk', '/var/lib/x.vmdk'), 'names no plain file'],
    ['a way out of the folder', descriptor('disk.vmdk', '../x.vmdk'), 'names no plain file'],
    ['a path of Windows', descriptor('disk.vmdk', 'C:\\x.vmdk'), 'names no plain file'],
    ['an address', descriptor('disk.vmdk', 'nbd:localhost:10809'), 'names no plain file'],
    ['two extents', descriptor(/(RW .*)/, '$1\n$1'), '2 extents'],
    ['no extent', descriptor(/RW .*/, ''), '0 extents'],
    ['an extent that may not be read', descriptor('RW 32768', 'NOACCESS 32768'), 'may not be read'],
    ['an extent without a name', descriptor(' "disk.vmdk"', ''), 'names no plain file'],
    ['an extent that is nothing', descriptor(/RW .*/, 'RW many'), "can't be read"],
    ['a parent', descriptor('ffffffff', '12345678'), 'parentCID is "12345678"'],
    ['no parentCID', descriptor(/parentCID.*/, ''), 'parentCID is "missing"'],
    ['two parentCIDs', descriptor(/(parentCID.*)/, '$1\nparentCID=12345678'), 'twice'],
    ['the file of a parent', `${SOUND_DESCRIPTOR}parentFileNameHint="/srv/base.vmdk"\n`, '"/srv/base.vmdk"'],
    [
      'the file of a parent in a remark',
      `${SOUND_DESCRIPTOR}# parentFileNameHint="/x"\n`,
      'difference to another file',
    ],
    ['no createType', descriptor(/createType.*/, ''), 'no createType'],
    ['nothing', '', 'parentCID'],
  ])('refuses %s', (_, text, reason) => {
    expect(refusal(() => parseVmdkDescriptor(text))).toContain(reason);
  });

  it('repeats foreign text on one line, and not all of it', () => {
    const text = descriptor('disk.vmdk', `../\u001b[31m${'x'.repeat(500)}`);
    const message = refusal(() => parseVmdkDescriptor(text));
    expect(message).toMatch(/^[\x20-\x7e…]*$/);
    expect(message.length).toBeLessThan(400);
  });
});

describe('whatever a VMDK holds, the answer is a fact or a reason', () => {
  const field = fc.constantFrom(...(Object.keys(VMDK_FIELD) as (keyof typeof VMDK_FIELD)[]));
  const value = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.bigInt({ min: 0n, max: 300n }));

  it.each([
    ['a file', vmdkSample],
    ['a stream', streamSample],
  ])('%s', (_, sample) => {
    const changes = fc.record({
      fields: fc.array(fc.tuple(field, value, fc.boolean()), { maxLength: 4 }),
      bytes: fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 }),
      cut: fc.nat(200_000),
    });
    fc.assert(
      fc.property(changes, ({ fields, bytes, cut }) => {
        const file = sample();
        for (const [name, number, inFooter] of fields)
          putVmdkField(file, name, number, inFooter ? file.length - 1024 : 0);
        for (const [at, byte] of bytes) file[at] = byte;
        expect(typeof refusal(() => parse(file.subarray(0, Math.max(4, cut))))).toBe('string');
      }),
      { numRuns: 1000 },
    );
  });

  it('a descriptor', () => {
    const edits = fc.array(fc.tuple(fc.nat(300), fc.string({ maxLength: 12 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(edits, (changes) => {
        let text = SOUND_DESCRIPTOR;
        for (const [at, put] of changes) text = text.slice(0, at) + put + text.slice(at + put.length);
        expect(typeof refusal(() => parseVmdkDescriptor(text))).toBe('string');
      }),
      { numRuns: 2000 },
    );
  });
});
