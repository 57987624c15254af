import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError, errorText } from '../../../src/base/errors.ts';
import { randomBelow, type Random } from '../../../src/base/random.ts';
import type { CloudClient } from '../../../src/client/cloud-client.ts';
import type { Asked } from './facts.ts';

/** Not done, or not known whether done: the same is asked again by the same token. */
const AGAIN: ReadonlySet<string> = new Set(['Unavailable', 'Timeout', 'NotOwner', 'InsufficientInstanceCapacity']);
/** After these the change may have happened, or may happen yet. */
const UNKNOWN: ReadonlySet<string> = new Set(['Unavailable', 'Timeout', 'NotOwner']);
/** A state is not always the one that a request needs, and what a client asks for in a bad moment may be refused. */
const REFUSALS: ReadonlySet<string> = new Set(['IncorrectInstanceState', 'Busy', 'InsufficientInstanceCapacity']);
const CALL_MS = 12_000;
const RETRY_MS = 300;
const PATIENCE_MS = 40_000;
/** So long after an answer every other api must know of it too. */
const KNOWN_EVERYWHERE_MS = 6000;
const MOST_INSTANCES = 3;
const MOST_KEYS = 3;

export interface ChaosApi {
  readonly client: CloudClient;
  /** Answers of it that were marked as old so far. */
  readonly staleAnswers: () => number;
}

export interface ChaosClientOptions {
  readonly name: string;
  readonly random: Random;
  readonly apis: readonly ChaosApi[];
}

interface Change {
  readonly operation: Asked['operation'];
  readonly targets: readonly string[];
  readonly call: (client: CloudClient, token: string) => Promise<Partial<Asked>>;
}

/** A user that asks for one thing after the other, and keeps what it was answered. */
export class ChaosClient {
  readonly asked: Asked[] = [];
  /** Answers that can't be right. */
  readonly wrong: string[] = [];
  reads = 0;
  readonly #options: ChaosClientOptions;
  /** Instance -> when it was acknowledged. */
  readonly #mine = new Map<string, number>();
  #keys: string[] = [];
  #tokens = 0;
  #turn = 0;
  #stopping = false;

  constructor(options: ChaosClientOptions) {
    this.#options = options;
  }

