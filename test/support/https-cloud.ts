import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { sha256Hex } from '../../src/base/ids.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';
import { issueAuthority, issueServer, type Issued } from '../../src/base/x509/issue-certificate.ts';
import { AdminHttpsServer } from '../../src/controller/api/admin/admin-https-server.ts';
import { adminAuthenticator } from '../../src/controller/api/signature/authenticator.ts';
import { searchText, watchFor } from './canaries.ts';
import { startSimCloud, type SimCloud } from './sim-cloud.ts';
import { simS3Door } from './sim-s3-door.ts';

const DAY_MS = 86_400_000;
const random = new SystemRandom();

/** An authority and a server's certificate of it. */
export function issuePair(
  names: readonly string[],
  at: { nowMs: number; lifeMs: number } = { nowMs: new SystemClock().nowMs(), lifeMs: DAY_MS },
): { ca: string; server: Issued } {
  const authority = issueAuthority({ commonName: 'test CA', random, nowMs: at.nowMs, lifeMs: 10 * at.lifeMs });
  const authorityKey = createPrivateKey(authority.privateKey);
  const asked = { commonName: 'novactl', random, ...at, names, authorityName: 'test CA', authorityKey };
  return { ca: authority.certificate, server: issueServer(asked) };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: { readonly error?: { readonly code: string; readonly message: string } } & Record<string, unknown>;
}

/** The admin API over TLS on a port of its own, on simulated hosts, in this process. */
export class HttpsCloud {
  readonly sim: SimCloud;
  readonly dir: string;
  readonly port: number;
  readonly ca: string;
  readonly key: AccessKey;
  readonly #server: AdminHttpsServer;

  private constructor(parts: {
    sim: SimCloud;
    dir: string;
    port: number;
    ca: string;
    key: AccessKey;
    server: AdminHttpsServer;
  }) {
    this.sim = parts.sim;
    this.dir = parts.dir;
    this.port = parts.port;
    this.ca = parts.ca;
    this.key = parts.key;
    this.#server = parts.server;
  }

  static async start(times = { headersMs: 10_000, checkEveryMs: 2000 }): Promise<HttpsCloud> {
    const dir = mkdtempSync(join(tmpdir(), 'novactl-https-'));
    const sim = await startSimCloud({ stateDir: dir });
    const { gateway, blobs, context } = sim.cloud;
    const { ca, server } = issuePair(['localhost', '127.0.0.1']);
    const admin = new AdminHttpsServer({
      ...{ gateway, blobs, clock: sim.clock, random, logger: silentLogger },
      s3: simS3Door(sim, dir),
      authenticator: adminAuthenticator(context),
      certificate: { certificates: server.certificate + ca, privateKey: server.privateKey },
      listen: { host: '127.0.0.1', port: 0 },
      times,
    });
    const port = await admin.start();
    const made = await sim.call('CreateAccessKey', {});
    const secretAccessKey = watchFor('secret access key', made.secretAccessKey);
    const key = { accessKeyId: made.accessKey.accessKeyId, secretAccessKey };
    return new HttpsCloud({ sim, dir, port, ca, key, server: admin });
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Headers of a request that is signed as it must be. */
  sign(
    path: string,
    body: string | undefined,
    more: Partial<Parameters<typeof signRequest>[0]> = {},
  ): Record<string, string> {
    return signRequest(
      {
        ...{ method: 'POST', target: path, region: 'nova', service: 'novactl', nowMs: this.sim.clock.nowMs() },
        headers: { host: this.authority, 'content-type': 'application/json' },
        body: body === undefined ? undefined : Buffer.from(body),
        ...more,
      },
      this.key,
    );
  }

  /** Sends it as it is. Rejects when the connection ends without an answer. */
  send(path: string, headers: RequestOptions['headers'], body = '', method = 'POST'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const at = { host: '127.0.0.1', port: this.port, servername: 'localhost', ca: this.ca, agent: false };
      const options: RequestOptions = { ...at, path, method };
      const req = request({ ...options, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const parsed = (text.startsWith('{') ? JSON.parse(text) : { text }) as Answer['body'];
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed });
        });
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** Signed as it must be, and sent. */
  async post(operation: string, input: object): Promise<Answer> {
    const body = JSON.stringify(input);
    return this.send(`/v1/${operation}`, this.sign(`/v1/${operation}`, body), body);
  }

  /** How many blobs of uploads there are. */
  async uploads(): Promise<number> {
    return (await this.sim.cloud.blobs.list('upload/')).length;
  }

  async close(): Promise<void> {
    await this.#server.close();
    searchText('the records', JSON.stringify(this.sim.store.range('')));
    await this.sim.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export const EMPTY_HASH = sha256Hex('');
