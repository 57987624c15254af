import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/private-sshd.ts';
import { bad, expectRefused, type BadInput } from '../support/bad-input.ts';
import { spawnCli } from '../support/spawn-cli.ts';
import { writeStillImage } from '../support/still-image.ts';
import { TestCloud, type InstanceRow } from '../support/test-cloud.ts';

/** 43 characters of base64, as a fingerprint has them. */
const PRINT = `SHA256:${'A'.repeat(43)}`;
const KEY = 'AKIAIOSFODNN7EXAMPLE';
const add = (rest: string): string => `context add prod --access-key ${KEY} ${rest}`;
/** No cloud runs there. */
const ALONE = { NOVACTL_RUN_DIR: '@run2', NOVACTL_STATE_DIR: '@full' };

const HOSTS: readonly BadInput[] = [
  bad('a host with no user before the @', 'host add @h1', 2, /NAME/, /"@h1"/, /user@/),
  bad('a host with nothing behind the @', 'host add root@', 2, /NAME/, /"root@"/),
  bad('a host with a colon and no port', 'host add root@h1:', 2, /NAME/, /"root@h1:"/, /port/),
  bad('a host at port 0', 'host add root@h1:0', 2, /NAME/, /1 to 65535/, /h1:0/),
  bad(
    'a fingerprint that is cut off',
    'host add h1 --fingerprint SHA256:short',
    2,
    /--fingerprint/,
    /43/,
    /SHA256:short/,
  ),
  bad('a jump host with a port that is none', 'host add h1 --jump x:99999', 2, /--jump/, /65535/, /x:99999/),
  bad('an address that is none', 'host add h1 --address a;b', 2, /a;b/, /IP address/),
  bad('a local host that is simulated', 'host add x --simulated --local', 2, /--simulated/, /--local/),
  bad('SSH where all hosts are simulated', `host add h1 --fingerprint ${PRINT}`, 5, /simulated/, /SSH/),
  bad('a host twice', 'host add sim1 --simulated', 5, /NAME/, /sim1/),
  bad('a zone that is none', 'host add x --simulated --zone a/b', 2, /--zone/, /a\/b/, /letters/),
  bad('a file of hosts with the same host twice', 'host add --from @twice', 2, /line 2/, /n1/, /line 1/),
  bad('a file of hosts with none', 'host add --from @comments', 2, /--from/, /comments/, /no host/),
  bad('a folder as file of hosts', 'host add --from @folder', 2, /--from/, /EISDIR|folder/),
  bad('bytes as file of hosts', 'host add --from @bytes', 2, /line 1/, /fingerprint/),
  bad('removing a host that has instances', 'host remove sim1 --yes', 5, /HOST/, /sim1/, /instances/),
  bad('losing a host by another name', 'host remove --lost sim1 --confirm=other', 2, /--confirm/, /sim1/),
  bad('a host key where there is none', 'host set-key sim1', 2, /HOST/, /sim1/, /SSH/),
];

const CONTEXTS: readonly BadInput[] = [
  bad(
    'a cloud by plain HTTP',
    add('--url http://h:8774 --secret-file @secret --ca @ca'),
    2,
    /--url/,
    /https:/,
    /http:\/\/h/,
  ),
  bad('an address with a path', add('--url https://h/x --secret-file @secret --ca @ca'), 2, /--url/, /https:\/\/h\/x/),
  bad('a port over 65535', add('--url https://h:99999 --secret-file @secret --ca @ca'), 2, /--url/, /99999/),
  bad('an authority that is no PEM', add('--url https://h --secret-file @secret --ca @junk'), 2, /--ca/, /PEM/),
  bad('a PEM with nothing in it', add('--url https://h --secret-file @secret --ca @hollow'), 2, /--ca/, /PEM/),
  bad(
    'an authority that is not there',
    add('--url https://h --secret-file @secret --ca @nowhere'),
    2,
    /--ca/,
    /nowhere/,
  ),
  bad('a folder as secret', add('--url https://h --secret-file @folder --ca @ca'), 2, /--secret-file/, /folder/),
  bad('a secret that is none', add('--url https://h --secret-file @junk --ca @ca'), 2, /secret/, /16 to 128/),
  bad('no secret', add('--url https://h --ca @ca'), 2, /--secret-file/, /--secret-stdin/),
  bad('nothing to pin', add('--url https://h --secret-file @secret'), 2, /--ca/, /--fingerprint/),
  bad(
    'a fingerprint that is none',
    add('--url @URL --secret-file @secret --fingerprint zz'),
    2,
    /--fingerprint/,
    /64 hex/,
    /"zz"/,
  ),
  bad(
    'the fingerprint of another',
    add(`--url @URL --secret-file @secret --fingerprint ${'ab'.repeat(32)}`),
    4,
    /--fingerprint/,
    /abab/,
  ),
  bad(
    'a cloud that is not there',
    add('--url https://127.0.0.1:1 --secret-file @secret --ca @ca'),
    7,
    /127.0.0.1:1\b/,
    /api.listen/,
  ),
  bad(
    'a key that the cloud does not know',
    add('--url @URL --secret-file @secret --ca @ca'),
    4,
    new RegExp(KEY),
    /key list/,
  ),
  bad('an export that is none', 'context add prod --from @junk', 2, /--from/, /junk/, /context export/),
  bad('an export that is not there', 'context add prod --from @nowhere', 2, /--from/, /nowhere/),
  bad('a context called local', 'context add local --from @junk', 2, /NAME/, /local/),
  bad('a context with a slash', 'context add a/b --from @junk', 2, /NAME/, /letters/, /a\/b/),
  bad('using a context that is not there', 'context use nosuch', 2, /nosuch/, /local/),
  bad('forgetting one that is not there', 'context remove nosuch --yes', 2, /nosuch/, /local/),
  bad('a command with one that is not there', 'instance list --context nosuch', 2, /nosuch/, /local/),
  { ...bad('a variable with one that is not there', 'status', 2, /nosuch/), env: { NOVACTL_CONTEXT: 'nosuch' } },
  {
    ...bad('contexts that others may read', 'status --context prod', 4, /contexts.yaml/, /644/, /chmod 600/),
    env: { XDG_CONFIG_HOME: '@open' },
  },
  {
    ...bad('a context that lacks half', 'status --context prod', 2, /prod/, /region, accessKeyId, ca/),
    env: { XDG_CONFIG_HOME: '@half' },
  },
  {
    ...bad('contexts that are no YAML', 'status --context prod', 2, /contexts.yaml/, /line 3/),
    env: { XDG_CONFIG_HOME: '@broken' },
  },
  bad('exporting with a plain address', 'context export --url http://h', 2, /--url/, /http:\/\/h/),
  bad('exporting for nobody', 'context export --user nosuch', 3, /--user/, /nosuch/),
];

