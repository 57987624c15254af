import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';
import { formOf } from '../support/ec2-cloud.ts';
import { benchRow, type Bench, type BenchContext, type BenchFigure, type BenchRow } from './bench-row.ts';
import { inLanes } from './lanes.ts';
import { cpuSeconds } from './process-cpu.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLIENTS = 8;
const RUNS = 800;
/** Before time is taken, so that what is measured is a server that has run for a moment; a project has room for 1018. */
const WARM_UP = 100;
const ROWS = [1, 100, 1000] as const;
const DESCRIBES = { 1: 800, 100: 200, 1000: 40 } as const;
const PAGES = 100;
/** The project that is described, and the one whose instances are made while time is taken. */
const SHOWN = { accessKeyId: 'BENCHSHOWN', secretAccessKey: 'bench-shown' };
const MADE = { accessKeyId: 'BENCHMADE', secretAccessKey: 'bench-made' };

/** Parses a request as HTTP and answers a constant: what the same clients get where nothing is done. */
const CONSTANT = `
const { createServer } = require('node:http');
const body = '<R>' + 'x'.repeat(900) + '</R>';
const server = createServer({ noDelay: true }, (req, res) => {
  req.on('data', () => {});
  req.on('end', () => res.writeHead(200, { 'content-type': 'text/xml', 'content-length': body.length }).end(body));
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ ec2Url: 'http://127.0.0.1:' + server.address().port, images: [] })));
`;

interface Ready {
  readonly ec2Url: string;
  readonly s3Url: string;
  readonly images: readonly { readonly id: string }[];
  readonly stateDir: string;
  readonly runDir: string;
}

interface Server extends Ready {
  readonly child: ChildProcess;
}

async function start(command: string, words: readonly string[]): Promise<Server> {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...(JSON.parse(line) as Ready) };
  }
  throw new Error(`${command} ended before it was ready`);
}

