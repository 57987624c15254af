import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, plainClientEnv, runClient } from '../../support/ec2-clients.ts';
import { heard, searchRemains, watchFor } from '../../support/canaries.ts';
import { NOVACTL } from '../../support/test-cloud.ts';

/** What `novactl sandbox --json` says when it is ready. */
export interface SandboxFacts {
  readonly ec2Url: string;
  readonly s3Url: string;
  readonly region: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly images: readonly { readonly id: string; readonly name: string }[];
  readonly stateDir: string;
  readonly runDir: string;
}

const READY_MS = 60_000;

/** A sandbox of the built command line, in a process of its own, for clients of others to be driven against. */
export class SandboxProcess {
  readonly home = mkdtempSync(join(tmpdir(), 'novactl-clients-'));
  readonly #child: ChildProcess;
  readonly facts: SandboxFacts;

  private constructor(child: ChildProcess, facts: SandboxFacts) {
    this.#child = child;
    this.facts = facts;
  }

  static async start(...args: string[]): Promise<SandboxProcess> {
    const child = spawn(NOVACTL, ['sandbox', '--ec2-port', '0', '--s3-port', '0', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.on('data', (data: Buffer) => heard('stderr of novactl sandbox', data.toString()));
    const facts = await factsOf(child);
    // One that was given on the command line is known to whoever sees it.
    if (!args.some((word) => word.includes(facts.secretAccessKey)))
      watchFor('secret access key', facts.secretAccessKey);
    return new SandboxProcess(child, facts);
  }

  /** Of the server itself: `bin/novactl` becomes node. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The environment in which a client finds the sandbox, and nothing of the person who runs the tests. */
  get env(): NodeJS.ProcessEnv {
    const { ec2Url, s3Url, region, accessKeyId, secretAccessKey, accountId, images } = this.facts;
    return {
      ...plainClientEnv(this.home),
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: region,
      AWS_REGION: region,
      AWS_ENDPOINT_URL: ec2Url,
      AWS_ENDPOINT_URL_EC2: ec2Url,
      AWS_ENDPOINT_URL_S3: s3Url,
      NOVACTL_TEST_IMAGE: images[0]?.id ?? '',
      NOVACTL_TEST_ACCOUNT: accountId,
    };
  }

  /** A client's program to its end. */
  run(command: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return runClient(command, args, { ...this.env, ...extra });
  }

  /** Sends bytes to the cloud, as `novactl image import` does; the key under which they are. */
  upload(bytes: Buffer): Promise<string> {
    const to = { socketPath: join(this.facts.runDir, 'novactl.sock'), method: 'PUT', path: '/v1/blobs' };
    return new Promise((resolve, reject) => {
      const asked = request({ ...to, headers: { 'content-type': 'application/octet-stream' } }, (answer) => {
        let text = '';
        answer.on('data', (data: Buffer) => (text += data.toString()));
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve((JSON.parse(text) as { blobKey: string }).blobKey);
          else reject(new Error(text));
        });
      });
      asked.on('error', reject);
      asked.end(bytes);
    });
  }

  /** It dies at once, with whatever it was doing. What it kept (`--state`) stays. */
  async kill9(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
    rmSync(this.home, { recursive: true, force: true });
  }

  /** By SIGTERM; its exit code. */
  async stop(): Promise<number | null> {
    searchRemains(this.facts.stateDir);
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.home, { recursive: true, force: true });
    return child.exitCode;
  }
}

/** The first line of its output, which comes when it is ready. Rejects with what it said when it ends before or takes too long. */
function factsOf(child: ChildProcess): Promise<SandboxFacts> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => {
      child.kill('SIGTERM');
      reject(new Error(`the sandbox was not ready in ${READY_MS} ms:\n${stderr}`));
    }, READY_MS);
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the sandbox ended with ${code}:\n${stderr}`));
    });
    child.stdout?.on('data', (data: Buffer) => {
      stdout += data.toString();
      const end = stdout.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(JSON.parse(stdout.slice(0, end)) as SandboxFacts);
    });
  });
}
