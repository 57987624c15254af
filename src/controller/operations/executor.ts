import type { z } from 'zod';
import { asCloudError, CloudError } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { KEYS, operationIdAt } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { OperationRecord, TokenRecord } from '../../domain/records.ts';
import type { OperationDefinition } from '../../messages/operations/definition.ts';
import { ClientToken } from '../../messages/operations/fields.ts';
import { OPERATIONS } from '../../messages/operations/index.ts';
import type { ConsoleChannel } from '../../messages/console.ts';
import type { Entry } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { refuseHeld } from '../hosts/held.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import type {
  CallMeta,
  ChangeContext,
  ChangeHandler,
  DuplexHandler,
  Plan,
  ReadContext,
  ReadHandler,
  StreamHandler,
} from './handler.ts';
import { CHANGES, DUPLEXES, READS, STREAMS } from './registry.ts';
import { requireRule } from './require-rule.ts';
import { consoleWhileAllowed, streamWhileAllowed } from './while-allowed.ts';

type AnyChange = ChangeHandler<never, unknown>;

/**
 * The one way an operation is carried out, whatever edge it came by: parse (every bad parameter at once), authorise, DryRun, idempotency, handler. The
 * operation record and the token's answer are written in the handler's own transaction.
 */
export class Executor {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  read(name: string, rawInput: unknown, meta: CallMeta): Promise<unknown> {
    return this.#timed(name, meta, () => this.#read(name, rawInput, meta));
  }

  async #read(name: string, rawInput: unknown, meta: CallMeta): Promise<unknown> {
    const definition = definitionOf(name);
    const input = this.#admit(definition, rawInput, meta);
    if (!(name in READS)) throw new CloudError('InvalidAction', `${name} can't be called this way`);
    const handler = READS[name as keyof typeof READS] as ReadHandler<never>;
    return handler(this.#readContext(meta), input as never);
  }

