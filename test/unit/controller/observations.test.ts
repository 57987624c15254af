import { beforeEach, describe, expect, it } from 'vitest';
import { Observations } from '../../../src/controller/hosts/observations.ts';
import { orphansOf } from '../../../src/controller/hosts/host-view.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { toJson } from '../../../src/base/json.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { HostReport } from '../../../src/messages/worker.ts';
import { HOST_ID, INSTANCE_ID, sampleOutcome, sampleRecord, sampleWork } from '../../support/instance-samples.ts';

let seen: Observations;
let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  seen = new Observations(() => nowMs);
});

/** A report of these domains: `{ a: 'running', b: 'shutoff/shutdown' }`. */
function report(seq: number, domains: Readonly<Record<string, string>>, patch: Partial<HostReport> = {}): HostReport {
  const facts = Object.entries(domains).map(([name, text]) => {
    const [power = '', reason] = text.split('/');
    return { name, uuid: `uuid-of-${name}`, power, ...(reason === undefined ? {} : { reason }) };
  });
  return {
    v: 1,
    hostId: HOST_ID,
    workerId: 'w1',
    session: 's1',
    epoch: 1,
    seq,
    atMs: 1000 + seq,
    up: true,
    whole: true,
    facts,
    ...patch,
  };
}
const part = { whole: false };
const power = (name: string, hostId = HOST_ID): string | undefined => seen.domain(hostId, name)?.power;

describe('what is known of a domain', () => {
  it('is nothing before a whole report, and absent when that does not name it', () => {
    expect(power('a')).toBeUndefined();
    seen.report(report(1, { b: 'running' }, part));
    expect([power('a'), power('b')]).toEqual([undefined, 'running']);
    seen.report(report(2, { b: 'running' }));
    expect([power('a'), power('b')]).toEqual(['absent', 'running']);
  });

  it('is told as changed when it changed', () => {
    expect(seen.report(report(1, { a: 'running', b: 'running' })).sort()).toEqual(['a', 'b']);
    expect(seen.report(report(2, { a: 'running', b: 'shutoff/shutdown' }))).toEqual(['b']);
    expect(seen.report(report(3, { a: 'running', b: 'shutoff/destroyed' }))).toEqual(['b']);
    expect(seen.report(report(4, { a: 'running' }))).toEqual(['b']);
    expect(seen.report(report(5, { a: 'running' }))).toEqual([]);
  });

  it('is not overwritten by what was looked at earlier', () => {
    seen.report(report(1, {}));
    seen.report(report(5, { a: 'shutoff/shutdown' }, part));
    expect(seen.report(report(4, { a: 'running' }, part))).toEqual([]);
    expect(power('a')).toBe('shutoff');
    // A whole report that was begun before the domain was there.
    seen.report(report(3, {}));
    expect(power('a')).toBe('shutoff');
  });

  it('a domain that went does not come back by a fact that is late', () => {
    seen.report(report(1, { a: 'running' }));
    seen.report(report(3, {}));
    seen.report(report(2, { a: 'running' }, part));
    expect(power('a')).toBe('absent');
  });

  it('names that are gone for good are forgotten', () => {
    seen.report(report(1, { a: 'running' }));
    seen.report(report(2, {}));
    expect(seen.host(HOST_ID)?.domains.size).toBe(1);
    seen.report(report(3, {}));
    expect(seen.host(HOST_ID)?.domains.size).toBe(0);
    expect(power('a')).toBe('absent');
  });

  it('is that of a new session, whatever its numbers', () => {
    seen.report(report(900, { a: 'running', b: 'running' }));
    seen.report(report(1, { a: 'shutoff/crashed' }, { session: 's2' }));
    expect([power('a'), power('b')]).toEqual(['shutoff', 'absent']);
  });

  it('is not that of an earlier epoch', () => {
    seen.report(report(1, { a: 'running' }, { epoch: 2, session: 's2' }));
    expect(seen.report(report(900, { a: 'shutoff/destroyed' }, { epoch: 1 }))).toEqual([]);
    expect([power('a'), seen.host(HOST_ID)?.session]).toEqual(['running', 's2']);
  });

  it('on one host says nothing of the same name on another', () => {
    seen.report(report(1, { a: 'running' }));
    seen.report(report(1, { a: 'shutoff/shutdown' }, { hostId: 'h-other' }));
    seen.report(report(2, {}, { hostId: 'h-other' }));
    expect([power('a'), power('a', 'h-other')]).toEqual(['running', 'absent']);
  });
});

