import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { S3_SERVER_LIMITS } from '../../src/controller/api/s3/s3-server.ts';
import { S3Cloud, type S3Reply } from '../support/s3-cloud.ts';
import { rawHead, RawS3Client } from '../support/s3-raw.ts';
import { until } from '../support/until.ts';

const PART = randomBytes(5 * MIB);
const PARTS = 10_000;

/** One with short limits, which a busy machine may be too slow for, and one with its own. */
let cloud: S3Cloud;
let calm: S3Cloud;
beforeAll(async () => {
  const limits = { headersMs: 800, idleMs: 20_000, takeMs: 1500, checkEveryMs: 50 };
  cloud = await S3Cloud.start({ limits, pace: { windowMs: 1000, minBytes: 100 } });
  calm = await S3Cloud.start();
  for (const one of [cloud, calm]) expect((await one.ask({ method: 'PUT', target: '/first' })).status).toBe(200);
});
afterAll(() => Promise.all([cloud.close(), calm.close()]));

const refusal = ({ status, code }: S3Reply): string => `${status} ${code}`;
const temporary = (): readonly string[] => readdirSync(join(cloud.dir, 'tmp'));
const openFiles = (): number => readdirSync('/proc/self/fd').length;

const idle = (): Socket => {
  const socket = connect({ port: cloud.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  return socket;
};

/** What 100 connections do at once, and that others are served meanwhile. */
async function besideMany(text: (n: number) => string, trickle: string): Promise<RawS3Client[]> {
  const clients = Array.from({ length: 100 }, (_, n) => new RawS3Client(cloud, text(n)));
  const timer = setInterval(() => {
    for (const { socket } of clients) if (socket.writable) socket.write(trickle);
  }, 100);
  try {
    expect((await cloud.ask({ target: '/first?list-type=2' })).status).toBe(200);
    await until(() => clients.every(({ isOver }) => isOver), { what: 'all of them are ended' });
  } finally {
    clearInterval(timer);
    for (const { socket } of clients) socket.destroy();
  }
  return clients;
}

describe('clients that take their time [sim]', () => {
  it('over headers, 100 at once, are not waited for, and hold nothing up', async () => {
    const files = openFiles();
    const clients = await besideMany(() => 'GET /first HTTP/1.1\r\nHost: x\r\n', 'X-A: b\r\n');
    expect(clients.every(({ came }) => came.startsWith('HTTP/1.1 400'))).toBe(true);
    await until(() => openFiles() <= files, { what: 'all sockets are closed' });
  });

  it('over bodies, 100 at once, are not waited for, and leave no bytes', async () => {
    const files = openFiles();
    const head = (n: number): string => {
      const target = `/first/slow-${n}`;
      const length = 'Content-Length: 100000\r\n';
      return rawHead(
        `PUT ${target}`,
        cloud.signed({ method: 'PUT', target, contentSha256: 'UNSIGNED-PAYLOAD' }),
        length,
      );
    };
    const clients = await besideMany((n) => head(n) + 'x'.repeat(20_000), 'x');
    expect(clients.every(({ came }) => came.includes('<Code>RequestTimeout</Code>'))).toBe(true);
    await until(() => openFiles() <= files && temporary().length === 0, { what: 'all is let go' });
    expect((await cloud.ask({ target: '/first?list-type=2&prefix=slow' })).text).not.toContain('<Key>');
  });

  it('over answers, 100 at once, hold little memory, and are not waited for', async () => {
    const body = randomBytes(24 * MIB);
    expect((await cloud.ask({ method: 'PUT', target: '/first/large', body })).status).toBe(200);
    const [files, rss] = [openFiles(), process.memoryUsage().rss];
    let answered = 0;
    const readers = Array.from({ length: 100 }, () => {
      const socket = idle();
      // What comes first is there to be read, and nothing of it is.
      socket.once('readable', () => (answered += 1));
      socket.write(rawHead('GET /first/large', cloud.signed({ target: '/first/large' })));
      return socket;
    });
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    await until(() => answered === readers.length, { what: 'they are all answered' });
    await until(() => openFiles() <= files + 100, { what: 'the server has let go of them' });
    clearInterval(timer);
    const heads = readers.map((socket) => String(socket.read()).split('\r\n', 1)[0]);
    expect(new Set(heads)).toEqual(new Set(['HTTP/1.1 200 OK']));
    for (const socket of readers) socket.destroy();
    expect((most - rss) / MIB).toBeLessThan(150);
    expect((await cloud.ask({ target: '/first/large' })).bytes.equals(body)).toBe(true);
  });

  it('can not take all connections from one address', async () => {
    const sockets = Array.from({ length: S3_SERVER_LIMITS.connectionsPerSource + 50 }, () => idle().resume());
    await until(() => sockets.filter(({ destroyed }) => destroyed).length >= 50, { what: 'those beyond are ended' });
    expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(
      S3_SERVER_LIMITS.connectionsPerSource,
    );
    for (const socket of sockets) socket.destroy();
    await until(async () => (await cloud.ask({ target: '/' }).catch(() => undefined))?.status === 200, {
      what: 'others are served again',
    });
  });
});

describe('answers to many at once [sim]', () => {
  it('are each of their own bytes', async () => {
    const bodies = Array.from({ length: 12 }, (_, n) => randomBytes(n * 150_000 + 20_000));
    for (const [n, body] of bodies.entries()) await calm.ask({ method: 'PUT', target: `/first/own-${n}`, body });
    const asked = Array.from({ length: 96 }, (_, n) => n % bodies.length);
    const got = await Promise.all(asked.map((n) => calm.ask({ target: `/first/own-${n}` })));
    expect(got.filter(({ bytes }, at) => !bytes.equals(bodies[at % bodies.length] ?? PART))).toEqual([]);
  });
});

describe('an upload of 10,000 parts [sim]', () => {
  const target = '/first/parts';
  const etag = createHash('md5').update(PART).digest('hex');
  const document = (count: number): string => {
    const rows = Array.from(
      { length: count },
      (_, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    );
    return `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`;
  };

  it('is one object; one part more is refused', async () => {
    const { text } = await calm.ask({ method: 'POST', target: `${target}?uploads` });
    const uploadId = /<UploadId>([^<]+)</.exec(text)?.[1] ?? '';
    const first = await calm.ask({ method: 'PUT', target: `${target}?partNumber=1&uploadId=${uploadId}`, body: PART });
    expect(first.status).toBe(200);
    // The others are the same bytes once more: 50 GB of an object in 5 MB of disk.
    const [part] = await calm.store.parts(uploadId, 0, 1);
    if (part === undefined) throw new Error('the first part is not there');
    const upload = { bucket: 'first', key: 'parts', uploadId };
    const numbers = Array.from({ length: PARTS - 1 }, (_, n) => n + 2);
    await Promise.all(numbers.map((number) => calm.store.putPart(upload, { ...part, number })));

    const more = { method: 'PUT', target: `${target}?partNumber=${PARTS + 1}&uploadId=${uploadId}`, body: 'x' };
    expect(refusal(await calm.ask(more))).toBe('400 InvalidArgument');
    const complete = { method: 'POST', target: `${target}?uploadId=${uploadId}` };
    expect((await calm.ask({ ...complete, body: document(PARTS + 1) })).status).toBe(400);
    const done = await calm.ask({ ...complete, body: document(PARTS) });
    expect(refusal(done)).toBe('200 ');
    expect(done.text).toContain(`-${PARTS}`);

    const head = await calm.ask({ method: 'HEAD', target });
    expect(head.headers['content-length']).toBe(String(PART.length * PARTS));
    const at = PART.length * 7_000 - 10;
    const range = await calm.ask({ target, headers: { range: `bytes=${at}-${at + 19}` } });
    expect(range.bytes.equals(Buffer.concat([PART.subarray(-10), PART.subarray(0, 10)]))).toBe(true);
    const last = await calm.ask({ target: `${target}?partNumber=${PARTS}` });
    expect([last.status, last.bytes.equals(PART)]).toEqual([206, true]);
  });
});
