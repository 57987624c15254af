import { CloudError, errorText, isCode } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { randomBelow, randomHex } from '../../src/base/random.ts';
import type { Gateway } from '../../src/controller/api/gateway.ts';
import type { CallMeta } from '../../src/controller/operations/handler.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../../src/messages/operations/index.ts';
import type { History } from './history.ts';
import { Violation } from './history.ts';
import type { UserStep } from './plan.ts';
import type { RecordChecker } from './record-checker.ts';
import type { Scheduler } from './scheduler.ts';

const UNKNOWN = ['Timeout', 'Unavailable', 'RequestLimitExceeded', 'Conflict', 'StoragePoisoned', 'LockBusy'] as const;
const TRIES = 30;
const SAME = '5 the same token twice has one answer';

/** Whoever answers at the moment. */
export interface Asked {
  /** CloudError 'Unavailable' when nobody does, or when he dies before the answer. */
  ask<T>(question: (cloud: { readonly gateway: Gateway }) => Promise<T>): Promise<T>;
}

export interface UsersParts {
  readonly node: Asked;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly records: RecordChecker;
  readonly random: Random;
  readonly fail: (violation: Violation) => void;
}

/** People with tokens and patience: who does not know how a call ended asks again with the same token. */
export class Users {
  /** Instances that somebody was told of. */
  readonly instances: string[] = [];
  /** Instances whose end was acknowledged. */
  readonly ended = new Set<string>();
  /** Calls of RunInstances that may each have made a reservation. */
  runs = 0;
  /** Calls that have no answer yet. */
  waiting = 0;
  acknowledged = 0;
  readonly #parts: UsersParts;
  readonly #answers = new Map<string, string>();

  constructor(parts: UsersParts) {
    this.#parts = parts;
  }

  do(step: UserStep): void {
    this.waiting += 1;
    this.#carryOut(step)
      .catch((error: unknown) => {
        if (error instanceof Violation) this.#parts.fail(error);
        else this.#parts.fail(new Violation('8 every refusal has its code', String((error as Error).stack)));
      })
      .finally(() => (this.waiting -= 1));
  }

  /** Another state was put in the place of the one that they were told of. */
  forget(): void {
    this.#answers.clear();
    this.ended.clear();
  }

  async #carryOut(step: UserStep): Promise<void> {
    if (step.kind === 'run') return this.#run(step);
    if (step.kind === 'change') return this.#change(step);
    const Name = step.host;
    if (step.kind === 'host-remove') return void (await this.#ask('RemoveHost', { Host: Name }, {}, true));
    await this.#ask('AddHost', { Name, Transport: { kind: 'simulated', name: Name } }, {}, true);
  }

  async #run({ count, token, project }: Extract<UserStep, { kind: 'run' }>): Promise<void> {
    const ClientToken = token ? randomHex(this.#parts.random, 16) : undefined;
    const input = { ImageId: 'still', InstanceType: 'm1.nano', MinCount: 1, MaxCount: count };
    if (token) this.runs += 1;
    const who = { principal: { name: 'user', projectId: project, roles: ['cloudadmin'], from: 'sim' } };
    const answer = await this.#ask(
      'RunInstances',
      ClientToken === undefined ? input : { ...input, ClientToken },
      who,
      token,
    );
    if (answer === undefined) return;
    const ids = answer.instances.map(({ instanceId }) => instanceId);
    this.#sameAnswer(ClientToken, `${answer.reservationId} ${answer.operationId}`);
    this.#visible(ids);
    this.instances.push(...ids.filter((id) => !this.instances.includes(id)));
    // Asked once more, as by somebody whose first answer was lost.
    if (ClientToken === undefined || this.#parts.random.unit() < 0.5) return;
    const again = await this.#ask('RunInstances', { ...input, ClientToken }, who, true);
    if (again !== undefined) this.#sameAnswer(ClientToken, `${again.reservationId} ${again.operationId}`);
  }

  #sameAnswer(token: string | undefined, answer: string): void {
    if (token === undefined) return;
    const first = this.#answers.get(token) ?? answer;
    this.#answers.set(token, first);
    if (first !== answer) throw new Violation(SAME, `token ${token} was answered ${first}, and then ${answer}`);
  }

  /** What was acknowledged is a durable record. */
  #visible(ids: readonly string[]): void {
    const missing = ids.find((id) => !this.#parts.records.past.has(id));
    if (missing !== undefined)
      throw new Violation('5 what was acknowledged is there', `${missing} has no durable record`);
  }

  async #change({ call, pick, force }: Extract<UserStep, { kind: 'change' }>): Promise<void> {
    const id = this.instances.at(pick % Math.max(1, this.instances.length));
    if (id === undefined) return;
    const input = {
      InstanceIds: [id],
      ...(force && (call === 'StopInstances' || call === 'RebootInstances') ? { Force: true } : {}),
    };
    const answer = await this.#ask(call, input, { clientToken: randomHex(this.#parts.random, 16) }, true);
    if (answer !== undefined && call === 'TerminateInstances') this.ended.add(id);
  }

  /** The answer; undefined when it was refused, or when nobody will ever know. */
  async #ask<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    meta: Partial<CallMeta>,
    again: boolean,
  ): Promise<OperationOutput<N> | undefined> {
    const { history, scheduler, random } = this.#parts;
    const what = `${name} ${JSON.stringify(input)}`;
    for (let attempt = 1; attempt <= (again ? TRIES : 1); attempt += 1) {
      if (name === 'RunInstances' && !again) this.runs += 1;
      history.add('user', `asks ${what}`);
      try {
        const answer = await this.#once(name, input, meta);
        history.add('user', `is told ${name} ${summary(answer)}`);
        this.acknowledged += 1;
        return answer;
      } catch (error) {
        if (error instanceof Violation) throw error;
        history.add('user', `is told ${name} ${error instanceof CloudError ? error.code : ''}: ${errorText(error)}`);
        if (!(error instanceof CloudError) || error.code === 'InternalError') throw error;
        if (!isCode(error, ...UNKNOWN)) return undefined;
      }
      await scheduler.sleep(500 + randomBelow(random, 5000));
    }
    return undefined;
  }

  #once<N extends UnaryName>(name: N, input: OperationInput<N>, meta: Partial<CallMeta>): Promise<OperationOutput<N>> {
    const full: CallMeta = {
      requestId: `req-${randomHex(this.#parts.random, 8)}`,
      principal: { name: 'admin', projectId: 'admin', roles: ['cloudadmin'], from: 'sim' },
      ...meta,
    };
    return this.#parts.node.ask((cloud) => cloud.gateway.unary(name, input, full) as Promise<OperationOutput<N>>);
  }
}

function summary(answer: object): string {
  const { instances } = answer as { instances?: readonly { instanceId: string; currentState?: string }[] };
  if (instances === undefined) return 'ok';
  return instances
    .map(({ instanceId, currentState }) => [instanceId, currentState].filter(Boolean).join(' '))
    .join(', ');
}