describe('what is known of a host', () => {
  it('is what it said last, and when that came', () => {
    seen.report(report(1, {}));
    nowMs = 500;
    seen.report(report(2, {}, { whole: false, up: false, problem: 'libvirtd does not answer' }));
    expect(seen.host(HOST_ID)).toMatchObject({
      up: false,
      problem: 'libvirtd does not answer',
      arrivedAtMs: 500,
      whole: true,
    });
    seen.report(report(3, {}));
    expect(seen.host(HOST_ID)).toMatchObject({ up: true });
    expect(seen.host(HOST_ID)).not.toHaveProperty('problem');
  });

  it('is not undone by a report that is late', () => {
    seen.report(report(1, {}));
    seen.report(report(3, {}));
    seen.report(report(2, {}, { whole: false, up: false, problem: 'gone' }));
    expect(seen.host(HOST_ID)).toMatchObject({ up: true, seq: 3 });
  });

  it('is nothing once it is forgotten', () => {
    seen.report(report(1, { a: 'running' }));
    seen.forgetHost(HOST_ID);
    expect([seen.host(HOST_ID), power('a')]).toEqual([undefined, undefined]);
  });
});

describe('outcomes', () => {
  const record = sampleRecord('pending', { work: sampleWork('run') });
  const fact = { name: INSTANCE_ID, uuid: 'u', power: 'running' };

  it('tell of their domain too, in the order of their looks', () => {
    seen.report(report(1, {}));
    seen.outcome(sampleOutcome(record, { seq: 5, fact }), 7);
    expect(power(INSTANCE_ID)).toBe('running');
    seen.report(report(4, {}));
    expect(power(INSTANCE_ID)).toBe('running');
    seen.outcome(sampleOutcome(record, { seq: 3, fact: { ...fact, power: 'shutoff' } }), 8);
    expect(power(INSTANCE_ID)).toBe('running');
  });

  it('of a removal say that it is gone, when it went well', () => {
    seen.report(report(1, { [INSTANCE_ID]: 'running' }));
    seen.outcome(sampleOutcome(record, { verb: 'remove', seq: 2, ok: false }), 7);
    expect(power(INSTANCE_ID)).toBe('running');
    seen.outcome(sampleOutcome(record, { verb: 'remove', seq: 3 }), 7);
    expect(power(INSTANCE_ID)).toBe('absent');
  });

  it('are kept until they are taken, and end what was told of progress', () => {
    const outcome = sampleOutcome(record);
    seen.progress({ v: 1, commandId: outcome.commandId, instanceId: INSTANCE_ID, step: 'start', atMs: 1 });
    expect(seen.progressOf(INSTANCE_ID)?.step).toBe('start');
    seen.outcome(outcome, 7);
    expect([seen.progressOf(INSTANCE_ID), seen.outcomeOf(outcome.commandId)]).toEqual([undefined, outcome]);
    seen.forgetOutcome(outcome.commandId);
    expect(seen.outcomeOf(outcome.commandId)).toBeUndefined();
  });
});

describe('a host that has just become ours', () => {
  it('is doubted until a report that counts, or until it is another controller’s', () => {
    seen.report(report(1, { [INSTANCE_ID]: 'running' }));
    seen.doubt(HOST_ID);
    seen.report(report(2, { [INSTANCE_ID]: 'running' }));
    expect([seen.isDoubted(HOST_ID), power(INSTANCE_ID)]).toEqual([true, undefined]);
    seen.trust(HOST_ID);
    expect([seen.isDoubted(HOST_ID), power(INSTANCE_ID)]).toEqual([false, 'running']);
  });
});

describe('orphans', () => {
  it('are the domains that no live record puts on this host', async () => {
    const store = createMemoryStore({ clock: new SystemClock(), random: new SeededRandom(1) });
    const records = [
      sampleRecord('running', { id: 'i-mine' }),
      sampleRecord('running', { id: 'i-elsewhere', hostId: 'h-other' }),
      sampleRecord('terminated', { id: 'i-ended', stateChangedAtMs: 1000 }),
      // Of its removal this process was not told; what it last heard of the domain is older.
      sampleRecord('terminated', { id: 'i-just-ended', stateChangedAtMs: 1500 }),
    ];
    await store.txn({ puts: records.map((record) => ({ key: KEYS.instance(record.id), value: toJson(record) })) });
    const names = ['i-mine', 'i-elsewhere', 'i-ended', 'i-just-ended', 'debian'];
    seen.report(report(1, Object.fromEntries(names.map((name) => [name, 'running']))));
    expect(orphansOf({ store, observations: seen }, HOST_ID)).toEqual(['i-elsewhere', 'i-ended', 'debian']);
    seen.report(report(2, { 'i-mine': 'running' }));
    expect(orphansOf({ store, observations: seen }, HOST_ID)).toEqual([]);
  });
});
