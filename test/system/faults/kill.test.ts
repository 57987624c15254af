import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBelow, SeededRandom, SystemRandom } from '../../../src/base/random.ts';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import type { OperationRecord } from '../../../src/domain/records.ts';
import { importStillImage } from '../support/closing-checks.ts';
import { atRest, exactChecks, instancesOf, operationsOf, withRecords } from '../support/exact-checks.ts';
import { daemonVictim, embeddedVictim, type Victim } from '../support/killed-process.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();
const VERBS = ['run', 'stop', 'start', 'reboot', 'terminate'] as const;
type Verb = (typeof VERBS)[number];
const ROUNDS = 4;
const COUNT = 3;
/** So many of the moments of one victim must have found the operation recorded and not ended. */
const IN_THE_MIDDLE = 8;
/** Loading the command line; what is killed before that has not begun. */
const LOADING_PART = 0.8;
/** A guest that halts ignores the power button; this is stretched by six where it is emulated. */
const STOP_TIMEOUT_MS = '150';

const OPERATION: Readonly<Record<Verb, string>> = {
  run: 'RunInstances',
  stop: 'StopInstances',
  start: 'StartInstances',
  reboot: 'RebootInstances',
  terminate: 'TerminateInstances',
};
/** State before and after; terminated ones are not counted. */
const STATES: Readonly<Record<Verb, readonly [before: string, after: string]>> = {
  run: ['', 'running'],
  stop: ['running', 'stopped'],
  start: ['stopped', 'running'],
  reboot: ['running', 'running'],
  terminate: ['running', ''],
};

const seed = Number(process.env['NOVACTL_KILL_SEED'] ?? randomBelow(new SystemRandom(), 1_000_000));
const random = new SeededRandom(seed);

/** 0, 1, ... in the order that the seed draws. */
function shuffled(count: number): number[] {
  const keyed = Array.from({ length: count }, (_, index) => ({ index, key: random.unit() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ index }) => index);
}

interface Moment {
  readonly round: number;
  readonly verb: Verb;
  /** In [0, 1): how much of the command has happened by then. */
  readonly part: number;
  /** Without a daemon: the same command goes on, not a reconciliation. */
  readonly again: boolean;
}

/** Each round draws from another part of each command, so that together they cover it. */
function drawMoments(): Moment[] {
  const parts = new Map(VERBS.map((verb) => [verb, shuffled(ROUNDS).map((part) => (part + random.unit()) / ROUNDS)]));
  return Array.from({ length: ROUNDS }, (_, round) =>
    VERBS.map((verb) => ({ round, verb, part: parts.get(verb)?.[round] ?? 0, again: random.unit() < 0.5 })),
  ).flat();
}

const moments = { daemon: drawMoments(), embedded: drawMoments() };

/** One life after the other of a few still guests, each command of which is interrupted. */
class Life {
  readonly #system: LabCloud;
  readonly #victim: Victim;
  readonly #tookMs = new Map<Verb, number>();
  readonly lines: string[] = [];
  inTheMiddle = 0;
  #loadingMs = 0;
  #ids: readonly string[] = [];

  constructor(system: LabCloud, victim: Victim) {
    this.#system = system;
    this.#victim = victim;
  }

  #words(verb: Verb, token: string): string[] {
    if (verb === 'run') {
      const what = ['--image', 'still', '--type', 'm1.nano', '--count', String(COUNT)];
      return ['run-instance', ...what, '--client-token', token, '--json'];
    }
    return ['instance', verb, ...(verb === 'terminate' ? ['--yes'] : []), ...this.#ids];
  }

