import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { asCloudError } from '../../src/base/errors.ts';

/** What a call brought with it. */
export interface SeenCall {
  readonly name: string;
  readonly input: unknown;
  readonly clientToken: string | undefined;
  readonly reason: string | undefined;
  readonly sudoUser: string | undefined;
  readonly dryRun: boolean;
}

/** The cloud behind a client under test: answers, throws CloudErrors or streams. */
export interface FakeBackend {
  unary(call: SeenCall): unknown;
  stream(call: SeenCall, signal: AbortSignal): AsyncIterable<unknown>;
}

/** The bytes of an upload as the fake clouds answer it. */
export async function takeBlob(body: Readable): Promise<{ blobKey: string; sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { blobKey: 'upload/blob-0123456789abcdef0', sizeBytes, sha256: hash.digest('hex') };
}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' ? decodeURIComponent(value) : undefined;
};

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function answerStream(response: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.write('\n');
  try {
    for await (const value of values) response.write(`${JSON.stringify(value)}\n`);
  } catch (error) {
    response.write(`${JSON.stringify({ error: asCloudError(error).flatten() })}\n`);
  }
  response.end();
}

/** The admin API's wire around a backend, on a UNIX socket of its own. `calls` holds what came. */
export class FakeCloud {
  readonly calls: SeenCall[] = [];
  readonly runDir: string;
  readonly socketPath: string;
  readonly #server: Server;
  readonly #backend: FakeBackend;
  /** Connections to cut at once, before a request is answered. */
  cutNext = 0;

  private constructor(runDir: string, backend: FakeBackend) {
    this.runDir = runDir;
    this.socketPath = join(runDir, 'novactl.sock');
    this.#backend = backend;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        answer(response, asCloudError(error).status, { error: asCloudError(error).flatten(), requestId: 'req-1' });
      });
    });
  }

  static async start(backend: FakeBackend): Promise<FakeCloud> {
    const cloud = new FakeCloud(await mkdtemp(join(tmpdir(), 'novactl-fake-')), backend);
    cloud.#server.listen(cloud.socketPath);
    await once(cloud.#server, 'listening');
    return cloud;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.runDir, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'PUT' && path === '/v1/blobs') {
      answer(response, 200, await takeBlob(request));
      return;
    }
    const text = await readBody(request);
    const seen: SeenCall = {
      name: path.replace('/v1/', ''),
      input: JSON.parse(text) as unknown,
      clientToken: header(request, 'x-novactl-client-token'),
      reason: header(request, 'x-novactl-reason'),
      sudoUser: header(request, 'x-novactl-sudo-user'),
      dryRun: request.headers['x-novactl-dry-run'] === '1',
    };
    this.calls.push(seen);
    if (this.cutNext > 0) {
      this.cutNext -= 1;
      request.socket.destroy();
      return;
    }
    if (seen.name.startsWith('Watch')) {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      await answerStream(response, this.#backend.stream(seen, gone.signal));
    } else answer(response, 200, await this.#backend.unary(seen));
  }
}