const KEYS: readonly BadInput[] = [
  bad('an access key for nobody', 'key create --user nosuch', 3, /--user/, /nosuch/),
  bad('a secret over a file that is there', 'key create --out @junk', 5, /junk/, /not overwritten/),
  bad('deleting what is no access key', 'key delete x! --yes', 2, /ID/, /"x!"/, /AKIA/),
  bad('deleting an access key that is not there', `key delete ${KEY} --yes`, 3, new RegExp(KEY), /key list/),
];

const CONSOLES: readonly BadInput[] = [
  bad('the console of none', 'instance console i-0123456789abcdef0', 3, /i-0123456789abcdef0/, /instance list/),
  bad('a console by a malformed id', 'instance console i-12', 2, /ID/, /"i-12"/, /17 hex/),
  bad('the console of what is stopped', 'instance console @STOPPED', 5, /stopped/, /instance log/),
  bad('a key to leave that is none', 'instance console @I --escape xyz', 2, /--escape/, /"xyz"/),
  bad('a time to linger that is none', 'instance console @I --linger soon', 2, /--linger/, /"soon"/),
  bad('following the log of none', 'instance log --follow i-0123456789abcdef0', 3, /i-0123456789abcdef0/),
  bad('following by a malformed id', 'instance log --follow i-12', 2, /ID/, /17 hex/),
  bad('lines that are no number', 'instance log @I --tail many', 2, /--tail/, /100000/, /"many"/),
  bad('all of the log, and its end', 'instance log @I --tail 5 --all', 2, /--all/, /--tail/),
];

const UPKEEP: readonly BadInput[] = [
  bad('a job that is none', 'maintain frobnicate', 2, /maintain frobnicate/),
  bad('a job for a time that is none', 'maintain watch --timeout x', 2, /--timeout/, /"x"/),
  bad('a pause for a time that is none', 'maintain pause --for soon', 2, /--for/, /"soon"/),
  bad('a pause for no time', 'maintain pause --for 0s', 2, /--for/, /1000 to/),
  bad('cron and systemd at once', 'maintain install --cron --systemd', 2, /--systemd/, /--cron/),
  bad('neither cron nor systemd', 'maintain install', 2, /--cron/, /--systemd/),
  bad('jobs for a machine that is a file', 'maintain install --cron --root @junk --yes', 2, /junk/, /ENOTDIR/),
  bad('restoring what is not there', 'state restore @nowhere', 3, /nowhere/),
  bad('restoring a folder', 'state restore @folder', 2, /folder/, /backup/),
  bad('restoring what is no backup', 'state restore @junk', 1, /junk/, /byte 0/, /state archive/),
  bad('restoring a damaged backup', 'state restore @damaged', 1, /damaged/, /checksum/, /byte \d+/),
  bad('restoring half a backup', 'state restore @cut', 1, /cut/, /cut off/),
  bad('restoring over a cloud that runs', 'state restore @backup', 9, /in use by process \d+/, /novactl serve/),
  { ...bad('restoring over a state', 'state restore @backup', 5, /full/, /--force/), env: ALONE },
  bad('verifying what is no backup', 'state verify @junk', 1, /junk/, /byte 0/),
];