  stream(name: string, rawInput: unknown, meta: CallMeta, signal: AbortSignal): AsyncIterable<unknown> {
    const definition = definitionOf(name);
    const input = this.#admit(definition, rawInput, meta);
    if (!(name in STREAMS)) throw new CloudError('InvalidAction', `${name} is not a stream`);
    const handler = STREAMS[name as keyof typeof STREAMS] as unknown as StreamHandler<never>;
    const open = (both: AbortSignal): AsyncIterable<unknown> => handler(this.#readContext(meta), input as never, both);
    return streamWhileAllowed(this.#context, { definition, principal: meta.principal }, signal, open);
  }

  async duplex(name: string, rawInput: unknown, meta: CallMeta): Promise<ConsoleChannel> {
    const definition = definitionOf(name);
    const input = this.#admit(definition, rawInput, meta);
    if (!(name in DUPLEXES)) throw new CloudError('InvalidAction', `${name} takes no connection of its own`);
    const handler = DUPLEXES[name as keyof typeof DUPLEXES] as unknown as DuplexHandler<never>;
    const channel = await handler(this.#readContext(meta), input as never);
    return consoleWhileAllowed(this.#context, { definition, principal: meta.principal }, channel);
  }

  /** Only where the controller role is: it writes. */
  change(name: string, rawInput: unknown, meta: CallMeta): Promise<{ output: unknown; rev: number }> {
    return this.#timed(name, meta, () => this.#change(name, rawInput, meta));
  }

  /** The line in the log has the request's id, which the client was told; that of a change that was made has the operation's too. */
  async #timed<T>(name: string, { requestId }: CallMeta, run: () => Promise<T>): Promise<T> {
    const { clock, metrics, logger } = this.#context;
    const operation = name in OPERATIONS ? name : 'unknown';
    const startedMs = clock.monotonicMs();
    let code = 'ok';
    try {
      return await run();
    } catch (error) {
      code = asCloudError(error).code;
      throw error;
    } finally {
      const tookMs = clock.monotonicMs() - startedMs;
      metrics.time('operation', tookMs, { operation, code });
      logger.debug('operation', { requestId, operation, code, tookMs });
    }
  }

  async #change(name: string, rawInput: unknown, meta: CallMeta): Promise<{ output: unknown; rev: number }> {
    const definition = definitionOf(name);
    const input = this.#admit(definition, rawInput, meta);
    if (!(name in CHANGES)) throw new CloudError('InvalidAction', `${name} changes nothing`);
    const handler = CHANGES[name as keyof typeof CHANGES] as unknown as AnyChange;
    if (meta.dryRun === true) {
      throw new CloudError(
        'DryRunOperation',
        `${name} would have been allowed; nothing was changed, since DryRun was set`,
      );
    }
    const token = tokenOf(meta, input);
    const digest = inputDigest(definition, input as Record<string, unknown>);
    const known = token === undefined ? undefined : this.#knownToken(name, meta, token);
    if (known !== undefined) {
      return { output: await this.#answerAgain(name, handler, meta, known.value, digest), rev: known.rev };
    }
    // Before anything is asked of a host.
    if (definition.whileHeld !== true) refuseHeld(this.#context.store);
    return this.#commit(definition, handler, input, meta, { token, digest });
  }

  async #commit(
    definition: OperationDefinition,
    handler: AnyChange,
    input: unknown,
    meta: CallMeta,
    idempotency: { token: string | undefined; digest: string },
  ): Promise<{ output: unknown; rev: number }> {
    const { store, random, logger } = this.#context;
    if (handler.prepare !== undefined) {
      // What it reads no guard looks at again.
      await store.barrier();
      const { token, digest } = idempotency;
      // Another controller may have done it just now; what is prepared would find it done, and say that it can't be.
      const known = token === undefined ? undefined : this.#knownToken(definition.name, meta, token);
      if (known !== undefined)
        return { output: await this.#answerAgain(definition.name, handler, meta, known.value, digest), rev: known.rev };
    }
    const prepared = await handler.prepare?.(this.#readContext(meta), input as never);
    const base = this.#readContext(meta);
    const { token, digest } = idempotency;
    const stillThere = projectGuard(this.#context, meta);
    const { result, rev } = await transact(
      store,
      (draft) => {
        if (token !== undefined) {
          const known = draft.get<TokenRecord>(KEYS.token(meta.principal.projectId, definition.name, token));
          if (known !== undefined) return { known };
        }
        stillThere(draft);
        const context: ChangeContext = { ...base, operationId: freeOperationId(draft, base.nowMs, random, meta) };
        const plan: Plan<never> = handler.decide(draft, input as never, context, prepared);
        recordOperation(draft, definition, context, meta, plan, digest);
        if (token !== undefined) recordToken(draft, definition, context, plan, token, digest);
        return { plan, context };
      },
      {
        token: randomHex(random, 32),
        ...(handler.settled === true ? { settled: true } : {}),
        ...(definition.whileHeld === true ? { whileHeld: true } : {}),
      },
    );
    if (result.known !== undefined) {
      const replay = await this.#answerAgain(definition.name, handler, meta, result.known, digest);
      return { output: replay, rev };
    }
    const { operationId } = result.context;
    const { name, from } = meta.principal;
    logger.info('change', {
      requestId: meta.requestId,
      operationId,
      operation: definition.name,
      principal: name,
      from,
    });
    await handler.after?.(result.context, input as never, result.plan, prepared);
    const output = (await handler.replay?.(this.#readContext(meta), result.plan.output)) ?? result.plan.output;
    return { output, rev: Math.max(rev, store.rev) };
  }

  #knownToken(name: string, meta: CallMeta, token: string): Entry<TokenRecord> | undefined {
    return this.#context.store.get<TokenRecord>(KEYS.token(meta.principal.projectId, name, token));
  }

  async #answerAgain(
    name: string,
    handler: AnyChange,
    meta: CallMeta,
    known: TokenRecord,
    digest: string,
  ): Promise<unknown> {
    if (known.digest !== digest) {
      throw new CloudError(
        'IdempotentParameterMismatch',
        `ClientToken: this token was used for another ${name} (operation ${known.operationId}) with other parameters; use a new token`,
        { details: { parameter: 'ClientToken', operationId: known.operationId } },
      );
    }
    if (known.answer === undefined) {
      throw new CloudError(
        'AlreadyExists',
        `${name} with this ClientToken was done before (operation ${known.operationId}); its answer held a secret and was not kept`,
      );
    }
    const answer = JSON.parse(known.answer) as never;
    return (await handler.replay?.(this.#readContext(meta), answer)) ?? answer;
  }

  #readContext(meta: CallMeta): ReadContext {
    return { cloud: this.#context, principal: meta.principal, nowMs: this.#context.clock.nowMs() };
  }

  #admit(definition: OperationDefinition, rawInput: unknown, meta: CallMeta): unknown {
    const input = parseInput(definition, rawInput);
    requireRule(definition, meta.principal);
    return input;
  }
}

export function definitionOf(name: string): OperationDefinition {
  if (!Object.hasOwn(OPERATIONS, name)) {
    throw new CloudError('InvalidAction', `there is no operation ${JSON.stringify(name.slice(0, 64))}`);
  }
  return OPERATIONS[name as keyof typeof OPERATIONS];
}

/** A project that the caller works in must not go while something is made in it: the transaction guards its record. */
function projectGuard({ directory }: ControllerContext, { principal }: CallMeta): (draft: Draft) => void {
  const { userName } = principal;
  const projectId = projectWithoutRegion(principal.projectId);
  if (directory.kind !== 'store') return () => undefined;
  // Whoever the directory knows was found in the project just now; of others it is known only when it was read here before.
  let was = userName !== undefined;
  return (draft) => {
    const is = draft.get(KEYS.project(projectId)) !== undefined;
    if (was && !is)
      throw new CloudError('InvalidProject.NotFound', `the project ${projectId} was deleted meanwhile`, {
        details: { project: projectId },
      });
    was = is;
  };
}

/** What makes two requests the same. */
function inputDigest({ secretInputs = [] }: OperationDefinition, input: Readonly<Record<string, unknown>>): string {
  const left = ['ClientToken', ...secretInputs];
  const effective = Object.fromEntries(Object.entries(input).filter(([name]) => !left.includes(name)));
  return sha256Hex(canonicalJson(effective));
}

/** RunInstances carries its token as a parameter, as EC2 has it; every other change may carry one beside the input, which no schema has seen yet. */
function tokenOf(meta: CallMeta, input: unknown): string | undefined {
  const token = (input as { ClientToken?: string }).ClientToken ?? meta.clientToken;
  const issue = token === undefined ? undefined : ClientToken.safeParse(token).error?.issues[0];
  if (issue === undefined) return token;
  throw new CloudError('InvalidParameterValue', `ClientToken: ${issue.message}`, {
    details: { parameter: 'ClientToken' },
  });
}

/** Every bad parameter at once, each named, with what is allowed. */
function parseInput(definition: OperationDefinition, rawInput: unknown): unknown {
  const parsed = definition.input.safeParse(rawInput ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => issueText(issue, rawInput));
  const first = issues[0];
  throw new CloudError(first?.code ?? 'InvalidParameterValue', issues.map((issue) => issue.text).join('; '), {
    details: { parameter: first?.parameter, issues: issues.map(({ parameter, text }) => ({ parameter, text })) },
  });
}

/** What the caller gave at the path of an issue. */
function givenAt(rawInput: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key], rawInput);
}

function issueText(
  issue: z.core.$ZodIssue,
  rawInput: unknown,
): {
  code: 'InvalidParameterValue' | 'MissingParameter' | 'UnknownParameter';
  parameter: string;
  text: string;
} {
  const parameter = issue.path.map(String).join('.') || 'input';
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.join(', ').slice(0, 200);
    return { code: 'UnknownParameter', parameter: issue.keys[0] ?? parameter, text: `${names}: no such parameter` };
  }
  if (issue.code === 'invalid_type' && givenAt(rawInput, issue.path) === undefined) {
    return { code: 'MissingParameter', parameter, text: `${parameter}: is needed` };
  }
  return { code: 'InvalidParameterValue', parameter, text: `${parameter}: ${issue.message}` };
}

/** An id that no operation has; two in one millisecond may draw the same. */
function freeOperationId(draft: Draft, nowMs: number, random: Random, { operationId }: CallMeta): string {
  if (operationId !== undefined && draft.get(KEYS.operation(operationId)) === undefined) return operationId;
  for (;;) {
    const id = operationIdAt(nowMs, randomHex(random, 5));
    if (draft.get(KEYS.operation(id)) === undefined) return id;
  }
}

function recordOperation(
  draft: Draft,
  definition: OperationDefinition,
  context: ChangeContext,
  meta: CallMeta,
  plan: Plan<never>,
  digest: string,
): void {
  const key = KEYS.operation(context.operationId);
  const pending = plan.pending ?? [];
  draft.put(key, {
    v: 1,
    id: context.operationId,
    name: definition.name,
    status: pending.length === 0 ? 'succeeded' : 'running',
    principal: meta.principal.name,
    projectId: meta.principal.projectId,
    from: meta.principal.from,
    ...(meta.reason === undefined ? {} : { reason: meta.reason }),
    inputDigest: digest,
    startedAtMs: context.nowMs,
    ...(pending.length === 0 ? { endedAtMs: context.nowMs } : {}),
    targets: plan.targets,
    pending,
    steps: [],
  } satisfies OperationRecord);
}

function recordToken(
  draft: Draft,
  definition: OperationDefinition,
  context: ChangeContext,
  plan: Plan<never>,
  token: string,
  digest: string,
): void {
  draft.put(KEYS.token(context.principal.projectId, definition.name, token), {
    v: 1,
    digest,
    operationId: context.operationId,
    ...(definition.secretAnswer === true ? {} : { answer: JSON.stringify(plan.output) }),
    atMs: context.nowMs,
  } satisfies TokenRecord);
}
