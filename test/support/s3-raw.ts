import { connect, type Socket } from 'node:net';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { scopeText, signatureOf, signingKey, signingTime, type Scope } from '../../src/base/signature/signature-v4.ts';
import { ChunkSignatures } from '../../src/base/signature/signature-chunks.ts';
import { s3ReplyOf, type S3Cloud, type S3Reply } from './s3-cloud.ts';
import { until } from './until.ts';

/** A request's first lines as they go over the wire. */
export const rawHead = (start: string, headers: Readonly<Record<string, string>>, more = ''): string =>
  `${start} HTTP/1.1\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}${more}\r\n`;

/** A connection that says what it likes; all that came back until now, and until its end. */
export class RawS3Client {
  readonly socket: Socket;
  came = '';
  isOver = false;

  constructor({ port }: S3Cloud, text: string | Buffer) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => this.socket.write(text));
    this.socket.on('data', (data) => (this.came += data.toString('latin1')));
    this.socket.on('error', () => undefined);
    for (const name of ['end', 'close']) this.socket.on(name, () => (this.isOver = true));
  }

  /** What was answered when the server had enough. */
  async reply(): Promise<S3Reply> {
    await until(() => this.isOver, { what: 'the server ends the connection' });
    this.socket.destroy();
    const [head = '', ...body] = this.came.split('\r\n\r\n');
    return s3ReplyOf(Number(head.split(' ')[1]), {}, Buffer.from(body.join('\r\n\r\n'), 'latin1'));
  }
}

/** A target with a signature in its query. */
export function presigned(
  cloud: S3Cloud,
  asked: {
    readonly method?: string;
    readonly target: string;
    readonly expiresSeconds?: number;
    readonly key?: AccessKey;
  },
): string {
  const { method = 'GET', target, expiresSeconds = 60, key = cloud.key } = asked;
  const time = signingTime(cloud.sim.clock.nowMs());
  const scope: Scope = { date: time.slice(0, 8), region: 'nova', service: 's3' };
  const [path = '/', given = ''] = target.split('?');
  const parameters = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${key.accessKeyId}/${scopeText(scope)}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(expiresSeconds),
    'X-Amz-SignedHeaders': 'host',
  };
  const words = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const query = [...(given === '' ? [] : [given]), ...words].join('&');
  const signature = signatureOf(key.secretAccessKey, {
    request: { method, path, query, headers: new Map([['host', [cloud.authority]]]) },
    ...{ scope, time, signedHeaders: ['host'], payloadHash: 'UNSIGNED-PAYLOAD', pathStyle: 'plain' },
  });
  return `${path}?${query}&X-Amz-Signature=${signature}`;
}

export interface SignedChunks {
  readonly headers: Record<string, string>;
  /** Each with its head, in order; the last one is empty. */
  readonly chunks: readonly Buffer[];
  /** Behind the last chunk. */
  readonly tail: string;
}

/** A body in chunks, each signed, as clients send it. */
export function signedChunks(
  cloud: S3Cloud,
  target: string,
  parts: readonly Buffer[],
  trailer?: readonly [string, string],
): SignedChunks {
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(parts.reduce((sum, part) => sum + part.length, 0)),
    ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer[0] }),
  };
  const contentSha256 = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`;
  const signed = cloud.signed({ method: 'PUT', target, headers, contentSha256 });
  const time = signed['x-amz-date'] ?? '';
  const scope: Scope = { date: time.slice(0, 8), region: 'nova', service: 's3' };
  const signature = (signed['authorization'] ?? '').slice(-64);
  const signatures = new ChunkSignatures({ key: signingKey(cloud.key.secretAccessKey, scope), scope, time, signature });
  const chunks = [...parts, Buffer.alloc(0)].map((part) => {
    signatures.update(part);
    const head = `${part.length.toString(16)};chunk-signature=${signatures.endChunk()}\r\n`;
    return part.length === 0 ? Buffer.from(head) : Buffer.concat([Buffer.from(head), part, Buffer.from('\r\n')]);
  });
  const line = trailer === undefined ? '' : `${trailer[0]}:${trailer[1]}`;
  const tail = line === '' ? '\r\n' : `${line}\r\nx-amz-trailer-signature:${signatures.trailer(`${line}\n`)}\r\n\r\n`;
  return { headers: signed, chunks, tail };
}