/** A client with connections that are kept, as the SDKs have them. */
class Client {
  readonly #url: URL;
  readonly #key: AccessKey;
  readonly #pid: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  constructor(server: Server, key: AccessKey) {
    this.#url = new URL(server.ec2Url);
    this.#key = key;
    this.#pid = server.child.pid ?? 0;
  }

  /** Processor milliseconds that the server has used up to now: unlike times, they hold also where others work beside it. */
  get serverCpuMs(): number {
    return cpuSeconds(this.#pid) * 1000;
  }

  ask(parameters: Readonly<Record<string, string>>): Promise<string> {
    const body = formOf({ Version: '2016-11-15', ...parameters });
    const { host, hostname, port } = this.#url;
    const headers = signRequest(
      {
        ...{ method: 'POST', target: '/', region: 'nova', service: 'ec2', nowMs: Date.now() },
        headers: { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: Buffer.from(body),
      },
      this.#key,
    );
    return new Promise((resolve, reject) => {
      const req = request({ hostname, port, agent: this.#agent, method: 'POST', path: '/', headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${response.statusCode}: ${text.slice(0, 400)}`));
        });
        response.on('error', reject);
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

interface Clients {
  readonly measured: Client;
  readonly bare: Client;
}

interface Taken {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server, all its threads, for one request. */
  readonly cpuMs: number;
}

interface Load {
  readonly lanes: number;
  readonly count: number;
  readonly parameters: Readonly<Record<string, string>>;
}

async function take(client: Client, { lanes, count, parameters }: Load): Promise<Taken> {
  const times: number[] = [];
  const cpuBeforeMs = client.serverCpuMs;
  const began = performance.now();
  await inLanes(lanes, count, async () => {
    const at = performance.now();
    await client.ask(parameters);
    times.push(performance.now() - at);
  });
  const seconds = (performance.now() - began) / 1000;
  const cpuMs = (client.serverCpuMs - cpuBeforeMs) / count;
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { perSecond: count / seconds, p50Ms: at(0.5), p99Ms: at(0.99), cpuMs };
}

/** What is aimed at: so many a second, or the median in milliseconds. */
interface Goals {
  readonly perSecond?: number;
  readonly p50Ms?: number;
}

/** The same requests of both servers, one after the other. */
async function rows(name: string, load: Load, clients: Clients, about: Goals & { note: string }): Promise<BenchRow[]> {
  const { note, perSecond, p50Ms } = about;
  const taken = await take(clients.measured, load);
  const bare = await take(clients.bare, load);
  const atLeast = perSecond === undefined ? {} : { goal: { of: 'value', atLeast: perSecond } as const };
  const atMost = p50Ms === undefined ? {} : { goal: { of: 'value', atMost: p50Ms } as const };
  const row = (figure: string, unit: string, of: (one: Taken) => number): BenchFigure => ({
    ...{ name: `ec2.${name}${figure}`, value: of(taken), unit, baseline: of(bare) },
  });
  return [
    benchRow({ ...row('', '1/s', (one) => one.perSecond), ...atLeast, note }),
    benchRow({ ...row('-p50', 'ms', (one) => one.p50Ms), ...atMost }),
    benchRow(row('-p99', 'ms', (one) => one.p99Ms)),
    benchRow({ ...row('-cpu', 'ms', (one) => one.cpuMs), note: "the server's processor time for one" }),
  ];
}

/** The EC2 API over HTTP with signature version 4, on `novactl sandbox` with its state in files; client and server are two processes. */
export const bench: Bench = async (context: BenchContext) => {
  const user = (name: string, { accessKeyId, secretAccessKey }: AccessKey): string[] => [
    '--user',
    `${name}:${accessKeyId}:${secretAccessKey}`,
  ];
  const { mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const dir = mkdtempSync(join(tmpdir(), 'nv-bench-ec2-'));
  const sandbox = await start(join(ROOT, 'bin', 'novactl'), [
    ...['sandbox', '--ec2-port', '0', '--s3-port', '0', '--hosts', '20', '--json', '--state', dir],
    ...[...user('shown', SHOWN), ...user('made', MADE)],
  ]);
  const constant = await start(process.execPath, ['-e', CONSTANT]);
  const [shown, made, bare] = [new Client(sandbox, SHOWN), new Client(sandbox, MADE), new Client(constant, SHOWN)];
  try {
    for (const project of ['shown', 'made']) unlimited(sandbox, project);
    return await measure(context, { shown, made, bare }, sandbox.images[0]?.id ?? '');
  } finally {
    for (const client of [shown, made, bare]) client.close();
    for (const { child } of [sandbox, constant]) child.kill('SIGTERM');
    await new Promise((resolve) => sandbox.child.once('exit', resolve));
    rmSync(dir, { recursive: true, force: true });
  }
};

/** The limits of a project are no part of what is measured. */
function unlimited({ stateDir, runDir }: Server, project: string): void {
  const env = { ...process.env, NOVACTL_STATE_DIR: stateDir, NOVACTL_RUN_DIR: runDir };
  const limits = ['instances', 'vcpus', 'memoryMib'].map((kind) => `${kind}=unlimited`);
  execFileSync(join(ROOT, 'bin', 'novactl'), ['quota', 'set', '--project', project, ...limits], {
    env,
    stdio: 'ignore',
  });
}

async function measure(
  { progress }: BenchContext,
  { shown, made, bare }: { shown: Client; made: Client; bare: Client },
  imageId: string,
): Promise<BenchRow[]> {
  const figures: BenchRow[] = [];
  const run = { Action: 'RunInstances', ImageId: imageId, InstanceType: 'm1.nano', MinCount: '1', MaxCount: '1' };
  const describe = { Action: 'DescribeInstances' };
  const clients = { measured: shown, bare };
  let there = 0;
  for (const rowCount of ROWS) {
    progress(`${rowCount} instances are described`);
    for (; there < rowCount; there += Math.min(100, rowCount - there)) {
      const more = String(Math.min(100, rowCount - there));
      await shown.ask({ ...run, MinCount: more, MaxCount: more });
    }
    await shown.ask(describe);
    const load = { lanes: 1, count: DESCRIBES[rowCount], parameters: describe };
    figures.push(...(await rows(`describe-${rowCount}`, load, clients, { note: 'one client' })));
  }
  const page = { lanes: 1, count: PAGES, parameters: { ...describe, MaxResults: '300' } };
  const aboutPage = { note: 'a page of 300, one client', p50Ms: 20 };
  figures.push(...(await rows('describe-300-of-1000', page, clients, aboutPage)));
  progress(`${RUNS} instances are made by ${CLIENTS} clients`);
  await inLanes(CLIENTS, WARM_UP, () => made.ask(run));
  const runs = { lanes: CLIENTS, count: RUNS, parameters: run };
  const aboutRuns = { note: `${CLIENTS} clients, after ${WARM_UP} others`, perSecond: 400 };
  figures.push(...(await rows('run', runs, { measured: made, bare }, aboutRuns)));
  return figures;
}
