import type { InstanceRecord } from '../../../src/domain/instance.ts';
import type { AliveRecord, AssignRecord, OwnRecord } from '../../../src/domain/records.ts';
import { Violation } from '../history.ts';
import type { Commit, CommittedHistory } from './committed-history.ts';

const OWNER = '6 a host is reconciled by its owner alone';
const EPOCH = '6 ownership goes on from the dead alone, and upwards';

/** Judges who may write what for a host, by the ownership that stood right before. */
export class OwnershipChecker {
  readonly #history: CommittedHistory;
  /** Of each key, before the commit that is being judged. */
  readonly #texts = new Map<string, string>();
  readonly #sessions = new Map<object, Set<string>>();

  constructor(history: CommittedHistory) {
    this.#history = history;
  }

  committed(commit: Commit): void {
    const before = new Map<string, string>();
    for (const key of commit.ops.keys()) {
      const text = this.#texts.get(key);
      if (text !== undefined) before.set(key, text);
    }
    this.#learnSession(commit);
    const operation = [...commit.ops].some(
      ([key, text]) => key.startsWith('operation/') && text !== undefined && !before.has(key),
    );
    for (const [key, text] of commit.ops) {
      const was = before.get(key);
      if (key.startsWith('own/')) this.#owned(key, was, text, commit);
      else if (!operation && key.startsWith('instance/') && was !== undefined) {
        this.#mustOwn((JSON.parse(was) as InstanceRecord).hostId, key, commit);
      } else if (!operation && key.startsWith('assign/')) this.#assigned(key, was, text, commit);
    }
    for (const [key, text] of commit.ops) {
      if (text === undefined) this.#texts.delete(key);
      else this.#texts.set(key, text);
    }
  }

  /** The sessions by which a process is a controller, one a lease: it says so itself. */
  #learnSession({ by, ops }: Commit): void {
    const text = by && ops.get(`alive/controller/${by.process.name}`);
    if (by === undefined || text === undefined) return;
    const sessions = this.#sessions.get(by.life) ?? new Set();
    this.#sessions.set(by.life, sessions.add((JSON.parse(text) as AliveRecord).session));
  }

  #mustOwn(hostId: string, key: string, { by, rev }: Commit): void {
    const text = this.#texts.get(`own/${hostId}`);
    const own = text === undefined ? undefined : (JSON.parse(text) as OwnRecord);
    if (by !== undefined && own?.controllerId === by.process.name) {
      if (this.#sessions.get(by.life)?.has(own.session) === true) return;
    }
    // What is left of a host that is no more is nobody's.
    if (!this.#texts.has(`host/${hostId}`)) return;
    const owner = own === undefined ? 'nobody' : `${own.controllerId} (epoch ${own.epoch})`;
    throw new Violation(
      OWNER,
      `${by?.process.name ?? 'a lease'} wrote ${key} at revision ${rev}, and ${hostId} was ${owner}'s`,
    );
  }

  #assigned(key: string, was: string | undefined, text: string | undefined, commit: Commit): void {
    const hostId = key.slice(key.lastIndexOf('/') + 1);
    this.#mustOwn(hostId, key, commit);
    if (was === undefined || text === undefined) return;
    const [before, now] = [JSON.parse(was) as AssignRecord, JSON.parse(text) as AssignRecord];
    const moved = before.workerId !== now.workerId || (before.session !== undefined && before.session !== now.session);
    if (now.epoch < before.epoch || (moved && now.epoch === before.epoch)) {
      throw new Violation('6 another worker has another epoch', `${key} went from ${was} to ${text}`);
    }
  }

  #owned(key: string, was: string | undefined, text: string | undefined, { by, rev }: Commit): void {
    if (was === undefined) return;
    const before = JSON.parse(was) as OwnRecord;
    const now = text === undefined ? undefined : (JSON.parse(text) as OwnRecord);
    if (before.controllerId === now?.controllerId && before.session === now.session) return;
    if (now !== undefined && now.epoch <= before.epoch) {
      throw new Violation(EPOCH, `${key} has epoch ${now.epoch} at revision ${rev}, and had ${before.epoch}`);
    }
    if (before.controllerId !== by?.process.name) this.#mustBeDead(key, before, by);
  }

  #mustBeDead(key: string, before: OwnRecord, by: Commit['by']): void {
    const alive = this.#history.get<AliveRecord>(`alive/controller/${before.controllerId}`);
    const hostGone = this.#history.get(`host/${key.slice('own/'.length)}`) === undefined;
    if (alive?.session === before.session && !hostGone) {
      throw new Violation(
        EPOCH,
        `${by?.process.name ?? 'a lease'} took ${key} from ${before.controllerId}, which lives`,
      );
    }
  }
}
