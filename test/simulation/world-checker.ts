import type { InstanceRecord } from '../../src/domain/instance.ts';
import type { SimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimCall, SimSession } from '../../src/workers/drivers/simulated/sim-calls.ts';
import type { SimHost } from '../../src/workers/drivers/simulated/sim-host.ts';
import type { History } from './history.ts';
import { Violation } from './history.ts';
import type { RecordChecker } from './record-checker.ts';
import type { Records } from './store-model.ts';

interface Seen {
  readonly power: string;
  readonly reason: string;
  readonly starts: number;
  /** Lines of its console: one for each time that its guest began, by a start or a reset. */
  readonly boots: number;
}

const UNKNOWN = '7 unknown is not gone';
/** What changes nothing, or is how one becomes the owner. */
const LOOKS: ReadonlySet<string> = new Set<SimCall>([
  ...(['facts', 'inventory', 'lookup', 'networkInventory', 'listInstanceDirs', 'probe'] as const),
  ...(['readConsole', 'readClaim', 'takeClaim'] as const),
]);
const INTENT = '2 intent before effect';

/** Looks at the hosts after each thing that the cloud does to one, and judges the difference by the records that were durable by then. */
export class WorldChecker {
  readonly #world: SimulatedHosts;
  readonly #model: Records;
  readonly #records: RecordChecker;
  readonly #history: History;
  readonly #seen = new Map<string, Map<string, Seen>>();
  readonly #disks = new Map<string, Set<string>>();
  /** Instance -> how often somebody else than the cloud switched it off. */
  readonly offByOthers = new Map<string, number>();
  /** Instances whose disk, or whose record, somebody else took away. */
  readonly excused = new Set<string>();
  /** Reboot that was asked for -> how often the guest began anew while that was the work of its record. */
  readonly #reboots = new Map<string, number>();

  constructor(parts: { world: SimulatedHosts; model: Records; records: RecordChecker; history: History }) {
    this.#world = parts.world;
    this.#model = parts.model;
    this.#records = parts.records;
    this.#history = parts.history;
  }

  /** The cloud did something to a host, in the name of the owner that the session then was. */
  afterCall(call: SimCall, { owner }: SimSession, by: SimHost): void {
    const { holder } = by.claim;
    if (owner !== undefined && holder !== undefined && holder.epoch > owner.epoch && !LOOKS.has(call)) {
      const message = `${call} on ${by.name} was of epoch ${owner.epoch}, and epoch ${holder.epoch} owns it`;
      throw new Violation('6 a host obeys its owner alone', message);
    }
    for (const host of this.#world.hosts()) this.#look(host, true);
  }

  /** Somebody else did something to this instance. */
  byOthers(name: string, what: () => void): void {
    for (const host of this.#world.hosts()) this.#look(host, false);
    what();
    this.offByOthers.set(name, (this.offByOthers.get(name) ?? 0) + 1);
    this.#forgetReboots(name);
    for (const host of this.#world.hosts()) this.#look(host, false);
  }

  /** What happens to a host, and to all that runs there, is nobody's command. */
  hostByOthers(host: SimHost, what: () => void): void {
    for (const { name, power } of host.domains.all()) {
      if (power !== 'shutoff') this.offByOthers.set(name, (this.offByOthers.get(name) ?? 0) + 1);
    }
    what();
    this.#look(host, false);
    this.#reboots.clear();
  }

  madeByOthers(host: SimHost, what: () => void): void {
    what();
    this.#look(host, false);
  }

  #forgetReboots(name: string): void {
    for (const key of this.#reboots.keys()) if (key.startsWith(`${name}.`)) this.#reboots.delete(key);
  }

  #look(host: SimHost, ours: boolean): void {
    const before = this.#seen.get(host.name) ?? new Map<string, Seen>();
    const now = new Map<string, Seen>();
    for (const { name, power, reason, starts } of host.domains.all()) {
      const boots = (host.consoles.get(name) ?? '').split('\n').length - 1;
      now.set(name, { power, reason, starts, boots });
    }
    this.#seen.set(host.name, now);
    for (const [name, seen] of now) this.#changed(host, name, before.get(name), seen, ours);
    for (const name of before.keys()) if (!now.has(name)) this.#removed(host, name, ours);
    this.#lookAtDisks(host);
  }

  #changed(host: SimHost, name: string, was: Seen | undefined, is: Seen, ours: boolean): void {
    const told = (what: string): void => this.#history.add(host.name, `${name} ${what}`);
    if (was === undefined) {
      told('defined');
      if (ours) this.#mayBe(host, name);
    }
    if (was !== undefined && was.power !== 'shutoff' && is.power === 'shutoff') {
      told(`off (${is.reason})`);
      if (ours && is.reason === 'destroyed') this.#mayEnd(name, 'destroyed', ['stop', 'reboot', 'remove']);
    }
    if (is.boots > (was?.boots ?? 0)) {
      told(`began (${is.boots})`);
      if (ours) this.#begun(name);
    }
  }

  #removed(host: SimHost, name: string, ours: boolean): void {
    this.#history.add(host.name, `${name} undefined`);
    if (ours) this.#mayEnd(name, 'undefined', ['remove']);
  }

