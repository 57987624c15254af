import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageView } from '../../../src/views/images.ts';
import { AWS, PYTHON } from '../../support/ec2-clients.ts';
import { NOVACTL } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { qcow2Sample } from '../../unit/domain/image-samples.ts';
import { SandboxProcess } from './sandbox-process.ts';

const BUNDLER = join(import.meta.dirname, '..', '..', 'support', 'write_bundle.py');
const HOSTILE = join(import.meta.dirname, 'hostile_images.py');
/** That the script names in each manifest. */
const ITS_KERNEL = ['<kernel_id>aki-0123456789abcdef0</kernel_id>', ''] as const;
const MIB = 1024 * 1024;

/** How one of them has to end: refused when it is registered, or failed afterwards. */
type Expected = readonly ['refused' | 'failed', RegExp];

let sandbox: SandboxProcess;
let disk: Buffer;
let expected: Record<string, Expected>;
const at = (...names: string[]): string => join(sandbox.home, ...names);

beforeAll(async () => {
  sandbox = await SandboxProcess.start();
  const { ec2Url, s3Url } = sandbox.facts;
  const where = ['--ec2-url', ec2Url, '--s3-url', s3Url];
  novactl('project', 'credentials', '--user', 'admin', ...where, '--key-type', 'rsa', '--out', at('keys'));
  for (const folder of ['in', 'up']) mkdirSync(at(folder));
  disk = Buffer.alloc(3 * MIB);
  for (const where of [0, MIB + 512, 3 * MIB - 512]) createHash('sha512').update(`${where}`).digest().copy(disk, where);
  disk.set([0x55, 0xaa], 510);
  writeFileSync(at('in', 'disk.img'), disk);
  bundle({ name: 'web', partBytes: 64 * 1024 });
  expected = hostile();
  novactl('bucket', 'create', 'pictures');
  await ok('s3', 'cp', '--quiet', '--recursive', at('up'), 's3://pictures/up/');
}, 60_000);
afterAll(() => sandbox.stop());

