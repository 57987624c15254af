import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SystemClock } from '../../../src/base/clock.ts';
import { MIB } from '../../../src/base/units.ts';
import { S3Client } from '../../../src/client/s3/s3-client.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';
import { freePorts } from '../../support/free-ports.ts';
import { spawnCli } from '../../support/spawn-cli.ts';
import { NOVACTL, run, TestCloud, type CliResult } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

/** Three parts. */
const BIG_BYTES = 33 * MIB;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Nothing of the cloud is on the machine of who gives the commands but a context: address, authority, key. */
describe('the object commands over HTTPS, from another machine [real]', { timeout: 120_000 }, () => {
  let cloud: TestCloud;
  let local: SocketClient;
  let proxy: CuttingProxy;
  let env: NodeJS.ProcessEnv;
  let ca: string;
  let home: string;
  const file = (name: string): string => join(home, name);
  const cli = (...args: string[]): Promise<CliResult> => run(NOVACTL, args, env);
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(...args);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const store = (): S3Client => new S3Client((request) => local.s3(request));
  const partsOf = async (key: string): Promise<number> => {
    const [upload] = await store().uploads('box', key);
    return upload === undefined ? 0 : (await store().parts('box', key, upload.uploadId)).length;
  };
  /** Nothing is there, and nothing is under way. */
  const expectNothing = async (key: string): Promise<void> => {
    expect((await cli('object', 'show', `box/${key}`)).code).toBe(3);
    expect(await store().uploads('box', key)).toEqual([]);
  };

  beforeAll(async () => {
    const [api = 0, s3 = 0] = await freePorts(2);
    cloud = new TestCloud({
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_API_LISTEN: `127.0.0.1:${api}`,
      NOVACTL_OBJECTSTORE_LISTEN: `127.0.0.1:${s3}`,
    });
    await cloud.start();
    local = new SocketClient({ socketPath: join(cloud.dir, 'run', 'novactl.sock'), clock: new SystemClock() });
    proxy = await CuttingProxy.start(api);
    home = join(cloud.dir, 'elsewhere');
    mkdirSync(home);
    const { PATH, TMPDIR } = process.env;
    env = { PATH, TMPDIR, HOME: home, NOVACTL_STATE_DIR: file('none'), NOVACTL_RUN_DIR: file('none'), NO_COLOR: '1' };
    const entry = (await cloud.ok('context', 'export')).replace(`:${api}`, `:${proxy.port}`);
    ca = (parse(entry) as { ca: string }).ca;
    expect(await run(NOVACTL, ['context', 'add', 'far', '--from', '-'], env, entry)).toMatchObject({ code: 0 });
    env['NOVACTL_CONTEXT'] = 'far';
    await ok('bucket', 'create', 'box');
  });
  afterAll(async () => {
    await proxy.close();
    await local.close();
    await cloud.destroy();
  });

  it('put, list, get and share, by an address that the authority of the context is enough for', async () => {
    writeFileSync(file('small'), 'from afar\n');
    await ok('object', 'put', file('small'), 'box/some/small.txt');
    expect(await ok('object', 'list', 'box', '--recursive', '--output', 'name')).toBe('some/small.txt\n');
    expect(await ok('object', 'get', 'box/some/small.txt', '-')).toBe('from afar\n');
    const url = (await ok('object', 'share', 'box/some/small.txt')).trim();
    writeFileSync(file('ca.pem'), ca);
    const got = await run('curl', ['-sS', '--fail', '--cacert', file('ca.pem'), url]);
    expect([got.code, got.stdout, got.stderr]).toEqual([0, 'from afar\n', '']);
  });

  it('go on with a put and a get that the network cut', async () => {
    const bytes = randomBytes(BIG_BYTES);
    writeFileSync(file('big'), bytes);
    const put = spawnCli(env, 'object', 'put', file('big'), 'box/big', '--parallel', '1');
    await until(async () => (await partsOf('big')) > 0, { what: 'a part is there', everyMs: 2 });
    proxy.refuse();
    const cut = await put.ended;
    expect([cut.code, cut.stderr]).toEqual([7, expect.stringMatching(/--resume/)]);
    expect((await cloud.cli('object', 'show', 'box/big')).code).toBe(3);
    proxy.pass();
    const again = await cli('object', 'put', file('big'), 'box/big', '--resume');
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/(16|32)\.0 MiB were there already/)]);
    expect(await store().uploads('box', '')).toEqual([]);

    proxy.cutAfter(20 * MIB);
    const half = await cli('object', 'get', 'box/big', file('back'));
    const printed = await run('sh', ['-c', '"$0" object get box/big - >/dev/null', NOVACTL], env);
    proxy.cutNever();
    expect([half.code, half.stderr]).toEqual([7, expect.stringMatching(/the same command goes on with it/)]);
    for (const { code, stderr } of [half, printed])
      expect([code, stderr]).toEqual([7, expect.stringMatching(/box\/big was cut off after \d+ of 34603008 bytes/)]);
    const rest = await cli('object', 'get', 'box/big', file('back'));
    expect([rest.code, rest.stderr]).toEqual([0, expect.stringMatching(/1\d\.\d MiB were there already/)]);
    expect(sha256(readFileSync(file('back')))).toBe(sha256(bytes));
    expect(readdirSync(home).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  /** What sh does, as the end of a pipe. */
  const piped = (script: string, key: string): Promise<CliResult> =>
    run('sh', ['-c', `${script} | "$0" object put - "$1"`, NOVACTL, `box/${key}`], env);

  it('put what comes on stdin in parts; a producer that dies has said its end, and what came is there', async () => {
    const whole = await piped(`cat '${file('big')}'`, 'streamed');
    expect([whole.code, whole.stderr]).toEqual([0, expect.stringMatching(/^put stdin into box\/streamed \(33\.0 MiB/)]);
    expect(await store().head('box', { key: 'streamed' })).toMatchObject({ sizeBytes: BIG_BYTES });
    const got = await run('sh', ['-c', '"$0" object get box/streamed - | sha256sum', NOVACTL], env);
    expect(got.stdout.split(' ')[0]).toBe(sha256(readFileSync(file('big'))));
    // The end of a pipe does not tell why it ended.
    const died = await piped(`sh -c 'head -c 20971520 "$0"; kill -9 $$' '${file('big')}'`, 'died');
    expect(died.code).toBe(0);
    expect(await store().head('box', { key: 'died' })).toMatchObject({ sizeBytes: 20 * MIB });
  });

  it('put nothing when stdin breaks', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = 'exec "$0" object put - box/broken <"/dev/tcp/127.0.0.1/$1"';
    const reading = run('bash', ['-c', script, NOVACTL, String(port)], env);
    const [socket] = (await once(server, 'connection')) as [Socket];
    server.close();
    socket.write(readFileSync(file('big')));
    await until(async () => (await partsOf('broken')) > 0, { what: 'a part is there', everyMs: 5 });
    socket.resetAndDestroy();
    const { code, stderr } = await reading;
    expect([code, stderr]).toEqual([7, expect.stringMatching(/stdin can't be read any more/)]);
    await expectNothing('broken');
  });

  it('put nothing of stdin after an interrupt, also while nothing comes', async () => {
    const child: ChildProcess = spawn(NOVACTL, ['object', 'put', '-', 'box/stopped'], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(child, 'exit');
    // It leaves before all of it is read.
    child.stdin?.on('error', () => undefined);
    child.stdin?.write(readFileSync(file('big')).subarray(0, 20 * MIB));
    await until(async () => (await partsOf('stopped')) > 0, { what: 'a part is there', everyMs: 5 });
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    await expectNothing('stopped');
  });
});
