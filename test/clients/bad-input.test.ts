import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { writeStillImage } from '../support/still-image.ts';
import { bad, expectRefused, type BadInput } from '../support/bad-input.ts';
import { TestCloud } from '../support/test-cloud.ts';

/** Codes: 2 usage, 3 not found, 4 denied, 5 wrong state or conflict, 6 capacity, 7 unavailable. */
const ROWS: readonly BadInput[] = [
  bad('an unknown command', 'instance frobnicate', 2, /instance frobnicate/),
  bad('an unknown topic', 'frobnicate', 2, /frobnicate/),
  bad('an unknown flag', 'instance list --frob', 2, /--frob/),
  bad('a needed flag left out', 'run-instance --type m1.tiny', 2, /--image/),
  bad('a needed argument left out', 'instance show', 2, /ID/),
  bad('an argument too many', 'type list foo', 2, /foo/),
  bad('a flag without its value', 'instance run --image', 2, /--image/),
  bad('count zero', 'run-instance --image still --count 0', 2, /--count/, /1 to 100/, /"0"/),
  bad('count negative', 'run-instance --image still --count -3', 2, /--count/, /1 to 100/),
  bad('count not a number', 'run-instance --image still --count many', 2, /--count/, /"many"/),
  bad('count too large', 'run-instance --image still --count 101', 2, /--count/, /1 to 100/),
  bad('an image that is not there', 'run-instance --image nosuch', 3, /--image/, /nosuch/, /image list/),
  bad(
    'an image id that is not there',
    'run-instance --image ami-0123456789abcdef0',
    3,
    /--image/,
    /ami-0123456789abcdef0/,
  ),
  bad('a kernel as image', 'run-instance --image vmlinuz', 2, /--image/, /kernel/),
  bad('a type that is not there', 'run-instance --image still --type m9.huge', 3, /--type/, /m9.huge/, /type list/),
  bad('a key that is not there', 'run-instance --image still --key nosuch', 3, /--key/, /nosuch/, /keypair list/),
  bad('a name with a space', 'run-instance --image still --name a_b!c', 2, /--name/, /letters/),
  bad('a token with a line feed', 'run-instance --image still --client-token tö', 2, /--client-token/, /ASCII/),
  bad(
    'a token that is too long',
    `run-instance --image still --client-token ${'x'.repeat(65)}`,
    2,
    /--client-token/,
    /64/,
  ),
  bad(
    'a user data file that is not there',
    'run-instance --image still --user-data @nowhere',
    2,
    /--user-data/,
    /nowhere/,
  ),
  bad('user data over 16 KiB', 'run-instance --image still --user-data @big', 2, /--user-data/, /16384/),
  bad('a timeout that is no time', 'run-instance --image still --wait --timeout soon', 2, /--timeout/, /"soon"/),
  bad('no host with room', 'run-instance --image still', 6, /no host/, /host add/),
  bad('a malformed instance id', 'instance show i-123', 2, /i-123|ID/, /17 hex/),
  bad('an instance that is not there', 'instance show i-0123456789abcdef0', 3, /i-0123456789abcdef0/),
  bad('stopping what is not there', 'instance stop i-0123456789abcdef0', 3, /i-0123456789abcdef0/),
  bad('terminating what is not there', 'instance terminate --yes i-0123456789abcdef0', 3, /i-0123456789abcdef0/),
  bad('waiting for a state that is none', 'instance wait i-0123456789abcdef0 --for happy', 2, /--for/, /running/),
  bad('explaining what is not there', 'why instance i-0123456789abcdef0', 3, /i-0123456789abcdef0/),
  bad('a key pair name twice', 'keypair import mine --public-key @key.pub', 5, /mine/, /exists/),
  bad('a public key that is none', 'keypair import other --public-key @junk', 2, /OpenSSH public key/),
  bad('a private key as public key', 'keypair import other --public-key @private', 2, /public key/),
  bad('a public key file that is not there', 'keypair import other --public-key @nowhere', 2, /nowhere/),
  bad('deleting a key pair that is not there', 'keypair delete nosuch', 3, /nosuch/),
  bad('a key type that is none', 'keypair create other --type dsa', 2, /--type/, /ed25519/),
  bad('an image file that is not there', 'image import @nowhere --name x', 2, /nowhere/),
  bad('a folder as image', 'image import @folder --name x', 2, /folder/),
  bad('an empty image', 'image import @empty --name x', 2, /empty/),
  bad('a qcow2 with a backing file', 'image import @backed.qcow2 --name x', 2, /backing file/),
  bad('a truncated qcow2', 'image import @cut.qcow2 --name x', 2, /qcow2/),
  bad('a damaged VMDK', 'image import @disk.vmdk --name x', 2, /VMDK/, /version 0 is unknown/),
  bad('an object that is not there', 'image import s3://nowhere/disk --name x', 2, /nowhere/),
  bad('a place without a key', 'image import s3://nowhere --name x', 2, /bucket\/key/),
  bad('sharing with nobody', 'image share still', 2, /--with/),
  bad('a deprecation at no time', 'image deprecate still --at soon', 2, /--at/, /2030/),
  bad('a deprecation in the past', 'image deprecate still --at 1999-01-01', 2, /--at/, /ten years/),
  bad('a disk as kernel', 'image import @still --name x --kind kernel', 2, /kernel/),
  bad('a ramdisk without a kernel', 'image import @still --name x --ramdisk rd', 3, /--ramdisk/, /rd/),
  bad('an image name twice', 'image import @still --name still', 5, /--name/, /still/, /exists/),
  bad('deleting an image that is not there', 'image delete --yes nosuch', 3, /nosuch/),
  bad('a malformed operation id', 'op show op-1', 2, /17 hex/),
  bad('an operation that is not there', 'op show op-0123456789abcdef0', 3, /op-0123456789abcdef0/),
  bad('a host that is not there', 'host show nosuch', 3, /nosuch/, /host list/),
  bad('a host that nobody knows', 'host add elsewhere.invalid', 7, /elsewhere.invalid/, /DNS|name server/),
  bad('no host at all', 'host add', 2, /NAME/, /--local/, /--from/),
  bad('a host with a port that is none', 'host add root@h1:70000', 2, /NAME/, /65535/, /h1:70000/),
  bad('a port that is none', 'host add h1 --port ssh', 2, /--port/, /65535/, /"ssh"/),
  bad('an IPv6 address as name', 'host add root@[::1]', 2, /NAME/, /--address ::1/),
  bad('a fingerprint of the old kind', 'host add h1 --fingerprint MD5:aa:bb', 2, /--fingerprint/, /SHA256:/, /MD5/),
  bad('a jump host that is two words', 'host add h1 --jump a@b@c', 2, /--jump/, /a@b@c/),
  bad('a jump fingerprint without a jump host', 'host add h1 --jump-fingerprint x', 2, /--jump/),
  bad('a key file and the agent', 'host add h1 --identity @key.pub --agent', 2, /--identity/, /--agent/),
  bad('a file of hosts that is not there', 'host add --from @nowhere', 2, /--from/, /nowhere/),
  bad('a file of hosts with a bad line', 'host add --from @hosts', 2, /hosts, line 2/, /SHA256:/),
  bad('a name beside a file of hosts', 'host add h1 --from @hosts', 2, /--from/, /h1/),
  bad('checking a host that is not there', 'host check nosuch', 3, /HOST/, /nosuch/),
  bad('disabling a host that is not there', 'host disable nosuch', 3, /HOST/, /nosuch/),
  bad('losing a host without saying its name twice', 'host remove --lost nosuch', 2, /--confirm/),
  bad('a host name with capitals and spaces', 'host add Bad_Name --local', 2, /NAME/, /lower-case/),
  bad('an output format that is none', 'instance list --output xml', 2, /--output/, /table/),
  bad('a column that is none', 'instance list --columns id,shoe-size', 2, /--columns/, /shoe-size/),
  bad('a filter that is none', 'instance list --filter shoe-size=3', 2, /shoe-size/),
  {
    ...bad('an unknown configuration key', 'config check', 2, /stateDirr/, /stateDir/),
    env: { NOVACTL_CONFIG: '@typo.yaml' },
  },
  {
    ...bad('a configuration value out of range', 'config check', 2, /instances.maxAttempts/, /101/),
    env: { NOVACTL_CONFIG: '@range.yaml' },
  },
  {
    ...bad('a configuration that is no YAML', 'config check', 2, /broken.yaml/),
    env: { NOVACTL_CONFIG: '@broken.yaml' },
  },
  bad(
    'a certificate that is not there',
    'config check --set store.engine=etcd --set store.etcd.endpoints=https://127.0.0.1:2379 --set store.etcd.caFile=/nowhere/ca.pem',
    ...([2, /store.etcd.caFile/, /\/nowhere\/ca.pem/, /no such file/] as const),
  ),
  {
    ...bad('a state that another process holds', 'keypair delete mine --no-wait-lock', 9, /in use by process \d+/),
    env: { NOVACTL_RUN_DIR: '@folder' },
  },
  {
    ...bad('no daemon and no cloud', 'instance list', 7, /no cloud is running/, /novactl up/),
    env: { NOVACTL_RUN_DIR: '@folder', NOVACTL_STATE_DIR: '@folder' },
  },
];

