import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import { createSealer } from '../../src/adapters/sealer/key-file-sealer.ts';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { newId } from '../../src/base/ids.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';
import { Ec2Server } from '../../src/controller/api/ec2/ec2-server.ts';
import { type Config, ConfigSchema, type Role } from '../../src/launch/config/schema.ts';
import { createEc2Edge } from '../../src/launch/ec2.ts';
import { type RunningRoles, startRoles } from '../../src/launch/roles/start-roles.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../../src/messages/operations/index.ts';
import { createSimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { searchText } from './canaries.ts';
import { formOf } from './ec2-cloud.ts';
import { ADMIN, bootSector } from './sim-cloud.ts';
import { until } from './until.ts';

export interface TwoApisReply {
  readonly status: number;
  readonly text: string;
  /** Of a refusal; empty else. */
  readonly code: string;
}

const UNLIMITED = { describePerSecond: 0, changePerSecond: 0, runPerSecond: 0 };

/** Two apis with a port for EC2 each, two controllers and a worker over one store and one bus, with two simulated hosts and an image. */
export class TwoApis {
  readonly #clock = new SystemClock();
  readonly #random = new SeededRandom(1);
  readonly store = createMemoryStore({ clock: this.#clock, random: this.#random });
  readonly #bus = createMemoryBus({ clock: this.#clock, random: this.#random });
  readonly #world = createSimulatedHosts({ clock: this.#clock });
  readonly #dir = mkdtempSync(join(tmpdir(), 'novactl-two-apis-'));
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 100 });
  readonly #running: RunningRoles[] = [];
  readonly #servers: Ec2Server[] = [];
  readonly #ports: number[] = [];
  readonly #changes: Record<string, unknown>;
  imageId = '';

  private constructor(changes: Record<string, unknown>) {
    this.#changes = changes;
  }

  /** `config`: what differs from the defaults. */
  static async start(config: Record<string, unknown> = {}): Promise<TwoApis> {
    const cloud = new TwoApis(config);
    // The apis wait for the cloud that one of the controllers makes.
    const apis = [cloud.#startApi('a1'), cloud.#startApi('a2')];
    await Promise.all([cloud.#startRole('c1', 'controller'), cloud.#startRole('c2', 'controller'), ...apis]);
    await cloud.#startRole('w1', 'worker');
    await until(async () => (await cloud.call('DescribeServices', {})).services.length === 5, {
      what: 'all five processes have spoken',
    });
    for (const name of ['node1', 'node2'])
      await cloud.call('AddHost', { Name: name, Transport: { kind: 'simulated', name } });
    const BlobKey = `upload/${newId('blob', cloud.#random)}`;
    await cloud.#running[0]?.blobs.put(BlobKey, Readable.from([bootSector()]));
    const { image } = await cloud.call('RegisterImage', { Name: 'still', Kind: 'machine', BlobKey });
    cloud.imageId = image.imageId;
    await cloud.call('ModifyImageAttribute', { ImageId: image.imageId, Public: true });
    return cloud;
  }

  /** As root at the socket of the first api. */
  call<N extends UnaryName>(name: N, input: OperationInput<N>): Promise<OperationOutput<N>> {
    const gateway = this.#running.find((one) => one.gateway !== undefined)?.gateway;
    if (gateway === undefined) throw new Error('no api runs');
    return gateway.unary(name, input, ADMIN) as Promise<OperationOutput<N>>;
  }

  /** By POST and version 4, at one of the two apis. */
  ask(api: number, key: AccessKey, parameters: Readonly<Record<string, string>>): Promise<TwoApisReply> {
    const body = formOf(parameters);
    const port = this.#ports[api] ?? 0;
    const headers = signRequest(
      {
        ...{ method: 'POST', target: '/', region: 'nova', service: 'ec2', nowMs: this.#clock.nowMs() },
        headers: { host: `127.0.0.1:${port}`, 'content-type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(body),
      },
      key,
    );
    return new Promise((resolve, reject) => {
      const at = { host: '127.0.0.1', port, agent: this.#agent, path: '/', method: 'POST', headers };
      const req = request(at, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, code: /<Code>([^<]*)</.exec(text)?.[1] ?? '' }),
        );
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(this.#servers.map((server) => server.close()));
    for (const running of this.#running.toReversed()) await running.close();
    await this.#bus.close();
    searchText('the records', JSON.stringify(this.store.range('')));
    await this.store.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #config(name: string): Config {
    const own = { drivers: 'simulated', ec2: { rateLimit: UNLIMITED } };
    const blobs = { dir: join(this.#dir, 'blobs') };
    return ConfigSchema.parse({ ...own, ...this.#changes, stateDir: join(this.#dir, name), blobs });
  }

  async #startRole(name: string, ...roles: Role[]): Promise<RunningRoles> {
    const running = await startRoles({
      config: this.#config(name),
      plan: { roles, name, shared: true },
      ...{ clock: this.#clock, random: this.#random, bus: this.#bus, logger: silentLogger, version: '0.0.0-test' },
      ...{ announces: true, volumes: this.#world.volumes, sealer: createSealer(Buffer.alloc(32), this.#random) },
      ...(roles.includes('worker')
        ? { openDrivers: (blobs) => this.#world.openDrivers(blobs) }
        : { store: this.store }),
    });
    this.#running.push(running);
    return running;
  }

  async #startApi(name: string): Promise<void> {
    const { context, gateway } = await this.#startRole(name, 'api');
    if (context === undefined || gateway === undefined) throw new Error(`${name} has no api`);
    const parts = { clock: this.#clock, random: this.#random, logger: silentLogger };
    const edge = createEc2Edge({ context, gateway }, { config: this.#config(name), ...parts });
    const server = new Ec2Server({ edge, logger: silentLogger, listen: { host: '127.0.0.1', port: 0 } });
    this.#ports.push(await server.start());
    this.#servers.push(server);
  }
}
