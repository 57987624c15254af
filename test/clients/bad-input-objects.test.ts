import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bad, expectRefused, type BadInput } from '../support/bad-input.ts';
import { TestCloud } from '../support/test-cloud.ts';

/** Codes: 2 usage, 3 not found, 5 wrong state or conflict. */
const ROWS: readonly BadInput[] = [
  bad('a bucket name that is an address', 'bucket create 10.0.0.1', 2, /10\.0\.0\.1/),
  bad('a bucket twice', 'bucket create box', 5, /box/),
  bad('a bucket that is not there', 'bucket show nosuch', 3, /nosuch/),
  bad('the limits of one that is not there', 'bucket quota nosuch --bytes 1G', 3, /nosuch/),
  bad('deleting one that is not there', 'bucket delete nosuch --force --yes', 3, /nosuch/),
  bad('deleting one that is not empty', 'bucket delete box', 5, /box/, /--force/),
  bad('a file into no bucket', 'object put @file nosuch', 3, /nosuch/),
  bad('an object that is not there', 'object get box/none @got', 3, /none/, /object list/),
  bad('a file that is there already', 'object get box/there @file', 5, /FILE/, /--force/),
  bad('a folder that is not there', 'object get box/there @nowhere/got', 2, /FILE/, /nowhere/),
  bad('a key that ends as a folder', 'object get box/folder/', 2, /FILE/, /folder\/ ends in "\/"/, /give the name/),
  bad('such a key into a folder', 'object get box/folder/ @folder', 2, /FILE/, /folder\/ ends in "\/"/),
  bad('a version that is not there', 'object get box/there @got --version 00000000000000aa0000000000000000', 3, /00aa/),
  bad('deleting what is not there', 'object delete box/none', 3, /none/),
  bad('listing no bucket', 'object list nosuch', 3, /nosuch/),
  bad('sharing where S3 listens nowhere', 'object share box/there', 5, /objectstore\.listen/),
];

describe('bad words for buckets and objects: one line that names what is wrong, the right exit code, nothing changed', () => {
  let cloud: TestCloud;
  const own = (word: string): string => (word.startsWith('@') ? join(cloud.dir, word.slice(1)) : word);

  beforeAll(async () => {
    cloud = new TestCloud({ NOVACTL_METADATA_LISTEN: 'none' });
    writeFileSync(join(cloud.dir, 'file'), 'bytes\n');
    mkdirSync(join(cloud.dir, 'folder'));
    // Without a daemon: these commands do it themselves, and the daemon has it afterwards.
    await cloud.ok('bucket', 'create', 'box');
    await cloud.ok('object', 'put', join(cloud.dir, 'file'), 'box/there');
    await cloud.start();
  }, 60_000);

  afterAll(() => cloud.destroy());

  it.each(ROWS)('$what: $argv', async ({ argv, exit, names }) => {
    await expectRefused(cloud, { argv: argv.split(' ').map(own), exit, names, env: {} });
  });

  it('what commands did without a daemon is there with one, and the other way round', async () => {
    expect(await cloud.ok('object', 'get', 'box/there', '-')).toBe('bytes\n');
    await cloud.ok('object', 'put', join(cloud.dir, 'file'), 'box/by-daemon');
    await cloud.stop();
    expect(await cloud.ok('object', 'list', 'box', '--output', 'name')).toBe('by-daemon\nthere\n');
    // As with everything that deletes: a question only at a terminal.
    await cloud.ok('bucket', 'delete', 'box', '--force');
    expect(await cloud.json('bucket', 'list')).toEqual({ buckets: [] });
  }, 120_000);
});
