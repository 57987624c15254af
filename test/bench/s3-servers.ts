import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import type { LoadJob, LoadResult } from './s3-load.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NOVACTL = join(ROOT, 'bin', 'novactl');

/** A child that says a line of JSON on stdout for each thing there is to say. */
class Speaker {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: string, words: readonly string[]) {
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async next(): Promise<unknown> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error(`${this.child.spawnfile} ended before it answered`);
    return JSON.parse(value);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}

/** The S3 server, a plain file server, and the client of both: a process each. */
export class S3Bench {
  readonly key: AccessKey;
  readonly #s3: Speaker;
  readonly #plain: Speaker;
  readonly #client: Speaker;
  readonly #ports: { readonly s3: number; readonly plain: number };

  private constructor(key: AccessKey, speakers: readonly [Speaker, Speaker, Speaker], s3: number, plain: number) {
    this.key = key;
    [this.#s3, this.#plain, this.#client] = speakers;
    this.#ports = { s3, plain };
  }

  /** `state`: of the sandbox, whose state is in files; `plain`: what the other server serves. */
  static async start(dirs: { readonly state: string; readonly plain: string }): Promise<S3Bench> {
    const sandbox = ['sandbox', '--ec2-port', '0', '--s3-port', '0', '--hosts', '0', '--json', '--state', dirs.state];
    const s3 = new Speaker(NOVACTL, sandbox);
    const plain = new Speaker(process.execPath, [join(import.meta.dirname, 's3-plain-server.ts'), dirs.plain]);
    const client = new Speaker(process.execPath, [join(import.meta.dirname, 's3-load.ts')]);
    const ready = (await s3.next()) as { s3Url: string } & AccessKey;
    const { port } = (await plain.next()) as { port: number };
    return new S3Bench(ready, [s3, plain, client], Number(new URL(ready.s3Url).port), port);
  }

  get pid(): number {
    return this.#s3.child.pid ?? 0;
  }

  get plainPid(): number {
    return this.#plain.child.pid ?? 0;
  }

  async #load(job: LoadJob): Promise<LoadResult> {
    this.#client.child.stdin?.write(`${JSON.stringify(job)}\n`);
    const result = (await this.#client.next()) as LoadResult | { readonly failed: string };
    if ('failed' in result) throw new Error(`${job.method} ${job.targets[0]}: ${result.failed}`);
    return result;
  }

  /** By version 4; bodies are signed unless it is said otherwise. */
  s3(job: Omit<LoadJob, 'port' | 'signing'>, payload: 'hash' | 'unsigned' = 'hash'): Promise<LoadResult> {
    const { accessKeyId, secretAccessKey } = this.key;
    return this.#load({ ...job, port: this.#ports.s3, signing: { key: { accessKeyId, secretAccessKey }, payload } });
  }

  plain(job: Omit<LoadJob, 'port' | 'signing'>): Promise<LoadResult> {
    return this.#load({ ...job, port: this.#ports.plain });
  }

  async close(): Promise<void> {
    await Promise.all([this.#s3.end(), this.#plain.end(), this.#client.end()]);
  }
}