  /** Until stop() was called and what was under way has ended. */
  async live(): Promise<void> {
    while (!this.#stopping) {
      await this.#act();
      await sleep(50 + randomBelow(this.#options.random, 600));
    }
  }

  stop(): void {
    this.#stopping = true;
  }

  async #act(): Promise<void> {
    const { random } = this.#options;
    const draw = randomBelow(random, 100);
    const ids = [...this.#mine.keys()];
    const id = ids[randomBelow(random, Math.max(1, ids.length))];
    if (draw < 15) await this.#key(randomBelow(random, 2) === 0);
    else if (draw < 30) await this.#read();
    else if (id === undefined || (draw < 55 && ids.length < MOST_INSTANCES))
      await this.#run(1 + randomBelow(random, 2));
    else await this.#change(id, draw);
  }

  async #run(count: number): Promise<void> {
    const input = { ImageId: 'still', InstanceType: 'm1.nano', MinCount: count, MaxCount: count };
    const done = await this.#persist({
      operation: 'RunInstances',
      targets: [],
      call: async (client, clientToken) => {
        const answer = await client.call('RunInstances', input, { clientToken, timeoutMs: CALL_MS });
        const instanceIds = answer.instances.map(({ instanceId }) => instanceId);
        return { instanceIds, reservationId: answer.reservationId, operationId: answer.operationId };
      },
    });
    for (const id of done.instanceIds ?? []) this.#mine.set(id, done.endedMs);
    if (done.instanceIds !== undefined && done.instanceIds.length !== count) {
      this.wrong.push(`${done.token}: ${count} were asked for and ${done.instanceIds.length} answered`);
    }
  }

  async #change(id: string, draw: number): Promise<void> {
    const operations = ['StopInstances', 'StartInstances', 'RebootInstances', 'TerminateInstances'] as const;
    const operation = operations[draw % operations.length] ?? 'RebootInstances';
    const input = operation === 'StopInstances' || operation === 'RebootInstances' ? { Force: draw % 3 > 0 } : {};
    const done = await this.#persist({
      operation,
      targets: [id],
      call: async (client, clientToken) => {
        const options = { clientToken, timeoutMs: CALL_MS };
        return { operationId: (await client.call(operation, { InstanceIds: [id], ...input }, options)).operationId };
      },
    });
    if (operation === 'TerminateInstances' && done.outcome !== 'refused') this.#mine.delete(id);
  }

  async #key(make: boolean): Promise<void> {
    const [oldest] = this.#keys;
    if (oldest !== undefined && (!make || this.#keys.length >= MOST_KEYS)) {
      this.#keys = this.#keys.slice(1);
      await this.#persist({
        operation: 'DeleteKeyPair',
        targets: [oldest],
        call: async (client, clientToken) => {
          const options = { clientToken, timeoutMs: CALL_MS };
          return { operationId: (await client.call('DeleteKeyPair', { KeyName: oldest }, options)).operationId };
        },
      });
      return;
    }
    const name = `${this.#options.name}-key-${this.#tokens}`;
    const done = await this.#persist({
      operation: 'CreateKeyPair',
      targets: [name],
      call: async (client, clientToken) => {
        const options = { clientToken, timeoutMs: CALL_MS };
        return { operationId: (await client.call('CreateKeyPair', { KeyName: name }, options)).operationId };
      },
    });
    if (done.outcome === 'done') this.#keys.push(name);
  }

  /** By one token, through one api after the other, until it is known what became of it or patience is over. */
  async #persist(change: Change): Promise<Asked> {
    this.#tokens += 1;
    const token = `${this.#options.name}-${this.#tokens}`;
    const began = performance.now();
    const beganMs = Date.now();
    let unknown = false;
    let code: string | undefined;
    let result: Partial<Asked> | undefined;
    let isOver = false;
    while (!isOver) {
      try {
        result = await change.call(this.#next().client, token);
        break;
      } catch (error) {
        code = error instanceof CloudError ? error.code : 'none';
        // The answer of a key pair is a secret and not kept: that it was done is all that a repetition says.
        if (code === 'AlreadyExists') {
          result = {};
          break;
        }
        unknown ||= UNKNOWN.has(code);
        isOver = !this.#mayComeAgain(change, code, error) || performance.now() - began > PATIENCE_MS;
        if (!isOver) await sleep(RETRY_MS);
      }
    }
    const outcome = result !== undefined ? 'done' : unknown ? 'unknown' : 'refused';
    const asked: Asked = {
      ...{ client: this.#options.name, token, operation: change.operation, targets: change.targets },
      ...{ beganMs, endedMs: Date.now(), outcome, ...result, ...(code === undefined ? {} : { code }) },
    };
    this.asked.push(asked);
    return asked;
  }

  #mayComeAgain({ operation, targets }: Change, code: string, error: unknown): boolean {
    if (!AGAIN.has(code) && !REFUSALS.has(code)) {
      this.wrong.push(`${new Date().toISOString()} ${operation} ${targets.join(' ')}: ${code}: ${errorText(error)}`);
    }
    return AGAIN.has(code);
  }

  #next(): ChaosApi {
    this.#turn += 1;
    const { apis } = this.#options;
    const api = apis[this.#turn % apis.length];
    if (api === undefined) throw new Error('a client has no api');
    return api;
  }

  /** What was acknowledged a while ago is there, unless the answer says that it is old. */
  async #read(): Promise<void> {
    const api = this.#next();
    const askedMs = Date.now();
    const before = api.staleAnswers();
    const known = [...this.#mine].flatMap(([id, atMs]) => (atMs + KNOWN_EVERYWHERE_MS < askedMs ? [id] : []));
    try {
      const { instances } = await api.client.call('DescribeInstances', { MaxResults: 1000 }, { timeoutMs: CALL_MS });
      this.reads += 1;
      if (api.staleAnswers() !== before) return;
      const seen = new Set(instances.map(({ instanceId }) => instanceId));
      const missing = known.filter((id) => !seen.has(id));
      if (missing.length > 0) {
        this.wrong.push(
          `${new Date(askedMs).toISOString()} a read that is not marked as old misses ${missing.join(' ')}`,
        );
      }
    } catch (error) {
      const code = error instanceof CloudError ? error.code : 'none';
      if (!AGAIN.has(code)) this.wrong.push(`DescribeInstances: ${code}: ${errorText(error)}`);
    }
  }
}
