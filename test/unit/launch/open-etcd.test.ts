import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseEtcdEndpoint } from '../../../src/adapters/store/etcd/etcd-endpoint.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { readConfiguredFile } from '../../../src/launch/config/configured-file.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import { openEtcd } from '../../../src/launch/open-etcd.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'nv-open-etcd-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What opening says; there is nothing to connect to, and nothing is connected. */
async function saidOf(etcd: object): Promise<string> {
  const config = ConfigSchema.parse({ store: { engine: 'etcd', etcd } });
  const parts = { clock: new SystemClock(), random: new SeededRandom(1), logger: silentLogger };
  try {
    (await openEtcd(config, parts)).close();
    return 'open';
  } catch (error) {
    return String(error);
  }
}

describe('etcd addresses', () => {
  it.each([
    ['https://etcd1.example.org:2379', 'etcd1.example.org:2379', true],
    ['http://localhost:2379', 'localhost:2379', false],
    ['http://127.0.0.2:23790', '127.0.0.2:23790', false],
    ['http://[::1]:2379', '[::1]:2379', false],
  ])('%s is one', (url, target, tls) => {
    expect(parseEtcdEndpoint(url)).toEqual({ url, target, tls });
  });

  it.each([
    ['http://etcd1.example.org:2379', /plain http.*loopback.*use https/],
    ['http://10.0.0.1:2379', /plain http/],
    ['http://127.0.0.1.example.org:2379', /plain http/],
    ['http://[fd00::1]:2379', /plain http/],
    ['https://10.0.0.1:2379', /must have a host name/],
    ['https://[fd00::1]:2379', /must have a host name/],
    ['https://etcd1.example.org', /must look like/],
    ['https://etcd1.example.org:0', /must look like/],
    ['https://etcd1.example.org:70000', /must look like/],
    ['https://user:secret@etcd1:2379', /must look like/],
    ['etcd1:2379', /must look like/],
  ])('%s is refused', (url, problem) => {
    expect(() => parseEtcdEndpoint(url)).toThrow(problem);
  });
});

describe('opening etcd', () => {
  it('needs addresses, and names the key of one that is wrong', async () => {
    expect(await saidOf({})).toContain('store.etcd.endpoints names no server');
    expect(await saidOf({ endpoints: ['http://etcd1.example.org:2379'] })).toContain('store.etcd.endpoints: ');
    expect(await saidOf({ endpoints: ['http://localhost:1', 'https://localhost:1'] })).toBe('open');
  });

  it('needs certificate and key together', async () => {
    const endpoints = ['https://localhost:1'];
    expect(await saidOf({ endpoints, certFile: '/x.pem' })).toContain('store.etcd.keyFile is not');
    expect(await saidOf({ endpoints, keyFile: '/x.key' })).toContain('store.etcd.certFile is not');
  });

  it('says which file is not there', async () => {
    const caFile = join(dir, 'none.pem');
    expect(await saidOf({ endpoints: ['https://localhost:1'], caFile })).toContain(`store.etcd.caFile: ${caFile}: `);
  });
});

describe('files that the configuration names', () => {
  const read = (path: string, secret: boolean): Promise<unknown> =>
    readConfiguredFile('a.key', path, { secret }).then(String, String);

  it.each([
    [0o600, true, 'bytes'],
    [0o400, true, 'bytes'],
    [0o644, false, 'bytes'],
    [0o604, true, expect.stringContaining('mode 0604')],
    [0o640, true, expect.stringContaining('chmod 600')],
  ])('mode %i, secret %s', async (mode, secret, expected) => {
    const path = join(dir, `mode-${mode}-${String(secret)}`);
    writeFileSync(path, 'bytes');
    chmodSync(path, mode);
    expect(await read(path, secret)).toEqual(expected);
  });

  it('that are missing, empty or folders are refused', async () => {
    writeFileSync(join(dir, 'empty'), '');
    expect(await read(join(dir, 'nothing'), true)).toContain(`a.key: ${join(dir, 'nothing')}: there is no such file`);
    expect(await read(join(dir, 'empty'), false)).toContain('the file is empty');
    expect(await read(dir, false)).toContain('it is a folder');
  });
});
