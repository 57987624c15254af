import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE_HEAD_BYTES, inspectImage, requireImageKind, type ImageFacts } from '../../../src/domain/image-format.ts';
import { FIELD, fileWith, qcow2Sample, refusal, type Fields } from './image-samples.ts';

const inspect = (file: Buffer): ImageFacts =>
  inspectImage(file.subarray(0, IMAGE_HEAD_BYTES), file.length, file.subarray(-512));
const MIB = 1024 * 1024;
const TIB = 1024 * 1024 * MIB;
const DATA_FILE = 0x44415441;

describe('inspectImage: qcow2', () => {
  it('takes a sound header', () => {
    const facts = { format: 'qcow2', virtualSizeBytes: 16 * MIB, detail: 'qcow2 v3, zlib', notes: [] };
    expect(inspect(qcow2Sample())).toEqual(facts);
    expect(inspect(qcow2Sample({ version: 2 }))).toEqual({ ...facts, detail: 'qcow2 v2, zlib' });
  });

  it.each<[string, Fields]>([
    ['zstd', { incompatible: 8, compression: 1 }],
    ['extended L2', { incompatible: 16 }],
    ['short v3 header', { headerLength: 104 }],
    ['unknown compatible and autoclear features', { compatible: 0xffff_ffffn, autoclear: 0xffn }],
    ['2 TiB', { size: 2 * TIB, l1Size: 4096 }],
    ['one sector', { size: 512 }],
    ['512-byte clusters', { clusterBits: 9, size: 32_768, l1Size: 1 }],
  ])('takes %s', (_, fields) => {
    expect(inspect(qcow2Sample(fields)).format).toBe('qcow2');
  });

  it.each<[string, Fields, string]>([
    ['version 1', { version: 1 }, 'version 1 is obsolete'],
    ['version 0', { version: 0 }, 'version 0 is unknown'],
    ['version 4', { version: 4 }, 'version 4 is unknown'],
    ['backing file', { backingOffset: 200, backingSize: 11 }, 'backing file'],
    ['backing file without a length', { backingOffset: 200 }, 'backing file'],
    ['backing file at offset 0', { backingSize: 11 }, 'backing file'],
    ['backing file, v2', { version: 2, backingOffset: 200, backingSize: 11 }, 'backing file'],
    ['external data file', { incompatible: 4 }, 'external file'],
    ['AES', { crypt: 1 }, 'encrypted'],
    ['LUKS', { crypt: 2 }, 'encrypted'],
    ['dirty', { incompatible: 1 }, 'not closed cleanly'],
    ['corrupt', { incompatible: 2 }, 'corrupt'],
    ['unknown feature', { incompatible: 32 }, 'bits 0x20'],
    ['unknown high feature', { incompatible: 1n << 63n }, 'bits 0x8000000000000000'],
    ['size 0', { size: 0 }, 'virtual size is 0'],
    ['size of no whole sectors', { size: 1000 }, 'multiple of 512'],
    ['above 2 TiB', { size: 2 * TIB + 512, l1Size: 5000 }, 'above 2 TiB'],
    ['size with the sign bit', { size: 1n << 63n }, 'above 2 TiB'],
    ['clusters of 256 bytes', { clusterBits: 8 }, 'cluster_bits 8'],
    ['clusters of 4 MiB', { clusterBits: 22 }, 'cluster_bits 22'],
    ['cluster_bits of 2^31', { clusterBits: 0x8000_0000 }, 'cluster_bits'],
    ['no L1 table', { l1Size: 0 }, 'too small'],
    ['L1 table too small', { size: TIB, l1Size: 1 }, 'too small'],
    ['L1 table too large', { l1Size: 0xffff_ffff }, 'too large'],
    ['L1 table at 0', { l1Offset: 0 }, 'start of a cluster'],
    ['L1 table between clusters', { l1Offset: 0x30200 }, 'start of a cluster'],
    ['L1 table behind the end', { l1Offset: 0x40000 }, 'behind the end'],
    ['L1 table near 2^64', { l1Offset: 0xffff_ffff_ffff_0000n }, 'behind the end'],
    ['no refcount table', { refcountClusters: 0 }, 'refcount table'],
    ['huge refcount table', { refcountClusters: 0xffff_ffff }, 'refcount table'],
    ['refcount table behind the end', { refcountOffset: 0x4000_0000 }, 'behind the end'],
    ['refcount order', { refcountOrder: 7 }, 'refcount_order'],
    ['header length 100', { headerLength: 100 }, 'header length'],
    ['header length 0', { headerLength: 0 }, 'header length'],
    ['odd header length', { headerLength: 109 }, 'header length'],
    ['header beyond the cluster', { headerLength: 0x10008 }, 'header length'],
    ['compression without its bit', { compression: 1 }, 'contradict'],
    ['bit without compression', { incompatible: 8 }, 'contradict'],
    ['unknown compression', { incompatible: 8, compression: 2 }, 'compression type 2'],
    ['extended L2 in small clusters', { incompatible: 16, clusterBits: 13 }, '16 KiB'],
    ['internal snapshots', { snapshots: 1, snapshotsOffset: 0x30000 }, 'internal snapshots'],
  ])('refuses %s', (_, fields, reason) => {
    // A header length that fits nowhere cannot be followed by extensions.
    expect(refusal(() => inspect(qcow2Sample(fields)))).toContain(reason);
  });

  it('reads the extensions, in v2 as well', () => {
    const known = [0xe2792aca, Buffer.from('raw')] as const;
    const unknown = [0x12345678, Buffer.alloc(1000)] as const;
    const data = [DATA_FILE, Buffer.from('/etc/passwd')] as const;
    const crypt = [0x0537be77, Buffer.alloc(16)] as const;
    for (const version of [2, 3]) {
      expect(inspect(qcow2Sample({ version }, [known, unknown])).format).toBe('qcow2');
      expect(refusal(() => inspect(qcow2Sample({ version }, [unknown, data])))).toContain('external file');
      expect(refusal(() => inspect(qcow2Sample({ version }, [known, crypt])))).toContain('encrypted');
      expect(inspect(qcow2Sample({ version }, [[0, Buffer.alloc(0)], data])).format).toBe('qcow2');
    }
  });

  it('refuses extensions that lead out of the header', () => {
    for (const length of [0xffff_fff8, 0xffff_ffff, 0x10000]) {
      const file = qcow2Sample({}, [[0x12345678, Buffer.alloc(8)]]);
      file.writeUInt32BE(length, 112 + 4);
      expect(refusal(() => inspect(file))).toContain('extension');
    }
  });

  it('refuses a header that is cut off anywhere', () => {
    const whole = qcow2Sample();
    for (const length of [4, 8, 32, 71, 72, 103, 104, 111, 1000, 0x30000]) {
      expect(refusal(() => inspect(whole.subarray(0, length)))).not.toBe('accepted');
    }
  });

  it('whatever the header holds, the answer is a fact or a reason', () => {
    const field = fc.constantFrom(...(Object.keys(FIELD) as (keyof typeof FIELD)[]).filter((name) => name !== 'magic'));
    const value = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.bigInt({ min: 0n, max: 300n }));
    fc.assert(
      fc.property(fc.array(fc.tuple(field, value), { maxLength: 5 }), fc.nat(70_000), (changes, length) => {
        const file = qcow2Sample();
        for (const [name, number] of changes) {
          const [offset, width] = FIELD[name];
          if (width === 8) file.writeBigUInt64BE(number, offset);
          else file.writeUIntBE(Number(BigInt.asUintN(width * 8, number)), offset, width);
        }
        const cut = length < 60_000 ? file.subarray(0, Math.max(4, length)) : file;
        expect(typeof refusal(() => inspect(cut))).toBe('string');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('inspectImage: other files', () => {
  it.each<[string, Buffer, string]>([
    ['VMDK', fileWith(1024, [0, 'KDMV']), 'VMDK'],
    ['VMDK descriptor', fileWith(1024, [0, '# Disk DescriptorFile\n']), 'VMDK'],
    ['VDI', fileWith(1024, [0, '<<< Oracle VM VirtualBox Disk Image >>>\n'], [0x40, [0x7f, 0x10, 0xda, 0xbe]]), 'VDI'],
    ['VHDX', fileWith(1024, [0, 'vhdxfile']), 'VHDX'],
    ['VHD', fileWith(1024, [0, 'conectix']), 'VHD'],
    ['VHD of fixed size', fileWith(2048, [510, [0x55, 0xaa]], [1536, 'conectix']), 'VHD disk of fixed size'],
    ['QED', fileWith(1024, [0, 'QED\0']), 'QED'],
    ['LUKS', fileWith(1024, [0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]]), 'LUKS'],
    ['tar', fileWith(10240, [0, 'disk.vmdk'], [257, 'ustar']), 'tar'],
    ['zip', fileWith(1024, [0, 'PK\x03\x04']), 'ZIP'],
    ['ELF', fileWith(1024, [0, '\x7fELF']), 'ELF'],
    ['a web page', fileWith(1024, [0, '<!DOCTYPE html><html>404']), 'HTML'],
    ['nothing', Buffer.alloc(0), 'empty'],
    ['one byte', Buffer.alloc(1), 'whole sectors'],
    ['511 bytes', fileWith(511), 'whole sectors'],
    ['513 bytes', fileWith(513, [510, [0x55, 0xaa]]), 'whole sectors'],
    ['an old kernel', fileWith(2048, [510, [0x55, 0xaa]], [0x202, 'HdrS'], [0x206, [1, 2]]), 'boot protocol 2.1'],
    ['a cut kernel', fileWith(0x210, [510, [0x55, 0xaa]], [0x202, 'HdrS'], [0x206, [15, 2]]), 'cut off'],
  ])('refuses %s', (_, file, reason) => {
    expect(refusal(() => inspect(file))).toContain(reason);
  });

  it('says what to do about a foreign disk format', () => {
    expect(refusal(() => inspect(fileWith(1024, [0, 'KDMV'])))).toContain('qemu-img convert');
  });

  it.each<[string, Buffer, Partial<ImageFacts>]>([
    ['one boot sector', fileWith(512, [510, [0x55, 0xaa]]), { format: 'raw', detail: 'MBR', notes: [] }],
    ['GPT', fileWith(4096, [510, [0x55, 0xaa]], [512, 'EFI PART']), { format: 'raw', detail: 'GPT', notes: [] }],
    ['ISO', fileWith(0x9000, [0x8001, 'CD001']), { format: 'raw', detail: 'ISO 9660', notes: [] }],
    [
      'a blank disk',
      fileWith(512),
      { format: 'raw', virtualSizeBytes: 512, notes: [expect.stringContaining('kernel')] as never },
    ],
    [
      'bzImage',
      fileWith(4096, [510, [0x55, 0xaa]], [0x202, 'HdrS'], [0x206, [15, 2]], [0x236, [1, 0]]),
      { format: 'kernel', detail: 'bzImage 2.15', architecture: 'x86_64', virtualSizeBytes: 4096 },
    ],
    ['arm64 Image', fileWith(4096, [0, 'MZ'], [56, 'ARM\x64']), { format: 'kernel', architecture: 'arm64' }],
    ['zboot', fileWith(4096, [0, 'MZ'], [4, 'zimg']), { format: 'kernel', detail: 'EFI zboot' }],
    ['gzip', fileWith(99, [0, [0x1f, 0x8b]]), { format: 'ramdisk', detail: 'gzip', virtualSizeBytes: 99 }],
    ['cpio', fileWith(99, [0, '070701']), { format: 'ramdisk', detail: 'cpio' }],
    ['xz', fileWith(99, [0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]]), { format: 'ramdisk', detail: 'xz' }],
    ['zstd', fileWith(99, [0, [0x28, 0xb5, 0x2f, 0xfd]]), { format: 'ramdisk', detail: 'zstd' }],
  ])('recognises %s', (_, file, facts) => {
    expect(inspect(file)).toMatchObject(facts);
  });

  it('limits raw disks to 2 TiB', () => {
    const head = Buffer.alloc(IMAGE_HEAD_BYTES);
    expect(inspectImage(head, 2 * TIB).virtualSizeBytes).toBe(2 * TIB);
    expect(refusal(() => inspectImage(head, 2 * TIB + 512))).toContain('2 TiB');
  });

  it('wants the whole head', () => {
    expect(refusal(() => inspectImage(Buffer.alloc(512), 1024))).toContain('shorter');
  });

  it('checks what the owner says it is', () => {
    const facts = (format: ImageFacts['format']): ImageFacts => ({
      format,
      virtualSizeBytes: 1,
      detail: 'x',
      notes: [],
    });
    const table = [
      ['machine', ['qcow2', 'raw']],
      ['kernel', ['kernel']],
      ['ramdisk', ['ramdisk']],
    ] as const;
    for (const [kind, good] of table) {
      for (const format of ['qcow2', 'raw', 'kernel', 'ramdisk'] as const) {
        const answer = refusal(() => requireImageKind(facts(format), kind));
        expect([kind, format, answer === 'accepted']).toEqual([
          kind,
          format,
          (good as readonly string[]).includes(format),
        ]);
      }
    }
    expect(refusal(() => requireImageKind(facts('ramdisk'), 'machine'))).toContain('unpacked');
  });
});

const haveQemuImg = spawnSync('qemu-img', ['--version']).status === 0;

describe('inspectImage and the real qemu-img [real]', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'novactl-image-'));
    if (haveQemuImg) execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(dir, 'base.qcow2'), '1M']);
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const make = (format: string, options: string[], size = '64M'): ImageFacts | string => {
    const path = join(dir, 'image');
    execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, path, size], { cwd: dir });
    const file = readFileSync(path);
    let facts: ImageFacts | undefined;
    const reason = refusal(() => (facts = inspect(file)));
    return facts ?? reason;
  };

  it.for([
    ['qcow2', []],
    ['qcow2', ['-o', 'compat=0.10']],
    ['qcow2', ['-o', 'cluster_size=512']],
    ['qcow2', ['-o', 'cluster_size=2M']],
    ['qcow2', ['-o', 'extended_l2=on,cluster_size=128k']],
    ['qcow2', ['-o', 'compression_type=zstd']],
    ['qcow2', ['-o', 'lazy_refcounts=on,refcount_bits=64']],
    ['qcow2', ['-o', 'preallocation=metadata']],
    ['raw', []],
  ] as const)('takes what it makes: %s %j', ([format, options], context) => {
    if (!haveQemuImg) context.skip('qemu-img is not installed');
    expect(make(format, [...options])).toMatchObject({ format, virtualSizeBytes: 64 * MIB });
  });

  it.for([
    ['qcow2', ['-b', 'base.qcow2', '-F', 'qcow2'], 'backing file'],
    ['qcow2', ['-o', 'data_file=data.raw'], 'external file'],
    ['qcow2', ['-o', 'data_file=data.raw,data_file_raw=on'], 'external file'],
    ['qcow2', ['--object', 'secret,id=s,data=x', '-o', 'encrypt.format=aes,encrypt.key-secret=s'], 'encrypted'],
    ['qcow', [], 'version 1'],
    ['vmdk', [], 'VMDK'],
    ['vmdk', ['-o', 'subformat=monolithicFlat'], 'VMDK'],
    ['vdi', [], 'VDI'],
    ['vhdx', [], 'VHDX'],
    ['vpc', [], 'VHD'],
    ['vpc', ['-o', 'subformat=fixed'], 'VHD'],
    ['qed', [], 'QED'],
    ['parallels', [], 'Parallels'],
  ] as const)('refuses what it makes: %s %j', ([format, options, reason], context) => {
    if (!haveQemuImg) context.skip('qemu-img is not installed');
    expect(make(format, [...options])).toContain(reason);
  });

  it('accepts no header that qemu-img would refuse or that leads elsewhere', (context) => {
    if (!haveQemuImg) context.skip('qemu-img is not installed');
    const path = join(dir, 'mutant');
    const sound = readFileSync(writeSound(path));
    const names = (Object.keys(FIELD) as (keyof typeof FIELD)[]).filter((name) => name !== 'magic');
    let accepted = 0;
    let asked = 0;
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(63), fc.integer({ min: 4, max: 200 }), (name, bit, other) => {
        const file = Buffer.from(sound);
        const [offset, width] = FIELD[name];
        const byte = offset + ((bit >> 3) % width);
        file[byte] = (file[byte] ?? 0) ^ (1 << (bit & 7));
        if (other < 112) file[other] = (file[other] ?? 0) ^ 1;
        if (refusal(() => inspect(file)) !== 'accepted') return;
        accepted += 1;
        if (accepted % 4 !== 0) return;
        asked += 1;
        writeFileSync(path, file);
        const info = spawnSync('qemu-img', ['info', '--output=json', '-f', 'qcow2', path], { encoding: 'utf8' });
        expect(info.stderr).toBe('');
        const facts = JSON.parse(info.stdout) as Record<string, unknown>;
        expect(facts['backing-filename']).toBeUndefined();
        expect(JSON.stringify(facts)).not.toContain('data-file"');
      }),
      { numRuns: 1200, seed: 20_260_601 },
    );
    expect(asked).toBeGreaterThan(30);
  });
});

function writeSound(path: string): string {
  writeFileSync(path, qcow2Sample());
  const info = spawnSync('qemu-img', ['check', '-q', '-f', 'qcow2', path], { encoding: 'utf8' });
  expect([info.status, info.stderr]).toEqual([0, '']);
  expect(statSync(path).size).toBe(262_144);
  return path;
}
