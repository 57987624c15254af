import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openObjectStore } from '../../src/adapters/objects/object-store.ts';
import { sha256Hex } from '../../src/base/ids.ts';
import { silentLogger, type Logger } from '../../src/base/logger.ts';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { scopeText, signatureOf, signingTime } from '../../src/base/signature/signature-v4.ts';
import { parseXml, xmlText } from '../../src/base/xml.ts';
import { S3_ACTIONS } from '../../src/controller/api/s3/actions/index.ts';
import type { BodyPace } from '../../src/controller/api/s3/body-source.ts';
import type { S3Action } from '../../src/controller/api/s3/s3-action.ts';
import { s3Presigning } from '../../src/controller/api/s3/presigning.ts';
import { S3Edge } from '../../src/controller/api/s3/s3-edge.ts';
import { S3Server, type S3Times } from '../../src/controller/api/s3/s3-server.ts';
import { ec2Callers } from '../../src/controller/api/ec2/ec2-principal.ts';
import { accountsOf } from '../../src/controller/users/directory-memo.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { watchFor } from './canaries.ts';
import { startSimCloud, type SimCloud, type SimCloudOptions } from './sim-cloud.ts';

export interface S3Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Of a refusal; empty else. */
  readonly code: string;
  readonly message: string;
}

export interface S3Ask {
  readonly method?: string;
  /** Path and query, percent-encoded. */
  readonly target: string;
  /** Lower-case names; all are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent, and not signed. */
  readonly unsigned?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** In place of the body's SHA-256. */
  readonly contentSha256?: string;
}

export interface S3CloudOptions extends SimCloudOptions {
  readonly limits?: S3Times;
  readonly pace?: BodyPace;
  readonly actions?: readonly S3Action[];
  readonly domains?: readonly string[];
  readonly signatureV2?: boolean;
  /** As a client sees it: nothing tells where it listens. */
  readonly listensNowhere?: boolean;
  /** All the regions; the first is that of the requests. */
  readonly regions?: readonly string[];
}

const refusalIn = (text: string): { code: string; message: string } => {
  if (!text.includes('<Error>')) return { code: '', message: '' };
  const xml = parseXml(text);
  return { code: xmlText(xml, 'Code') ?? '', message: xmlText(xml, 'Message') ?? '' };
};

export function s3ReplyOf(status: number, headers: S3Reply['headers'], bytes: Buffer): S3Reply {
  const text = bytes.toString('utf8');
  return { status, headers, bytes, text, ...refusalIn(text) };
}

/** S3 by plain HTTP on a port of its own, with an access key of the first user, in this process. */
export class S3Cloud {
  readonly sim: SimCloud;
  readonly store: ObjectStore;
  readonly edge: S3Edge;
  readonly port: number;
  readonly key: AccessKey;
  readonly #server: S3Server;
  readonly #dir: string;

  private constructor(parts: {
    sim: SimCloud;
    store: ObjectStore;
    edge: S3Edge;
    port: number;
    key: AccessKey;
    server: S3Server;
    dir: string;
  }) {
    this.sim = parts.sim;
    this.store = parts.store;
    this.edge = parts.edge;
    this.port = parts.port;
    this.key = parts.key;
    this.#server = parts.server;
    this.#dir = parts.dir;
  }

  static async start(options: S3CloudOptions = {}): Promise<S3Cloud> {
    const { limits, pace, domains = [], signatureV2 = false, actions = S3_ACTIONS, regions = ['nova'] } = options;
    const sim = await startSimCloud({ hosts: [], ...options });
    const { clock, random } = sim;
    const { context } = sim.cloud;
    const logger: Logger = options.logger ?? silentLogger;
    const dir = mkdtempSync(join(tmpdir(), 'novactl-s3-'));
    const store = await openObjectStore({ dir, clock, random, logger });
    const bound: { url?: string } = {};
    const edge = new S3Edge({
      ...{ store, clock, random, logger, domains, signatureV2, actions },
      accounts: () => accountsOf(context),
      callers: ec2Callers(context),
      regions: () => regions.map((name) => ({ name, zones: [] })),
      presigning: s3Presigning(context, () => bound.url),
      ...(pace && { pace }),
    });
    const server = new S3Server({
      ...{ edge, clock, logger, listen: { host: '127.0.0.1', port: 0 } },
      ...(limits && { limits }),
    });
    const port = await server.start();
    if (options.listensNowhere !== true) bound.url = `http://127.0.0.1:${port}`;
    const { accessKey, secretAccessKey } = await sim.call('CreateAccessKey', {});
    const key = { accessKeyId: accessKey.accessKeyId, secretAccessKey };
    return new S3Cloud({ sim, store, edge, port, server, dir, key });
  }

  /** Of the objects. */
  get dir(): string {
    return this.#dir;
  }

  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A key of the project `other`, which is made with its manager `eve`: who is not to have what the first user has. */
  async otherKey(): Promise<AccessKey> {
    const { sim } = this;
    await sim.call('CreateUser', { UserName: 'eve' });
    await sim.call('CreateProject', { ProjectId: 'other', Manager: 'eve' });
    const { accessKey, secretAccessKey } = await sim.call('CreateAccessKey', { UserName: 'eve', ProjectId: 'other' });
    return { accessKeyId: accessKey.accessKeyId, secretAccessKey: watchFor('secret access key', secretAccessKey) };
  }

  /** The headers of a request, signed by version 4. */
  signed(
    { method = 'GET', target, headers = {}, body = '', contentSha256 = sha256Hex(body) }: S3Ask,
    { key = this.key, region = 'nova', nowMs = this.sim.clock.nowMs() } = {},
  ): Record<string, string> {
    const time = signingTime(nowMs);
    const all: Record<string, string> = {
      host: this.authority,
      ...headers,
      'x-amz-date': time,
      'x-amz-content-sha256': contentSha256,
    };
    const signedHeaders = Object.keys(all).toSorted();
    const scope = { date: time.slice(0, 8), region, service: 's3' };
    const [path = '/', query = ''] = target.split('?');
    const signature = signatureOf(key.secretAccessKey, {
      request: { method, path, query, headers: new Map(Object.entries(all).map(([name, value]) => [name, [value]])) },
      ...{ scope, time, signedHeaders, payloadHash: contentSha256, pathStyle: 'plain' },
    });
    const credential = `${key.accessKeyId}/${scopeText(scope)}`;
    return {
      ...all,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
    };
  }

  /** Sends it as it is. Rejects when the connection ends without an answer. */
  send({ method = 'GET', target, headers = {}, body = '' }: S3Ask): Promise<S3Reply> {
    return new Promise((resolve, reject) => {
      const at = { host: '127.0.0.1', port: this.port, agent: false, path: target, method, headers };
      const req = request(at, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(s3ReplyOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))));
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** Signed by version 4 in the header. */
  ask(asked: S3Ask, signer: Parameters<S3Cloud['signed']>[1] = {}): Promise<S3Reply> {
    const length = Buffer.byteLength(asked.body ?? '');
    const headers = { ...this.signed(asked, signer), ...asked.unsigned };
    return this.send({ ...asked, headers: length === 0 ? headers : { ...headers, 'content-length': String(length) } });
  }

  closeServer(): Promise<void> {
    return this.#server.close();
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.store.close();
    await this.sim.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
