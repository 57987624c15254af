import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bad, type BadInput } from '../../../support/bad-input.ts';
import { runCli } from '../../../support/run-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'novactl-usage-'));
writeFileSync(join(dir, 'file'), 'bytes');
mkdirSync(join(dir, 'folder'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Refused before any cloud is asked: here there is none. */
const ROWS: readonly BadInput[] = [
  bad('a bucket name with capitals', 'bucket create Box', 2, /NAME/, /3 to 63/, /"Box"/),
  bad('a size that is none', 'bucket create new --quota-bytes 10XB', 2, /--quota-bytes/, /10GiB/, /"10XB"/),
  bad('a number that is none', 'bucket quota box --objects many', 2, /--objects/, /"many"/),
  bad('a file without a bucket', 'object put @file', 2, /BUCKET/),
  bad('a file that is not there', 'object put @nowhere box', 2, /FILE/, /nowhere/),
  bad('a file that is below a file', 'object put @file/more box', 2, /^novactl: FILE: [^ ]+ is not there/),
  bad('a name that no file can have', `object put @${'n'.repeat(300)} box`, 2, /nnn is too long a name for a file/),
  bad('a folder without --recursive', 'object put @folder box', 2, /FILE/, /--recursive/),
  bad('two files under one key', 'object put @file @file box/one', 2, /2 are given/, /end with "\/"/),
  bad('a bucket that is none', 'object put @file Box_1', 2, /BUCKET\/KEY/, /"Box_1"/),
  bad('stdin without a key', 'object put - box', 2, /BUCKET\/KEY/),
  bad('stdin that is to be resumed', 'object put - box/k --resume', 2, /--resume/, /stdin/),
  bad('too many at a time', 'object put @file box --parallel 17', 2, /--parallel/, /1 to 16/, /"17"/),
  bad('a key that is too long', `object put @file box/${'k'.repeat(1025)}`, 2, /1025 bytes/, /1024/),
  bad('an object without a key', 'object get box', 2, /OBJECT/, /BUCKET\/KEY/),
  bad('a version of several', 'object delete box/a box/b --version x', 2, /--version/, /one OBJECT/),
  bad('sharing for too long', 'object share box/there --expires 169h', 2, /--expires/, /168h/),
];

describe('bad words for buckets and objects that no cloud need be asked about', () => {
  it.each(ROWS)('$what: $argv', async ({ argv, exit, names }) => {
    const words = argv.split(' ').map((word) => (word.startsWith('@') ? join(dir, word.slice(1)) : word));
    const { code, stdout, stderr } = await runCli(words);
    expect([code, stdout]).toEqual([exit, '']);
    expect(stderr).toMatch(/^novactl: [^\n]+\n$/);
    for (const name of names) expect(stderr).toMatch(name);
  });
});