const REST: readonly BadInput[] = [
  bad('a reason that is too long', `instance stop @I --reason ${'x'.repeat(1025)}`, 2, /--reason/, /1 to 1024/, /1025/),
  bad('a reason of two lines', 'instance stop @I --reason a\nb', 2, /--reason/, /one line/, /a\?b/),
  bad(
    'a listener that is no address',
    'config check --set api.listen=300.1.1.1',
    2,
    /api.listen/,
    /300.1.1.1/,
    /--set/,
  ),
  bad('a port that is none', 'config check --set api.port=99999', 2, /api.port/, /0 to 65535/, /99999/),
  bad('setting an unknown key', 'config check --set nosuch=1', 2, /--set/, /nosuch/, /config show/),
  bad('setting without a value', 'config check --set api', 2, /--set/, /KEY=VALUE/, /"api"/),
  bad('a configuration that is not there', 'config check --config @nowhere', 2, /nowhere/, /--config/),
  bad('a dashboard on no terminal', 'dashboard', 5, /terminal/, /--once/),
  bad('a second daemon', 'serve', 9, /in use by process \d+/),
  bad('following what is no operation', 'op follow op-1', 2, /ID/, /17 hex/),
];

const ROWS = [...HOSTS, ...CONTEXTS, ...KEYS, ...CONSOLES, ...UPKEEP, ...REST];

describe('bad input from and about elsewhere [sim]: one line, the right exit code, nothing changed', () => {
  let cloud: TestCloud;
  const words = new Map<string, string>();
  const own = (word: string): string =>
    word.startsWith('@') && word !== '@h1' ? (words.get(word) ?? join(cloud.dir, word.slice(1))) : word;
  const contexts = (): string => join(cloud.dir, 'config', 'novactl', 'contexts.yaml');

  beforeAll(async () => {
    const port = await freePort();
    words.set('@URL', `https://127.0.0.1:${port}`);
    cloud = new TestCloud({
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METADATA_PORT: String(await freePort()),
      NOVACTL_API_LISTEN: `127.0.0.1:${port}`,
    });
    writeFiles(cloud.dir);
    await cloud.start();
    words.set('@ca', join(cloud.dir, 'state', 'tls', 'ca.pem'));
    await cloud.ok('host', 'add', 'sim1', '--simulated');
    await cloud.ok('image', 'import', join(cloud.dir, 'still'), '--name', 'still');
    const run = ['instance', 'run', '--image', 'still', '--type', 'm1.nano', '--count', '2', '--wait'];
    const [first, second] = (await cloud.json<{ instances: InstanceRow[] }>(...run)).instances;
    words.set('@I', first?.instanceId ?? '');
    words.set('@STOPPED', second?.instanceId ?? '');
    await cloud.ok('instance', 'stop', '--wait', second?.instanceId ?? '');
    const backup = join(cloud.dir, 'backup');
    await cloud.ok('maintain', 'backup', '--to', backup);
    damage(cloud.dir, readFileSync(backup));
  }, 60_000);

  afterAll(async () => {
    await cloud.destroy();
  });

  it.each(ROWS)('$what: $argv', async ({ argv, exit, names, env = {} }) => {
    const extra = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, own(value)]));
    await expectRefused(cloud, { argv: argv.split(' ').map(own), exit, names, env: extra });
    expect(() => readFileSync(contexts())).toThrow('ENOENT');
  });

  it('a console with nothing to type on', async () => {
    const { code, stdout, stderr } = await spawnCli(cloud.env, 'instance', 'console', own('@I')).ended;
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr).toMatch(/^novactl: .*terminal.*instance log ID --follow[^\n]*\n$/);
  });
});

function writeFiles(dir: string): void {
  const put = (name: string, body: string | Buffer): void => writeFileSync(join(dir, name), body, { mode: 0o600 });
  writeStillImage(join(dir, 'still'));
  for (const folder of ['folder', 'run2', 'full']) mkdirSync(join(dir, folder), { mode: 0o700 });
  put('full/journal.log', 'something is here\n');
  put('junk', 'junk\n');
  put('bytes', Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 37) % 256 || 1)));
  put('twice', 'n1\nn1\n');
  put('comments', '# nobody\n\n');
  put('secret', '0123456789abcdef0123456789abcdef01234567\n');
  put('hollow', '-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n');
  const half = 'contexts:\n  prod: {url: "https://x", secretAccessKey: abc}\n';
  const broken = 'contexts:\n  prod: {url: "https://x", secretAccessKey: "abc\n  x: [';
  for (const [name, text, mode] of [
    ['open', half, 0o644],
    ['half', half, 0o600],
    ['broken', broken, 0o600],
  ] as const) {
    mkdirSync(join(dir, name, 'novactl'), { recursive: true });
    put(`${name}/novactl/contexts.yaml`, text);
    chmodSync(join(dir, name, 'novactl', 'contexts.yaml'), mode);
  }
}

function damage(dir: string, backup: Buffer): void {
  writeFileSync(join(dir, 'cut'), backup.subarray(0, 700));
  const middle = Buffer.from(backup);
  middle[400] = (middle[400] ?? 0) ^ 1;
  writeFileSync(join(dir, 'damaged'), middle);
}
