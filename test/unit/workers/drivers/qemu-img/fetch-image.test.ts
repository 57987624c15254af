import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { silentLogger, type Logger } from '../../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import type { ImageFile, ImageStore } from '../../../../../src/ports/image-store.ts';
import { createImageStore } from '../../../../../src/workers/drivers/qemu-img/image-store.ts';
import { sshSubject } from '../../../../support/ssh-subject.ts';
import { startSsh2Server } from '../../../../support/ssh2-server.ts';
import { TestAuthority } from '../../../../support/test-authority.ts';

const haveCurl = spawnSync('curl', ['--version']).status === 0;
const SECRET = `signature=${randomBytes(12).toString('hex')}`;
const bytes = randomBytes(3 * 1024 * 1024);
const image: ImageFile = {
  blobKey: 'upload/blob-1',
  sha256: createHash('sha256').update(bytes).digest('hex'),
  sizeBytes: bytes.length,
  format: 'raw',
  kind: 'machine',
};

let root: string;
let server: Server;
let serve: (request: IncomingMessage, response: ServerResponse) => void;
let gets: number;
let sent: number;
let warnings: string[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'novactl-fetch-'));
  [gets, sent, warnings] = [0, 0, []];
  serve = (_, response) => response.end(bytes);
  server = createServer((request, response) => {
    gets += 1;
    serve(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});

const localShell = (): HostShell => createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
type Parts = Parameters<typeof createImageStore>[0];
function storeOn(shell: HostShell, presigned = true, more: Partial<Parts> = {}): ImageStore {
  const logger: Logger = { ...silentLogger, warn: (_text, fields) => void warnings.push(JSON.stringify(fields)) };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/blob?a="b\\c&${SECRET}`;
  return createImageStore({
    ...{ shell, logger, clock: new SystemClock(), baseDir: join(root, 'host') },
    source: () => {
      sent += 1;
      return Promise.resolve(Readable.from([bytes]));
    },
    presign: presigned ? () => Promise.resolve(url) : undefined,
    ...more,
  });
}
const files = (): string[] => readdirSync(join(root, 'host/images')).sort();
const commandLines = (): string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      const path = `/proc/${pid}/cmdline`;
      try {
        return existsSync(path) ? readFileSync(path, 'utf8') : '';
      } catch {
        return '';
      }
    });

describe('an image that is at an endpoint', () => {
  beforeEach((ctx: TestContext) => {
    if (!haveCurl) ctx.skip('curl is not installed');
  });

  it('[real] is fetched by the host itself, by a URL that no list of processes shows', async () => {
    const shell = localShell();
    let seen: string[] = [];
    serve = (_, response) => {
      seen = commandLines();
      response.end(bytes);
    };
    const store = storeOn(shell);
    const path = await store.ensureImage(image);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('644');
    expect([gets, sent, warnings]).toEqual([1, 0, []]);
    expect(seen.some((line) => line.startsWith('curl\0'))).toBe(true);
    expect(seen.filter((line) => line.includes(SECRET))).toEqual([]);
    await store.ensureImage(image);
    expect([gets, files()]).toEqual([1, [image.sha256, `${image.sha256}.json`]]);
    await shell.close();
  });

  it.each([
    ['refuses', (response: ServerResponse) => response.writeHead(403).end('no'), /403/],
    ['has other bytes', (response: ServerResponse) => response.end(Buffer.alloc(bytes.length)), /SHA-256 differs/],
    [
      'breaks off',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 1_000_000), () => response.destroy());
      },
      /transfer|remaining|reset/,
    ],
    [
      'goes elsewhere',
      (response: ServerResponse) => response.writeHead(302, { location: '/' }).end(),
      /SHA-256 differs/,
    ],
  ])('[real] is sent when the endpoint %s, and the log says why, without the URL', async (_what, answer, why) => {
    serve = (_, response) => void answer(response);
    const shell = localShell();
    const path = await storeOn(shell).ensureImage(image);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect([gets, sent, warnings.length]).toEqual([1, 1, 1]);
    expect(warnings[0]).toMatch(why);
    expect(warnings[0]).not.toContain(SECRET);
    expect(files()).toEqual([image.sha256, `${image.sha256}.json`]);
    await shell.close();
  });

  it.each([
    ['[real] is fetched from an endpoint whose authority only the cloud knows', 'own', [1, 0]],
    ['[real] is sent where another authority is trusted', 'other', [0, 1]],
    ['[real] is sent where the host is left to its own authorities', undefined, [0, 1]],
  ] as const)('%s', async (_, authority, counts) => {
    const own = new TestAuthority(join(root, 'own'));
    const other = new TestAuthority(join(root, 'other'), 'another');
    const { cert, key } = own.issue('endpoint');
    const endpoint = createTlsServer({ cert, key }, (_request, response) => {
      gets += 1;
      response.end(bytes);
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const shell = localShell();
    const url = `https://localhost:${(endpoint.address() as AddressInfo).port}/blob?${SECRET}`;
    const ca = authority && { own, other }[authority].ca.toString();
    const store = storeOn(shell, true, { presign: () => Promise.resolve(url), presignCa: ca });
    const path = await store.ensureImage(image);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect([gets, sent], warnings.join()).toEqual(counts);
    expect(files()).toEqual([image.sha256, `${image.sha256}.json`]);
    if (sent > 0) expect(warnings[0]).toMatch(/certificate/);
    endpoint.close();
    await shell.close();
  });

  it('[real] is sent to a host that has no curl', async () => {
    const shell = localShell();
    const exec: HostShell['exec'] = (argv, options) =>
      argv[2]?.includes('curl') === true
        ? Promise.resolve({ exitCode: 127, stdout: '', stderr: 'sh: curl: not found\n' })
        : shell.exec(argv, options);
    await storeOn({ ...shell, exec }).ensureImage(image);
    expect([gets, sent]).toEqual([0, 1]);
    expect(warnings[0]).toContain('there is no curl on the host');
    await shell.close();
  });
});

describe('twenty instances of one new image', () => {
  it.for([true, false])('[real] make one download over SSH (the host fetches: %s)', async (presigned, ctx) => {
    if (presigned && !haveCurl) ctx.skip('curl is not installed');
    const ssh = await startSsh2Server();
    const subject = await sshSubject({ ...ssh.endpoint, sudo: false }, process.getuid?.() === 0);
    let uploads = 0;
    const upload: HostShell['upload'] = (...order) => {
      uploads += 1;
      return subject.shell.upload(...order);
    };
    const store = storeOn({ ...subject.shell, upload }, presigned);
    const paths = await Promise.all(Array.from({ length: 20 }, () => store.ensureImage(image)));
    expect(new Set(paths).size).toBe(1);
    expect({ gets, sent, uploads }).toEqual(
      presigned ? { gets: 1, sent: 0, uploads: 0 } : { gets: 0, sent: 1, uploads: 1 },
    );
    expect(readFileSync(paths[0] ?? '').equals(bytes)).toBe(true);
    await subject.shell.close();
    await subject.close();
    await ssh.close();
  });
});