  /** A durable record puts it on this host, and it is on no other. */
  #mayBe(host: SimHost, name: string): void {
    const past = this.#records.past.get(name);
    if (past === undefined) throw new Violation(INTENT, `${name} was defined on ${host.name}, and no record wants it`);
    const record = this.#model.get<{ name: string }>(`host/${past.hostId}`);
    if (record !== undefined && record.name !== host.name) {
      throw new Violation(
        '6 an instance is on one host at most',
        `${name} belongs on ${record.name}, and was defined on ${host.name}`,
      );
    }
    for (const other of this.#world.hosts()) {
      if (other !== host && other.domains.named(name) !== undefined) {
        throw new Violation('6 an instance is on one host at most', `${name} is on ${other.name} and on ${host.name}`);
      }
    }
  }

  #mayEnd(name: string, how: string, verbs: readonly string[]): void {
    const past = this.#records.past.get(name);
    if (past === undefined) throw new Violation(UNKNOWN, `${name} was ${how}, and no record knows it`);
    if (verbs.some((verb) => past.wanted.has(verb))) return;
    throw new Violation(UNKNOWN, `${name} was ${how}, and its record never wanted that`);
  }

  /** Its guest begins: by a run, or once by each reboot. */
  #begun(name: string): void {
    const record = this.#model.get<InstanceRecord>(`instance/${name}`);
    if (this.#records.past.get(name) === undefined)
      throw new Violation(INTENT, `${name} began, and no record wants it`);
    if (record?.work?.verb !== 'reboot') return;
    // Not by the command's name: an attempt that failed, and the one after it, are of one request.
    const reboot = `${name}.${record.generation}.${record.work.sinceMs}`;
    const times = (this.#reboots.get(reboot) ?? 0) + 1;
    this.#reboots.set(reboot, times);
    if (times > 1) throw new Violation('5 a reboot happens once', `${reboot} was carried out ${times} times`);
  }

  /** The disk of an instance that has run is never made anew: its bytes are the user's. */
  #lookAtDisks(host: SimHost): void {
    const before = this.#disks.get(host.name) ?? new Set<string>();
    for (const id of host.disks.keys()) {
      if (before.has(id)) continue;
      this.#history.add(host.name, `${id} disk made`);
      const past = this.#records.past.get(id);
      if (past === undefined) throw new Violation(INTENT, `a disk was made for ${id}, which no record wants`);
      if (past.launched) throw new Violation('2 a disk that was lost is not made anew', `the disk of ${id} was`);
    }
    for (const id of before) {
      if (host.disks.has(id)) continue;
      this.#history.add(host.name, `${id} disk removed`);
      if (!this.excused.has(id)) this.#mayEnd(id, 'removed from its disk', ['remove']);
    }
    this.#disks.set(host.name, new Set(host.disks.keys()));
  }
}