/** As the administrator of the machine. */
function novactl(...words: string[]): string {
  const { stateDir, runDir } = sandbox.facts;
  const env = { ...process.env, HOME: sandbox.home, NOVACTL_STATE_DIR: stateDir, NOVACTL_RUN_DIR: runDir };
  const { status, stdout, stderr } = spawnSync(NOVACTL, words, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`novactl ${words.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

async function ok(...words: string[]): Promise<string> {
  const [service = ''] = words;
  const url = service === 's3' ? sandbox.facts.s3Url : sandbox.facts.ec2Url;
  const { code, output } = await sandbox.run(AWS, ['--endpoint-url', url, ...words]);
  if (code !== 0) throw new Error(`aws ${words.join(' ')} ended with ${code}: ${output}`);
  return output;
}

/** The image, once it is made or has failed. */
function shown(imageId: string): ImageView | undefined {
  const image = JSON.parse(novactl('image', 'show', imageId, '--json')) as ImageView;
  return image.state === 'pending' ? undefined : image;
}

/** Bundles of the first user, by openssl, tar and gzip, into the folder that is uploaded. */
function bundle(...asked: { readonly name: string; readonly [key: string]: unknown }[]): void {
  const keys = {
    userKey: at('keys', 'pk.pem'),
    userCert: at('keys', 'cert.pem'),
    ec2Cert: at('keys', 'cloud-cert.pem'),
  };
  const all = { folder: at('up'), image: at('in', 'disk.img'), manifest: [ITS_KERNEL], ...keys };
  const input = asked.map((one) => `${JSON.stringify({ ...all, ...one })}\n`).join('');
  execFileSync(PYTHON, [BUNDLER], { input, stdio: ['pipe', 'pipe', 'inherit'] });
}

/** What there is of image bytes, and what is being worked on. */
function kept(): string[] {
  const names = (...folder: string[]): string[] => {
    const path = join(sandbox.facts.stateDir, ...folder);
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() || folder[0] === 'imports')
      .map((entry) => join(entry.parentPath, entry.name));
  };
  return [...names('blobs'), ...names('imports')].toSorted();
}

function tar(name: string, ...words: string[]): string {
  execFileSync('tar', ['-c', '-P', '-f', at(name), ...words], { cwd: at('in'), stdio: 'pipe' });
  return at(name);
}

/** Each with its name as the object's, and how it has to end. */
function hostile(): Record<string, Expected> {
  const flat =
    '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 63 FLAT "/etc/shadow" 0\n';
  const objects: Record<string, Buffer> = {
    backing: qcow2Sample({ backingOffset: 200, backingSize: 11 }),
    huge: qcow2Sample({ size: 2n ** 42n, l1Size: 8192 }),
    'data-file': qcow2Sample({ incompatible: 4 }),
    truncated: qcow2Sample().subarray(0, 100_000),
    'other-format': Buffer.from('vhdxfile'.padEnd(1024)),
    flat: Buffer.from(flat),
    empty: Buffer.alloc(0),
    'entities.manifest.xml': Buffer.from(
      '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/shadow">]><manifest><version>&e;</version></manifest>',
    ),
  };
  for (const [name, bytes] of Object.entries(objects)) writeFileSync(at('up', name), bytes);
  symlinkSync('/etc/shadow', at('in', 'link'));
  writeFileSync(at('in', 'small'), 's'.repeat(1024));
  const size = 1024;
  bundle(
    { name: 'above', archive: tar('above.tar', '--transform=s,.*,../../etc/cron.d/x,', 'small'), size },
    { name: 'link', archive: tar('link.tar', 'link'), size },
    { name: 'unsigned', after: [['<type>machine</type>', '<type>machine </type>']] },
    { name: 'changed' },
    { name: 'lone', manifest: [[ITS_KERNEL[0], '<ramdisk_id>ari-0123456789abcdef0</ramdisk_id>']] },
  );
  const part = at('up', 'changed.part.00');
  writeFileSync(part, Buffer.alloc(512, 7));
  return {
    backing: ['failed', /backing file/],
    huge: ['failed', /virtual size is above 2 TiB/],
    'data-file': ['failed', /external file/],
    truncated: ['failed', /cut off|beyond|behind|end/],
    'other-format': ['failed', /vhdx|VHDX/],
    flat: ['failed', /\/etc\/shadow/],
    empty: ['refused', /empty/],
    'entities.manifest.xml': ['refused', /./],
    'above.manifest.xml': ['failed', /leads elsewhere: "\.\.\/\.\.\/etc\/cron\.d\/x"/],
    'link.manifest.xml': ['failed', /symbolic link to "\/etc\/shadow"/],
    'unsigned.manifest.xml': ['refused', /sign/],
    'changed.manifest.xml': ['failed', /part/],
    'lone.manifest.xml': ['refused', /names the ramdisk ari-0123456789abcdef0 and no kernel/],
  };
}

describe('images of what the AWS CLI has uploaded [real]', () => {
  it('a bundle becomes available with the bytes that went into it', async () => {
    const made = await ok('ec2', 'register-image', '--name', 'web', '--image-location', 'pictures/up/web.manifest.xml');
    const { ImageId } = JSON.parse(made) as { ImageId: string };
    const image = await until(() => shown(ImageId), { what: 'it is no longer pending', timeoutMs: 30_000 });
    expect([image.state, image.stateReason]).toEqual(['available', undefined]);
    expect(image.sha256).toBe(createHash('sha256').update(disk).digest('hex'));
  }, 60_000);

  it('what means harm is refused or fails with the reason, leaves nothing, and can be deregistered', async () => {
    const before = kept();
    const locations = Object.fromEntries(Object.keys(expected).map((name) => [name, `pictures/up/${name}`]));
    writeFileSync(at('hostile.json'), JSON.stringify(locations));
    const { code, output } = await sandbox.run('/bin/sh', [
      '-c',
      `exec ${PYTHON} "$0" <"$1"`,
      HOSTILE,
      at('hostile.json'),
    ]);
    expect([code, output]).toEqual([0, expect.stringContaining('{')]);
    const ends = JSON.parse(output) as Record<
      string,
      { refused?: string; state?: string; message: string; left?: string }
    >;
    for (const [name, [how, why]] of Object.entries(expected)) {
      const { refused, state, message = '', left } = ends[name] ?? { message: 'no answer' };
      const end = refused === undefined ? [name, state, left] : [name, 'refused'];
      expect(end, message).toEqual(how === 'refused' ? [name, how] : [name, how, 'InvalidAMIID.NotFound']);
      expect(`${name}: ${message}`).toMatch(why);
    }
    expect(kept()).toEqual(before);
  }, 60_000);
});
