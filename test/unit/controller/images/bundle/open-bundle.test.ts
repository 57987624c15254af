import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../../../src/base/errors.ts';
import { type BundleKeys, openBundle } from '../../../../../src/controller/images/bundle/open-bundle.ts';
import { signedText } from '../../../../../src/controller/images/bundle/signed-text.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { type BundleAsked, BundleLab } from './bundle-lab.ts';

const MIB = 1024 * 1024;

let lab: BundleLab;
let image: Buffer;
beforeAll(() => {
  lab = new BundleLab(mkdtempSync(join(tmpdir(), 'novactl-bundle-')));
  image = lab.image('disk.img', 3 * MIB, [0, MIB + 512, 3 * MIB - 5000]);
}, 60_000);
afterAll(() => lab.close());
beforeEach(() => {
  lab.opened = 0;
});

const write = (asked: BundleAsked = {}): Promise<string> =>
  lab.write({ image: lab.path('disk.img'), partBytes: 4096, ...asked });

async function open(key: string | Promise<string>, keys: BundleKeys = lab.keys()): Promise<Buffer> {
  const { image: body } = await openBundle(lab.objects, await key, keys);
  return buffer(body);
}

/** Why; nothing is open any more. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error('it was accepted'),
    (thrown: unknown) => thrown,
  );
  await expect.poll(() => [...lab.reading]).toEqual([]);
  if (error instanceof CloudError && error.code === 'InvalidImage.Format') return error.message;
  throw error;
}

const manifestPath = (): string => join(lab.bucket, 'images', 'disk.img.manifest.xml');
const part = (index: number): string => join(lab.bucket, 'images', `disk.img.part.0${index}`);

describe('a bundle that openssl, tar and gzip made', () => {
  it.each<[string, readonly string[]]>([
    ['plain', ['-c', '-h']],
    ['sparse as GNU tar does it', ['-c', '-h', '-S']],
    ['sparse as pax does it', ['-c', '-h', '-S', '--format=pax', '--sparse-version=1.0']],
    ['with headers of pax', ['-c', '--format=pax']],
    ['of ustar', ['-c', '--format=ustar', '-b', '1']],
  ])('is opened: %s [real]', async (_, tar) => {
    const { image: body, ...said } = await openBundle(lab.objects, await write({ tar }), lab.keys());
    expect(said).toEqual({
      ...{ sizeBytes: image.length, kind: 'machine', architecture: 'x86_64' },
      ...{ kernelId: 'aki-0123456789abcdef0', name: 'disk.img' },
    });
    expect((await buffer(body)).equals(image)).toBe(true);
    expect(lab.archiveBytes < image.length).toBe(tar.includes('-S'));
  });

  it('with hundreds of holes, in both forms [real]', async () => {
    const holes = lab.image(
      'holes.img',
      8 * MIB,
      Array.from({ length: 200 }, (_, index) => index * 40_960),
    );
    for (const tar of [
      ['-c', '-S'],
      ['-c', '-S', '--format=pax', '--sparse-version=1.0'],
    ]) {
      expect((await open(write({ image: lab.path('holes.img'), tar, partBytes: MIB }))).equals(holes)).toBe(true);
      expect(lab.archiveBytes).toBeLessThan(2 * MIB);
    }
  });

  it('has a signature of just these bytes of its manifest [real]', async () => {
    await write({ partBytes: MIB });
    const text = signedText(readFileSync(manifestPath(), 'utf8'));
    const stable = text.replaceAll(/[0-9a-f]{40,}/g, (digits) => `(${digits.length} hex digits)`);
    expectGolden('bundle/signed-text.xml', `${stable.replaceAll(/\d+(?=<\/bundled_size)/g, 'N')}\n`);
  });

  it('is read part by part, and no further than somebody reads [real]', async () => {
    const { image: body } = await openBundle(lab.objects, await write(), lab.keys());
    expect(lab.opened).toBe(1);
    body.destroy();
    await expect.poll(() => [...lab.reading]).toEqual([]);
    expect(lab.opened).toBeLessThan(4);
  });
});

describe('whose bundle it is', () => {
  it('is refused when it was signed by somebody else, or by nobody that is known [real]', async () => {
    const key = await write({ userKey: lab.path('other-user.key') });
    expect(await refusal(open(key))).toContain('by none of the 1 RSA certificates that anna has');
    expect(await refusal(open(key, lab.keys({ users: [] })))).toContain('has no certificate with an RSA key');
    expect((await open(key, lab.keys({ users: ['user', 'other-user'] }))).equals(image)).toBe(true);
  });

  it('is refused when it was encrypted for another cloud [real]', async () => {
    const key = await write({ ec2Cert: lab.path('other-cloud.pem') });
    expect(await refusal(open(key))).toContain('not encrypted for this cloud');
    expect(lab.opened).toBe(1);
  });

  it.each<[string, BundleAsked['after'], string]>([
    ['a part’s name', [['disk.img.part.01', 'disk.img.part.02']], 'changed after it was signed'],
    ['its size', [[`<size>${3 * MIB}`, `<size>${6 * MIB}`]], 'changed after it was signed'],
    ['its kernel', [['aki-0123456789abcdef0', 'aki-fffffffffffffffff']], 'changed after it was signed'],
    ['white space', [['<image>', '<image>\n']], 'changed after it was signed'],
    ['its signature', [['<signature>', '<signature>00']], 'changed after it was signed'],
    [
      'its signature, to none',
      [
        ['<signature>', '<unsigned>'],
        ['</signature>', '</unsigned>'],
      ],
      'signature',
    ],
    ['a second image in front', [['<machine_conf', '<image></image><machine_conf']], '<image>…</image> exactly once'],
    ['the signed text in a remark', [['</manifest>', '<!-- <image>x</image> --></manifest>']], 'exactly once'],
    ['its version', [['2007-10-10', '2099-01-01']], 'not "2099-01-01"'],
  ])('is refused when its manifest was changed: %s [real]', async (_, after, reason) => {
    expect(await refusal(open(write({ after: after ?? [] })))).toContain(reason);
    expect(lab.opened).toBe(1);
  });
});

describe('a manifest that means harm, although it is signed', () => {
  it.each<[string, BundleAsked, string]>([
    [
      'an entity',
      { after: [['<manifest>', '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/shadow">]><manifest>']] },
      'DOCTYPE',
    ],
    [
      'a billion laughs',
      { after: [['<manifest>', '<!DOCTYPE m [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;">]><manifest>&b;']] },
      'DOCTYPE',
    ],
    ['an entity of its own', { manifest: [['x86_64', '&x86;']] }, 'unknown entity'],
    ['no XML', { after: [['</manifest>', '']] }, "can't be read"],
    ['a part above its folder', { manifest: [['disk.img.part.01', '../other/secret']] }, 'plain name without a path'],
    ['a part by its path', { manifest: [['disk.img.part.01', '/etc/shadow']] }, 'plain name without a path'],
    ['a part that is a folder', { manifest: [['disk.img.part.01', '..']] }, 'plain name without a path'],
    ['a part twice', { manifest: [['index="1"', 'index="0"']] }, 'not each of them once'],
    ['fewer parts than announced', { manifest: [['count="', 'count="1']] }, 'parts and names'],
    [
      'no parts',
      {
        manifest: [
          ['<parts', '<pieces'],
          ['</parts', '</pieces'],
        ],
      },
      '<part> twice in <pieces>',
    ],
    ['none of its parts', { manifest: [['count="', 'count="0" was="']] }, 'partCount: must be 1 to 10000'],
    ['another cipher', { manifest: [['AES-128-CBC', 'DES']] }, 'AES-128-CBC'],
    ['another digest', { manifest: [['algorithm="SHA1">', 'algorithm="MD5">']] }, 'SHA1'],
    ['a huge size', { size: 2 ** 42 }, 'size: must be 1 to'],
    ['a size that is none', { manifest: [[`<size>${3 * MIB}`, '<size>-1']] }, 'size: must be a number'],
    ['two sizes', { manifest: [['<size>', '<size>1</size><size>']] }, '<size> twice'],
    ['another architecture', { manifest: [['x86_64', 'm68k']] }, 'not "m68k"'],
    ['very many words', { manifest: [['<user>', `${'<w/>'.repeat(100_000)}<user>`]] }, 'more than 70000 tags'],
    ['another bundled size', { manifest: [['<bundled_size>', '<bundled_size>1']] }, 'its manifest announces'],
  ])('%s [real]', async (_, asked, reason) => {
    expect(await refusal(open(write(asked)))).toContain(reason);
  });

  it('is not read when it is huge, or no text [real]', async () => {
    const key = await write();
    truncateSync(manifestPath(), 5 * MIB);
    expect(await refusal(open(key))).toContain('must be 1 to 4194304');
    writeFileSync(manifestPath(), Buffer.from([0xff, 0xfe, 0x3c]));
    expect(await refusal(open(key))).toContain('no text in UTF-8');
  });
});

describe('parts that are not what was signed', () => {
  it('is said of which part, before any of it is unpacked [real]', async () => {
    const key = await write();
    const bytes = readFileSync(part(1));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(part(1), bytes);
    expect(await refusal(open(key))).toBe(
      'the bundle is refused: its part "disk.img.part.01" is not the one that was signed: its SHA-1 is another',
    );
    await write();
    truncateSync(part(1), 100);
    expect(await refusal(open(key))).toContain('its SHA-1 is another');
    await write();
    truncateSync(part(1), 0);
    expect(await refusal(open(key))).toContain('has 0 bytes');
    await write();
    truncateSync(part(1), 65 * MIB);
    expect(await refusal(open(key))).toContain('must be 1 to 67108864');
    await write();
    rmSync(part(1));
    // In the words of whoever has the objects, who knows where it should be.
    await expect(open(key)).rejects.toMatchObject({ code: 'NoSuchKey', message: 'no images/disk.img.part.01' });
    await expect.poll(() => [...lab.reading]).toEqual([]);
  });

  it('an archive with another digest, another size, or no archive [real]', async () => {
    const other = createHash('sha1').update('other').digest('hex');
    expect(await refusal(open(write({ digest: other })))).toContain('the archive in it is not the one that was signed');
    expect(await refusal(open(write({ size: 3 * MIB + 512 })))).toContain(`has one of ${3 * MIB}`);
    expect(await refusal(open(write({ plain: true })))).toContain('not packed by gzip');
    writeFileSync(lab.path('noise'), 'no tar'.repeat(1000));
    expect(await refusal(open(write({ archive: lab.path('noise') })))).toContain('damaged');
    writeFileSync(lab.path('short'), '');
    expect(await refusal(open(write({ archive: lab.path('short') })))).toContain('cut off');
    writeFileSync(lab.path('zeros'), Buffer.alloc(10_240));
    expect(await refusal(open(write({ archive: lab.path('zeros') })))).toContain('holds no file');
  });
});

describe('an archive that means harm', () => {
  function tar(...args: string[]): string {
    execFileSync('tar', ['-c', '-P', '-f', lab.path('evil.tar'), ...args], { cwd: lab.dir, stdio: 'pipe' });
    return lab.path('evil.tar');
  }
  beforeAll(() => {
    mkdirSync(lab.path('in'));
    writeFileSync(lab.path('in/a'), 'a'.repeat(1024));
    writeFileSync(lab.path('in/b'), 'b'.repeat(1024));
    symlinkSync('/etc/shadow', lab.path('in/link'));
    linkSync(lab.path('in/a'), lab.path('in/hard'));
    execFileSync('mkfifo', [lab.path('in/pipe')]);
  });

  it.each<[string, () => readonly string[], string]>([
    [
      'a name above it',
      () => ['--transform=s,.*,../../etc/cron.d/x,', 'in/b'],
      'leads elsewhere: "../../etc/cron.d/x"',
    ],
    ['a path', () => ['--transform=s,.*,/etc/cron.d/x,', 'in/b'], 'leads elsewhere: "/etc/cron.d/x"'],
    ['a long name above it', () => [`--transform=s,.*,../${'x'.repeat(150)},`, 'in/b'], 'leads elsewhere'],
    [
      'the same as pax says it',
      () => ['--format=pax', `--transform=s,.*,../${'x'.repeat(300)},`, 'in/b'],
      'leads elsewhere',
    ],
    ['a symbolic link', () => ['in/link'], 'a symbolic link to "/etc/shadow"'],
    ['a link in front of the image', () => ['in/link', 'in/b'], 'a symbolic link'],
    ['a hard link', () => ['in/b', 'in/a', 'in/hard'], 'more than one file'],
    ['a device', () => ['/dev/null'], 'a device'],
    ['a pipe', () => ['in/pipe'], 'a named pipe'],
    ['a folder', () => ['in'], 'a folder'],
    ['two files', () => ['in/a', 'in/b'], 'more than one file: "in/b"'],
    ['what pax says for all', () => ['--format=pax', '--pax-option=size=1', 'in/b'], 'a header for all files'],
    ['unknown words of pax', () => ['--format=pax', '--pax-option=evil:=1', 'in/b'], '"evil=1"'],
    ['sparse by an old form', () => ['-S', '--format=pax', '--sparse-version=0.1', 'disk.img'], 'GNU.sparse'],
    ['sparse by an older form', () => ['-S', '--format=pax', '--sparse-version=0.0', 'disk.img'], 'GNU.sparse'],
  ])('is refused: %s [real]', async (_, args, reason) => {
    const archive = tar(...args());
    expect(await refusal(open(write({ archive, size: 1024 })))).toContain(reason);
  });

  it('a bomb is cut off where the image ends, in bounded memory [real]', async () => {
    execFileSync('sh', ['-c', 'head -c 50000000 /dev/zero > "$1"', 'sh', lab.path('bomb')]);
    const before = process.memoryUsage.rss();
    const bomb = open(write({ image: lab.path('bomb'), tar: ['-c'], size: 1024, partBytes: 10 * MIB }));
    expect(await refusal(bomb)).toContain('announces an image of 1024 bytes');
    const behind = Buffer.concat([readFileSync(tar('in/b')), Buffer.alloc(8 * MIB)]);
    writeFileSync(lab.path('behind.tar'), behind);
    expect(await refusal(open(write({ archive: lab.path('behind.tar'), size: 1024 })))).toContain('behind the end');
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MIB);
    rmSync(lab.path('bomb'));
  });
});
