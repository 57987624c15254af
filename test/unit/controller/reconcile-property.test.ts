import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReconcileInput } from '../../../src/controller/instances/reconcile.ts';
import { reconcileInstance } from '../../../src/controller/instances/reconcile.ts';
import {
  rebootInstances,
  startInstances,
  stopInstances,
  terminateInstances,
} from '../../../src/controller/operations/change-instances.ts';
import type { ChangeContext } from '../../../src/controller/operations/handler.ts';
import { Draft } from '../../../src/controller/state/draft.ts';
import { isCode } from '../../../src/base/errors.ts';
import { toJson } from '../../../src/base/json.ts';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { INSTANCE_TRANSITIONS } from '../../../src/domain/instance.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { Outcome } from '../../../src/messages/worker.ts';
import type { Entry, Replica } from '../../../src/ports/store.ts';
import { INSTANCE_ID, NOW_MS, sampleOutcome, sampleRecord, sampleWork } from '../../support/instance-samples.ts';

const CALLS = { startInstances, stopInstances, rebootInstances, terminateInstances };

type Step =
  | { readonly kind: 'call'; readonly name: keyof typeof CALLS; readonly force: boolean }
  | { readonly kind: 'outcome'; readonly result: 'ok' | 'again' | 'hopeless' | 'unreachable' }
  | { readonly kind: 'seen'; readonly power: string; readonly reason: string }
  | { readonly kind: 'host'; readonly up: boolean }
  | { readonly kind: 'time'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('call' as const),
    name: fc.constantFrom(...(Object.keys(CALLS) as (keyof typeof CALLS)[])),
    force: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('outcome' as const),
    result: fc.constantFrom(
      'ok' as const,
      'ok' as const,
      'again' as const,
      'hopeless' as const,
      'unreachable' as const,
    ),
  }),
  fc.record({
    kind: fc.constant('seen' as const),
    power: fc.constantFrom('absent', 'running', 'paused', 'shutoff', 'crashed', 'unknown', 'shutting-down'),
    reason: fc.constantFrom('shutdown', 'destroyed', 'crashed', 'unknown', 'failed'),
  }),
  fc.record({ kind: fc.constant('host' as const), up: fc.boolean() }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 120_000 }) }),
);

/** One instance's record, led through what may happen, every rule of its life checked on the way. */
class Life {
  record: InstanceRecord;
  forgotten = false;
  releases = 0;
  #nowMs = NOW_MS;
  #observed: { power: string; reason?: string } | undefined;
  #hostProblem: string | undefined;
  #outcome: Outcome | undefined;
  readonly #commands = new Map<string, string>();

  constructor() {
    const { launchedAtMs: _, ...fresh } = sampleRecord('pending', { work: sampleWork('run') });
    this.record = fresh;
    this.settle();
  }

  take(taken: Step): void {
    if (taken.kind === 'call') this.#call(taken);
    else if (taken.kind === 'outcome') this.#finishWork(taken.result);
    else if (taken.kind === 'seen') this.#observed = { power: taken.power, reason: taken.reason };
    else if (taken.kind === 'host') this.#hostProblem = taken.up ? undefined : 'gone';
    else this.#nowMs += taken.ms;
    this.settle();
  }