  /** An undisturbed life, to know how long each command takes. */
  async measure(): Promise<void> {
    await this.#victim.prepare();
    const timed = async (words: readonly string[]): Promise<[number, string]> => {
      const began = performance.now();
      const text = await this.#system.ok(...words);
      return [performance.now() - began, text];
    };
    [this.#loadingMs] = await timed(['op', 'list', '--json']);
    for (const verb of VERBS) {
      const [tookMs, text] = await timed([...this.#words(verb, `${this.#victim.name}-measured`), '--wait']);
      this.#tookMs.set(verb, tookMs);
      if (verb === 'run') this.#ids = idsIn(text);
    }
    await exactChecks(this.#system);
  }

  #delayMs({ verb, part }: Moment): number {
    const fromMs = this.#loadingMs * LOADING_PART;
    return Math.round(fromMs + part * Math.max(0, (this.#tookMs.get(verb) ?? 0) - fromMs));
  }

  /** The operations that have come since. */
  #since(known: ReadonlySet<string>, name: string): Promise<OperationRecord[]> {
    return withRecords(this.#system, (records) =>
      operationsOf(records).filter((operation) => operation.name === name && !known.has(operation.id)),
    );
  }

  async interrupt(moment: Moment): Promise<void> {
    const { round, verb, again } = moment;
    const words = this.#words(verb, `${this.#victim.name}-${round}`);
    const known = new Set(await withRecords(this.#system, (records) => operationsOf(records).map(({ id }) => id)));
    const delayMs = this.#delayMs(moment);
    const command = await this.#victim.interrupt(words, delayMs);
    const [atKill] = await this.#since(known, OPERATION[verb]);
    await this.#note(moment, delayMs, atKill);

    const allDone = await this.#victim.goOn(again);
    const first = await command.ended;
    if (allDone) {
      const live = await exactChecks(this.#system);
      const operations = await this.#since(known, OPERATION[verb]);
      // What was durable when it was killed is what goes on, and the client's own attempts made no second one.
      expect(operations.length).toBeLessThanOrEqual(1);
      if (atKill !== undefined || first.code === 0) expect(operations).toHaveLength(1);
      if (atKill !== undefined) expect(operations[0]?.id).toBe(atKill.id);
      this.#expectStates(verb, operations.length, live);
    } else if (verb === 'reboot' && atKill?.status === 'running') {
      await this.#rebootUnderWay(words);
    }
    const finished = await this.#system.ok(...words, '--wait');
    const live = await exactChecks(this.#system);
    const operations = await this.#since(known, OPERATION[verb]);
    this.#expectStates(verb, 1, live);
    if (verb === 'run') {
      this.#ids = idsIn(finished);
      expect(live.map(({ id }) => id).toSorted()).toEqual([...this.#ids].toSorted());
      // The token: one operation, whoever asked how often, and what was answered before the kill still holds.
      expect(operations).toHaveLength(1);
      if (first.code === 0) expect(idsIn(first.stdout).toSorted()).toEqual([...this.#ids].toSorted());
    }
    this.#expectEnds(operations);
    this.#learn(verb, atKill);
  }

  /** One that is recorded is not begun a second time while it is under way: the second is refused, and ends the first before it leaves. */
  async #rebootUnderWay(words: readonly string[]): Promise<void> {
    const { code, stderr } = await this.#system.cli(...words);
    if (code !== 0) expect([code, stderr]).toEqual([5, expect.stringContaining('IncorrectInstanceState')]);
    this.#expectStates('reboot', 1, await exactChecks(this.#system));
  }

  /** `done`: how many operations had their effect. */
  #expectStates(verb: Verb, done: number, live: readonly InstanceRecord[]): void {
    const [before, after] = STATES[verb];
    const state = done > 0 ? after : before;
    expect(live.map((record) => record.state)).toEqual(state === '' ? [] : Array<string>(COUNT).fill(state));
  }

  /** Whether a reset that was cut off happened can't be known; everything else must end well. */
  #expectEnds(operations: readonly OperationRecord[]): void {
    for (const { name, status, error } of operations) {
      if (name === OPERATION.reboot && status === 'failed') expect(error?.code).toBe('PartlyDone');
      else expect([status, error]).toEqual(['succeeded', undefined]);
    }
  }

  /** When others use the machine less or more, commands take another time. */
  #learn(verb: Verb, atKill: OperationRecord | undefined): void {
    if (atKill?.endedAtMs === undefined) return;
    this.#tookMs.set(verb, this.#loadingMs + atKill.endedAtMs - atKill.startedAtMs);
  }

  async #note({ round, verb, again }: Moment, delayMs: number, atKill: OperationRecord | undefined): Promise<void> {
    const phase =
      atKill === undefined
        ? 'nothing recorded yet'
        : atKill.status === 'running'
          ? (await this.#underWay(atKill)).join('; ')
          : atKill.status;
    if (atKill?.status === 'running') this.inTheMiddle += 1;
    const tookMs = Math.round(this.#tookMs.get(verb) ?? 0);
    const next = this.#victim.name === 'daemon' ? 'up' : again ? 'again' : 'reconcile';
    this.lines.push(`${round} ${verb} at ${delayMs} of ${tookMs} ms (${next}): ${phase}`);
  }

  /** For each instance that the operation still waits for: its work, and what of it is on the disk of its host. */
  async #underWay({ targets, pending }: OperationRecord): Promise<string[]> {
    const records = await withRecords(this.#system, instancesOf);
    const seen = records.filter(({ id }) => pending.includes(id)).map((record) => this.#traces(record));
    return [`${pending.length} of ${targets.length} to do`, ...seen];
  }

  #traces({ id, state, work, nic }: InstanceRecord): string {
    const traces = this.#system.lab.hosts.flatMap((host) => {
      const has = (path: string): boolean => existsSync(host.onDisk(path));
      const found: readonly (readonly [string, boolean])[] = [
        ['disk being made', has(`var/lib/novactl-host/instances/${id}/disk.qcow2.tmp`)],
        ['disk', has(`var/lib/novactl-host/instances/${id}/disk.qcow2`)],
        ['defined', has(`etc/libvirt/qemu/${id}.xml`)],
        ['started once', has(`var/log/libvirt/qemu/${id}.log`)],
      ];
      return found.flatMap(([what, is]) => (is ? [what] : []));
    });
    return `${nic.address} ${state}, ${work?.verb ?? 'no work'} (${traces.join(', ') || 'nothing on its host'})`;
  }
}

function idsIn(text: string): string[] {
  return (JSON.parse(text) as { instances: { instanceId: string }[] }).instances.map(({ instanceId }) => instanceId);
}

describe.skipIf(missing !== undefined)(
  `kill -9 at ${2 * ROUNDS * VERBS.length} moments over SSH, NOVACTL_KILL_SEED=${seed} [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;

    beforeAll(async () => {
      // The same cloud with and without a daemon.
      system = await LabCloud.start('embedded', { env: { NOVACTL_INSTANCES_STOP_TIMEOUT_MS: STOP_TIMEOUT_MS } });
      await importStillImage(system);
    });
    afterAll(async () => {
      await system.destroy();
    });

    describe.each([
      ['the daemon', moments.daemon, daemonVictim],
      ['an embedded command', moments.embedded, embeddedVictim],
    ] as const)('of %s', (name, drawn, makeVictim) => {
      let victim: Victim;
      let life: Life;

      beforeAll(async () => {
        victim = makeVictim(system);
        life = new Life(system, victim);
        await life.measure();
      });
      afterAll(async () => {
        await victim.close();
        console.log(`NOVACTL_KILL_SEED=${seed}, ${name}:\n${life.lines.join('\n')}`);
      });

      it.each(drawn)('round $round: $verb', { timeout: 120_000 }, async (moment) => {
        await life.interrupt(moment);
      });

      it('found enough operations in the middle, and left nothing', { timeout: 60_000 }, async () => {
        expect(life.inTheMiddle, life.lines.join('\n')).toBeGreaterThanOrEqual(IN_THE_MIDDLE);
        expect(await atRest(system, 10_000)).toEqual([]);
        expect((await system.instances()).filter(({ state }) => state !== 'terminated')).toEqual([]);
        expect([...(await system.domains()).keys()]).toEqual([]);
      });
    });
  },
);