/** qcow2 v3 header: magic, version, backing offset and length, cluster bits 16, 1 GiB. */
function qcow2(backing: boolean): Buffer {
  const head = Buffer.alloc(65_536 * 4);
  head.write('QFI\xfb', 'latin1');
  head.writeUInt32BE(3, 4);
  if (backing) {
    head.writeBigUInt64BE(512n, 8);
    head.writeUInt32BE(11, 16);
    head.write('/etc/shadow', 512);
  }
  head.writeUInt32BE(16, 20);
  head.writeBigUInt64BE(2n ** 30n, 24);
  head.writeUInt32BE(2, 36);
  head.writeBigUInt64BE(65_536n, 40);
  head.writeBigUInt64BE(131_072n, 48);
  head.writeUInt32BE(1, 56);
  head.writeUInt32BE(4, 96);
  head.writeUInt32BE(104, 100);
  return head;
}

/** A bzImage as far as its header goes. */
function kernel(): Buffer {
  const image = Buffer.alloc(65_536);
  image.writeUInt16LE(0xaa55, 510);
  image.write('HdrS', 0x202);
  image.writeUInt16LE(0x020f, 0x206);
  return image;
}

function writeFiles(cloud: TestCloud): void {
  const put = (name: string, body: string | Buffer): void => writeFileSync(join(cloud.dir, name), body);
  writeStillImage(join(cloud.dir, 'still'));
  mkdirSync(join(cloud.dir, 'folder'));
  put('big', 'x'.repeat(16_385));
  put('junk', 'this is no key\n');
  put('private', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n');
  put('key.pub', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g me@here\n');
  put('empty', '');
  put('backed.qcow2', qcow2(true));
  put('cut.qcow2', qcow2(false).subarray(0, 60));
  put('disk.vmdk', Buffer.concat([Buffer.from('KDMV'), Buffer.alloc(1020)]));
  put('vmlinuz', kernel());
  put('hosts', 'node1\nnode2 SHA256:short\n');
  put('typo.yaml', 'stateDirr: /tmp\n');
  put('range.yaml', 'instances:\n  maxAttempts: 101\n');
  put('broken.yaml', 'a: [1\nb: {');
}

describe('bad input: one line that names what is wrong, the right exit code, nothing changed', () => {
  let cloud: TestCloud;
  const own = (word: string): string => (word.startsWith('@') ? join(cloud.dir, word.slice(1)) : word);

  beforeAll(async () => {
    cloud = new TestCloud({ NOVACTL_METADATA_LISTEN: 'none' });
    writeFiles(cloud);
    await cloud.start();
    await cloud.ok('image', 'import', join(cloud.dir, 'still'), '--name', 'still');
    await cloud.ok('image', 'import', join(cloud.dir, 'vmlinuz'), '--name', 'vmlinuz', '--kind', 'kernel');
    await cloud.ok('keypair', 'import', 'mine', '--public-key', join(cloud.dir, 'key.pub'));
  }, 60_000);

  afterAll(async () => {
    await cloud.destroy();
  });

  it.each(ROWS)('$what: $argv', async ({ argv, exit, names, env }) => {
    const words = argv
      .split(' ')
      .map((word) => (argv.includes('--user-data') && word.startsWith('@') ? `@${own(word)}` : own(word)));
    const extra = Object.fromEntries(Object.entries(env ?? {}).map(([key, value]) => [key, own(value)]));
    await expectRefused(cloud, { argv: words, exit, names, env: extra });
  });
});
