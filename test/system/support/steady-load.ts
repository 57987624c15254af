import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError, errorText } from '../../../src/base/errors.ts';
import type { CloudClient } from '../../../src/client/cloud-client.ts';

/** Not done, or not known whether done: the same is asked again by the same token. */
const AGAIN: ReadonlySet<string> = new Set(['Unavailable', 'Timeout', 'InsufficientInstanceCapacity', 'NotOwner']);
const RETRY_MS = 250;
const LOOK_MS = 200;
const CALL_MS = 15_000;
/** An instance that is on its way for longer will never arrive. */
const ARRIVES_MS = 90_000;
/** What is refused for longer is refused for good. */
const TAKEN_MS = 90_000;
/** So long after an answer of one api every other must know of it too. */
const KNOWN_EVERYWHERE_MS = 5000;

/** What was acknowledged of one instance, by this process's clock. */
interface Life {
  readonly id: string;
  readonly runAtMs: number;
  ranAtMs?: number;
  terminateAtMs?: number;
}

interface Answered {
  readonly atMs: number;
  readonly kind: 'change' | 'read';
}

export interface SteadyLoadOptions {
  /** Asked in turn. */
  readonly clients: readonly CloudClient[];
  /** Users that run, wait and terminate one still guest after the other. */
  readonly users: number;
  /** Reads may be old, and say so: what they miss is no mistake then. */
  readonly mayBeStale?: () => boolean;
}

/** Users that never stop, and what they were answered. */
export class SteadyLoad {
  readonly lives: Life[] = [];
  /** Answers that can't be right, or errors that no user should see. */
  readonly wrong: string[] = [];
  readonly refusals: string[] = [];
  readonly #options: SteadyLoadOptions;
  readonly #answered: Answered[] = [];
  #stopping = false;
  #turn = 0;
  #tokens = 0;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: SteadyLoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopping = false;
    const users = Array.from({ length: this.#options.users }, () => this.#user());
    this.#loops = Promise.all([...users, this.#reader()]);
  }

  /** Each user ends the life that it is at. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#loops;
  }

  /** The longest time between two answers of a kind since then, up to now. */
  longestPauseMs(kind: Answered['kind'], sinceMs: number): number {
    const times = this.#answered.filter((one) => one.kind === kind && one.atMs >= sinceMs).map(({ atMs }) => atMs);
    const all = [sinceMs, ...times, performance.now()];
    return Math.max(...all.slice(1).map((atMs, index) => atMs - (all[index] ?? 0)));
  }

  /** Terminated instances of which so many came to run. */
  get whole(): number {
    return this.lives.filter(({ ranAtMs, terminateAtMs }) => ranAtMs !== undefined && terminateAtMs !== undefined)
      .length;
  }

  #next(): CloudClient {
    this.#turn += 1;
    const { clients } = this.#options;
    const client = clients[this.#turn % clients.length];
    if (client === undefined) throw new Error('the load has no client');
    return client;
  }

  async #user(): Promise<void> {
    while (!this.#stopping) {
      const life = await this.#run();
      if (life === undefined) return;
      await this.#seen(life, ['running']);
      life.ranAtMs = performance.now();
      await this.#persist('TerminateInstances', (client, clientToken) =>
        client.call('TerminateInstances', { InstanceIds: [life.id] }, { clientToken, timeoutMs: CALL_MS }),
      );
      life.terminateAtMs = performance.now();
    }
  }

  async #run(): Promise<Life | undefined> {
    const input = { ImageId: 'still', InstanceType: 'm1.nano', MinCount: 1, MaxCount: 1 };
    const answer = await this.#persist('RunInstances', (client, clientToken) =>
      client.call('RunInstances', input, { clientToken, timeoutMs: CALL_MS }),
    );
    const [made, ...more] = answer?.instances ?? [];
    if (made === undefined) return undefined;
    if (more.length > 0) this.wrong.push(`one instance was asked for, and ${more.length + 1} were made`);
    const life: Life = { id: made.instanceId, runAtMs: performance.now() };
    if (this.lives.some(({ id }) => id === life.id)) this.wrong.push(`${life.id} was given out twice`);
    this.lives.push(life);
    return life;
  }

  /** By one token, through whichever api, until it is done; undefined: it was refused for good, which is noted. */
  async #persist<T>(name: string, call: (client: CloudClient, token: string) => Promise<T>): Promise<T | undefined> {
    this.#tokens += 1;
    const token = `load-${process.pid}-${this.#tokens}`;
    const began = performance.now();
    while (performance.now() - began < TAKEN_MS) {
      try {
        const answer = await call(this.#next(), token);
        this.#answered.push({ atMs: performance.now(), kind: 'change' });
        return answer;
      } catch (error) {
        if (!this.#mayComeAgain(name, error)) return undefined;
        await sleep(RETRY_MS);
      }
    }
    this.wrong.push(`${name} was refused for ${TAKEN_MS} ms`);
    return undefined;
  }

  #mayComeAgain(name: string, error: unknown): boolean {
    const code = error instanceof CloudError ? error.code : 'none';
    const text = `${name}: ${code}: ${errorText(error)}`;
    const list = AGAIN.has(code) ? this.refusals : this.wrong;
    list.push(text);
    return AGAIN.has(code);
  }

  /** Waits until a read says that it is in one of the states. */
  async #seen(life: Life, states: readonly string[]): Promise<void> {
    for (let state = await this.#stateOf(life.id); state === undefined || !states.includes(state);) {
      const isLate = performance.now() - life.runAtMs > ARRIVES_MS;
      if (state === 'terminated' || isLate) {
        this.wrong.push(`${life.id} is ${state ?? 'unknown'} and did not get to ${states.join(' or ')}`);
        return;
      }
      await sleep(LOOK_MS);
      state = await this.#stateOf(life.id);
    }
  }

  async #stateOf(id: string): Promise<string | undefined> {
    const answer = await this.#read();
    return answer?.find(({ instanceId }) => instanceId === id)?.state;
  }

  async #read(): Promise<readonly { readonly instanceId: string; readonly state: string }[] | undefined> {
    try {
      const { instances } = await this.#next().call('DescribeInstances', { MaxResults: 1000 }, { timeoutMs: CALL_MS });
      this.#answered.push({ atMs: performance.now(), kind: 'read' });
      return instances;
    } catch (error) {
      this.#mayComeAgain('DescribeInstances', error);
      return undefined;
    }
  }

  /** Looks all the time, and compares with what was acknowledged. */
  async #reader(): Promise<void> {
    while (!this.#stopping) {
      const askedAtMs = performance.now();
      const known = this.lives.filter(({ runAtMs }) => runAtMs + KNOWN_EVERYWHERE_MS < askedAtMs);
      const rows = await this.#read();
      if (rows !== undefined && this.#options.mayBeStale?.() !== true) this.#compare(known, rows, askedAtMs);
      await sleep(LOOK_MS);
    }
  }

  #compare(known: readonly Life[], rows: readonly { instanceId: string; state: string }[], askedAtMs: number): void {
    const states = new Map(rows.map(({ instanceId, state }) => [instanceId, state]));
    for (const { id, terminateAtMs } of known) {
      const state = states.get(id);
      if (state === undefined) this.wrong.push(`${id} was acknowledged and is missing`);
      const ends = terminateAtMs !== undefined && terminateAtMs + KNOWN_EVERYWHERE_MS < askedAtMs;
      if (ends && (state === 'running' || state === 'pending')) {
        this.wrong.push(`${id} is ${state}, though that it ends was acknowledged`);
      }
    }
  }
}