  #input(): ReconcileInput {
    const { work } = this.record;
    return {
      record: this.record,
      nowMs: this.#nowMs,
      maxAttempts: 3,
      terminatedKeepMs: 3_600_000,
      ...(this.#hostProblem === undefined ? {} : { hostProblem: this.#hostProblem }),
      ...(this.#observed === undefined ? {} : { observed: this.#observed }),
      ...(this.#outcome !== undefined && this.#outcome.commandId === work?.commandId ? { outcome: this.#outcome } : {}),
    };
  }

  /** Decides until there is nothing more to write. */
  settle(): void {
    for (let round = 0; !this.forgotten; round += 1) {
      expect(round, 'decisions come to an end').toBeLessThan(5);
      const decision = reconcileInstance(this.#input());
      expect(reconcileInstance(this.#input()), 'the same input, the same decision').toEqual(decision);
      expect([decision.next, decision.send].filter(Boolean).length, 'writes or sends, not both').toBeLessThan(2);
      if (decision.release === true) this.releases += 1;
      if (decision.forget === true) this.forgotten = true;
      if (decision.next === undefined) return;
      this.#move(decision.next);
    }
  }

  #move(next: InstanceRecord): void {
    const { record } = this;
    if (next.state !== record.state) expect(INSTANCE_TRANSITIONS[record.state]).toContain(next.state);
    expect(next.generation).toBeGreaterThanOrEqual(record.generation);
    if (record.desired === 'terminated') {
      expect(next.desired, 'nobody comes back from the dead').toBe('terminated');
      expect(next.work?.verb ?? 'remove').toBe('remove');
    }
    if (next.work !== undefined) {
      const meaning = `${next.work.verb} ${next.work.force === true ? 'forced' : ''}`;
      expect(this.#commands.get(next.work.commandId) ?? meaning, 'a name means one thing').toBe(meaning);
      this.#commands.set(next.work.commandId, meaning);
    }
    this.record = next;
  }

  #call({ name, force }: Extract<Step, { kind: 'call' }>): void {
    const key = KEYS.instance(INSTANCE_ID);
    const entry: Entry = { key, value: toJson(this.record), rev: 1 };
    const draft = new Draft({ get: (asked: string) => (asked === key ? entry : undefined) } as unknown as Replica);
    const context = {
      principal: { name: 'admin', projectId: 'admin', roles: [], from: 'test' },
      nowMs: this.#nowMs,
      operationId: 'op-0123456789abcdef0',
    } as unknown as ChangeContext;
    try {
      CALLS[name].decide(draft, { InstanceIds: [INSTANCE_ID], Force: force }, context, undefined);
    } catch (error) {
      if (!isCode(error, 'IncorrectInstanceState')) throw error;
      return;
    }
    const put = draft.puts.find((one) => one.key === key);
    if (put !== undefined) this.#move(put.value as unknown as InstanceRecord);
  }

  #finishWork(result: 'ok' | 'again' | 'hopeless' | 'unreachable'): void {
    const { work } = this.record;
    if (work === undefined) return;
    const code = result === 'unreachable' ? 'Unavailable' : 'HypervisorError';
    const error = { code, message: 'no', retryable: result !== 'hopeless' };
    this.#outcome = sampleOutcome(this.record, result === 'ok' ? {} : { ok: false, error });
    const off = work.verb === 'stop' ? { power: 'shutoff', reason: 'destroyed' } : { power: 'absent' };
    if (result === 'ok') this.#observed = work.verb === 'run' || work.verb === 'reboot' ? { power: 'running' } : off;
  }
}

const run = (steps: readonly Step[]): Life => {
  const life = new Life();
  for (const one of steps) life.take(one);
  return life;
};

describe('any life of an instance', () => {
  it('takes legal steps only, decides the same twice, and comes to rest', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const life = run(steps);
        expect(life.releases).toBe(life.record.state === 'terminated' ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('ends when it shall, whatever failed before: what it holds is given back once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 10 }), (before, meanwhile) => {
        const ending: Step[] = [
          ...before,
          { kind: 'call', name: 'terminateInstances', force: false },
          ...meanwhile,
          { kind: 'host', up: true },
          { kind: 'time', ms: 60_000 },
          { kind: 'outcome', result: 'ok' },
          { kind: 'time', ms: 3_600_000 },
        ];
        const life = run(ending);
        expect([life.record.state, life.releases, life.forgotten]).toEqual(['terminated', 1, true]);
      }),
      { numRuns: 2000 },
    );
  });

  it('runs when it shall and can', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (before) => {
        const life = run([
          ...before,
          { kind: 'host', up: true },
          { kind: 'seen', power: 'unknown', reason: 'unknown' },
        ]);
        if (life.record.desired !== 'running') return;
        for (let round = 0; round < 3 && life.record.work !== undefined; round += 1) {
          life.take({ kind: 'time', ms: 60_000 });
          life.take({ kind: 'outcome', result: 'ok' });
        }
        expect([life.record.state, life.record.work]).toEqual(['running', undefined]);
      }),
      { numRuns: 1000 },
    );
  });
});
