import { canonicalJson, toJson } from '../../base/json.ts';
import { CloudError, isCode } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { randomHex } from '../../base/random.ts';
import type { ConsoleChannel } from '../../messages/console.ts';
import { operationIdAt } from '../../domain/keys.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { KeyUses } from '../users/key-use.ts';
import { definitionOf, Executor } from '../operations/executor.ts';
import type { CallMeta } from '../operations/handler.ts';
import { askController } from './ask-controller.ts';

/** How long an edge waits for the controller before it says that the outcome is not known. */
const CHANGE_TIMEOUT_MS = 110_000;
const REPLICA_TIMEOUT_MS = 10_000;
/** So long a process that ends waits for answers that are being made. */
const IDLE_MAX_MS = 10_000;
const IDLE_LOOK_MS = 20;

/**
 * The api role's half of an operation: reads are answered from this process's replica, changes go to a controller over the bus, and
 * their answer is given out once the replica has what they wrote (read your own writes).
 */
export class Gateway {
  readonly #context: ControllerContext;
  readonly #executor: Executor;
  readonly #keyUses: KeyUses;
  #underWay = 0;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#executor = new Executor(context);
    this.#keyUses = new KeyUses(context);
  }

  async unary(name: string, input: unknown, meta: CallMeta): Promise<unknown> {
    this.#keyUses.note(meta.principal);
    this.#underWay += 1;
    try {
      return await this.#unary(name, input, meta);
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Answers to reads may be this old; undefined: they are not. */
  get staleMs(): number | undefined {
    return this.#context.store.health().staleMs;
  }

  /** Resolves when nobody waits for an answer, and after a while in any case. */
  async idle(): Promise<void> {
    const { clock } = this.#context;
    const endMs = clock.monotonicMs() + IDLE_MAX_MS;
    while (this.#underWay > 0 && clock.monotonicMs() < endMs) await clock.sleep(IDLE_LOOK_MS);
  }

  async #unary(name: string, input: unknown, meta: CallMeta): Promise<unknown> {
    if (!definitionOf(name).changes) return this.#executor.read(name, input, meta);
    const { bus, store, clock, random, ownership } = this.#context;
    // It may be asked or delivered twice; without a token it would be done twice.
    const clientToken = meta.clientToken ?? `call-${randomHex(random, 32)}`;
    // Given here, so that whoever gets no answer knows what to look for.
    const operationId = operationIdAt(clock.nowMs(), sha256Hex(clientToken));
    const whole = { ...meta, clientToken, operationId };
    const asked = { name, input: toJson((input ?? {}) as object), meta: toJson(whole) };
    const askId = sha256Hex(canonicalJson(asked));
    const asker = { bus, clock, controllers: () => ownership.controllers() };
    const answer = await askController(asker, { askId, body: { askId, ...asked }, timeoutMs: CHANGE_TIMEOUT_MS }).catch(
      (error: unknown) => {
        const isOurs = isCode(error, 'Timeout') && error.details?.['topic'] === TOPIC.controller;
        throw isOurs ? unknownOutcome(name, operationId, error) : error;
      },
    );
    const { output, rev } = answer as unknown as { output: unknown; rev: number };
    await store.waitApplied(rev, REPLICA_TIMEOUT_MS).catch((error: unknown) => {
      throw isCode(error, 'Timeout') ? notSeenYet(name, operationId, error) : error;
    });
    return output;
  }

  /** Opens a channel of bytes; whoever asked closes it. */
  duplex(name: string, input: unknown, meta: CallMeta): Promise<ConsoleChannel> {
    if (definitionOf(name).kind !== 'duplex')
      throw new CloudError('InvalidAction', `${name} takes no connection of its own`);
    this.#keyUses.note(meta.principal);
    return this.#executor.duplex(name, input, meta);
  }

  stream(name: string, input: unknown, meta: CallMeta, signal: AbortSignal): AsyncIterable<unknown> {
    if (definitionOf(name).kind !== 'stream') throw new CloudError('InvalidAction', `${name} is not a stream`);
    this.#keyUses.note(meta.principal);
    return this.#executor.stream(name, input, meta, signal);
  }
}

/** Never a claim that it failed. */
function unknownOutcome(name: string, operationId: string, cause: CloudError): CloudError {
  return new CloudError(
    'Unavailable',
    `${name} was not answered in time, so whether it was done is unknown: "novactl op show ${operationId}" says what became of it, and with the same client token it is done once`,
    { cause, details: { operationId, outcome: 'unknown' } },
  );
}

function notSeenYet(name: string, operationId: string, cause: CloudError): CloudError {
  return new CloudError(
    'Unavailable',
    `${name} is done (${operationId}), and this process has not heard of it yet: its copy of the state is behind; ask another one, or again`,
    { cause, details: { operationId, outcome: 'done' } },
  );
}
