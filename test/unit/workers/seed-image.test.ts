import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { InstanceSpec } from '../../../src/messages/worker.ts';
import { isoImage } from '../../../src/workers/iso-image.ts';
import { seedImage, seedMetaData } from '../../../src/workers/seed-image.ts';
import { expectGolden } from '../../support/golden.ts';

const SECTOR = 2048;

/** Reads the top folder as ECMA-119 says, by one of the two volume descriptors: an own reader, so that a mistake of the writer shows. */
function filesOf(image: Buffer, descriptor: 'plain' | 'joliet'): Map<string, Buffer> {
  const at = (descriptor === 'plain' ? 16 : 17) * SECTOR;
  expect(image.toString('latin1', at + 1, at + 6)).toBe('CD001');
  expect(image.readUInt8(at)).toBe(descriptor === 'plain' ? 1 : 2);
  expect(image.readUInt32LE(at + 80) * SECTOR).toBe(image.length);
  const root = at + 156;
  const start = image.readUInt32LE(root + 2) * SECTOR;
  const end = start + image.readUInt32LE(root + 10);
  const files = new Map<string, Buffer>();
  for (let record = start; record < end && image.readUInt8(record) > 0; record += image.readUInt8(record)) {
    expect(image.readUInt32BE(record + 6)).toBe(image.readUInt32LE(record + 2));
    const raw = image.subarray(record + 33, record + 33 + image.readUInt8(record + 32));
    if ((image.readUInt8(record + 25) & 2) !== 0) continue;
    const name = descriptor === 'plain' ? raw.toString('latin1') : Buffer.from(raw).swap16().toString('utf16le');
    const from = image.readUInt32LE(record + 2) * SECTOR;
    files.set(name, image.subarray(from, from + image.readUInt32LE(record + 10)));
  }
  return files;
}

const spec = {
  instanceId: 'i-0123456789abcdef0',
  network: { domain: 'novalocal' },
  port: { hostname: 'ip-10-0-0-5' },
} as InstanceSpec;
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMine me: "here" # now';

describe('an ISO 9660 image', () => {
  it('holds each file under both its names', () => {
    const image = isoImage('CIDATA', [
      { name: 'user-data', body: Buffer.from('two') },
      { name: 'meta-data', body: Buffer.alloc(5000, 7) },
    ]);
    for (const [descriptor, names] of [
      ['plain', ['META-DATA.;1', 'USER-DATA.;1']],
      ['joliet', ['meta-data', 'user-data']],
    ] as const) {
      const files = filesOf(image, descriptor);
      expect([...files.keys()]).toEqual(names);
      expect([...files.values()].map(String)).toEqual([Buffer.alloc(5000, 7).toString(), 'two']);
    }
    expect(image.length % 4096).toBe(0);
    expect(image.toString('latin1', 32808, 32816)).toBe('CIDATA  ');
  });

  it('gives back what was put in, whatever it is', () => {
    const files = fc.uniqueArray(
      fc.record({ name: fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), body: fc.uint8Array({ maxLength: 6000 }) }),
      { selector: ({ name }) => name, maxLength: 8 },
    );
    fc.assert(
      fc.property(files, (given) => {
        const found = filesOf(isoImage('X', given), 'joliet');
        expect(found.size).toBe(given.length);
        for (const { name, body } of given) expect(found.get(name)?.equals(body)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('is one to those who know file systems by their bytes [real]', (context) => {
    if (spawnSync('blkid', ['--version']).status !== 0) context.skip('blkid (util-linux) is not installed');
    const dir = mkdtempSync(join(tmpdir(), 'novactl-iso-'));
    try {
      const file = join(dir, 'seed.iso');
      writeFileSync(file, seedImage(spec, { instanceType: 'm1.nano', publicKeys: [KEY] }));
      const found = execFileSync('blkid', ['-p', '-o', 'export', file], { encoding: 'utf8' });
      expect(found).toContain('LABEL=CIDATA');
      expect(found).toContain('TYPE=iso9660');
      expect(found).toContain('VERSION=Joliet');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('the seed of an instance', () => {
  const seed = { instanceType: 'm1.nano', publicKeys: [KEY], userData: Buffer.from('#!/bin/sh\n').toString('base64') };

  it('is YAML that says who the guest is', () => {
    const text = seedMetaData(spec, seed);
    expectGolden('seed/meta-data.yaml', text);
    expect(parse(text)).toEqual({
      'instance-id': 'i-0123456789abcdef0',
      'local-hostname': 'ip-10-0-0-5.novalocal',
      'instance-type': 'm1.nano',
      'public-keys': [KEY],
    });
  });

  it('has nothing in it that a reader of YAML 1.1 refuses or takes for the end of a line, whatever a key is called', () => {
    const publicKeys = [`${KEY} \u007f\u0085\u009b\u2028\u2029\ufeff\uffff \u001b\t\u00e9 \u{1f600}`];
    const text = seedMetaData(spec, { instanceType: 'm1.nano', publicKeys });
    expect(text).toMatch(/^[\n\u0020-\u007e\u00a0-\u2027\u202a-\ufefe\uff00-\ufffd\u{1f600}]*$/u);
    expect(parse(text)).toMatchObject({ 'public-keys': publicKeys });
  });

  it('has the user data as it was given, and an empty file without', () => {
    expect(String(filesOf(seedImage(spec, seed), 'joliet').get('user-data'))).toBe('#!/bin/sh\n');
    const bare = filesOf(seedImage(spec, { instanceType: 'm1.nano', publicKeys: [] }), 'joliet');
    expect(bare.get('user-data')?.length).toBe(0);
    expect(parse(String(bare.get('meta-data')))).not.toHaveProperty('public-keys');
  });

  it('is the same bytes for the same instance', () => {
    expect(seedImage(spec, seed).equals(seedImage(spec, { ...seed }))).toBe(true);
  });
});
