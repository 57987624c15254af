import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { type Entry, type Guard, type Txn, type TxnResult } from '../../../ports/store.ts';
import { checkTxn, encodePuts } from '../txn-check.ts';
import { type Claim, Claims } from './claims.ts';
import type { EtcdApi, EtcdCompare, EtcdKeyValue, EtcdOp, EtcdTxn, EtcdTxnAnswer } from './etcd-api.ts';
import { EtcdLease } from './etcd-lease.ts';
import { backoffMs, CALL_MS, PATIENCE_MS, patiently, reasonOf, type TimeAndChance } from './etcd-patience.ts';
import type { KeySpace } from './key-space.ts';
import { readValue } from './list-records.ts';

/** Written to a claim so that no attempt that is still on its way can apply. */
const VOID = '"void"';

/** What has happened to transactions since the start. */
export interface TxnCounts {
  transactions: number;
  conflicts: number;
  /** Attempts after which nobody knew whether they had applied. */
  transportErrors: number;
  /** Transactions with at least one such attempt. */
  unknown: number;
  /** ... of which a later attempt found that the earlier one had applied. */
  resolvedApplied: number;
  /** ... and for which the caller was told that nobody knows. */
  leftUnknown: number;
}

/** How a transaction ended, and what must be in the replica before its caller goes on. */
export interface Ended {
  readonly result: TxnResult;
  readonly rev: number;
  /** Monotonic: the answer that said so was asked for after this. */
  readonly askedMs: number;
}

interface Outcome extends Omit<Ended, 'askedMs'> {
  /** Of the claim's last write, where it is known. */
  readonly claimRev?: number;
}

interface Run {
  readonly txn: Txn;
  readonly values: readonly string[];
  readonly endMs: number;
  claim: Claim | undefined;
  attempts: number;
  /** Attempts that may have applied. */
  unknown: number;
  lastError: unknown;
}

export interface TxnRunnerOptions extends TimeAndChance {
  readonly api: EtcdApi;
  readonly keys: KeySpace;
  readonly logger: Logger;
  /** Told of every answer's alarm for no space. */
  readonly onNoSpace: () => void;
}

/** Brings a transaction through with one effect at most, whatever happens to requests and answers. */
export class TxnRunner {
  readonly counts: TxnCounts = {
    ...{ transactions: 0, conflicts: 0, transportErrors: 0 },
    ...{ unknown: 0, resolvedApplied: 0, leftUnknown: 0 },
  };
  readonly #options: TxnRunnerOptions;
  readonly #claims: Claims;

  constructor(options: TxnRunnerOptions) {
    this.#options = options;
    this.#claims = new Claims(options.api, options.keys, options);
  }

  async run(txn: Txn): Promise<Ended> {
    checkTxn(txn);
    const values = encodePuts(txn);
    checkLeases(txn);
    return this.#through({ ...this.#begin(txn), values });
  }

  /** Changes nothing but the store's revision; answers that. For who must see a change of its own come by. */
  async touch(): Promise<number> {
    const run = this.#begin({});
    run.claim = await this.#take(run);
    return (await this.#through(run)).rev;
  }

  close(): Promise<void> {
    return this.#claims.close();
  }

  #begin(txn: Txn): Run {
    const endMs = this.#options.clock.monotonicMs() + PATIENCE_MS;
    return { txn, values: [], endMs, claim: undefined, attempts: 0, unknown: 0, lastError: undefined };
  }

  async #through(run: Run): Promise<Ended> {
    this.counts.transactions += 1;
    const writes = (run.txn.puts?.length ?? 0) + (run.txn.dels?.length ?? 0) > 0;
    if (writes || run.txn.token !== undefined) run.claim ??= await this.#take(run);
    let claimRev: number | undefined;
    try {
      const ended = await this.#attempts(run);
      claimRev = ended.claimRev;
      if (!ended.result.ok) this.counts.conflicts += 1;
      return ended;
    } catch (error) {
      if (hadNoEffect(run, error)) claimRev = run.claim?.expected;
      throw error;
    } finally {
      run.claim?.done(claimRev);
    }
  }

  async #attempts(run: Run): Promise<Ended & Outcome> {
    const { api, clock, random } = this.#options;
    for (;;) {
      const askedMs = clock.monotonicMs();
      // Its time went by in the queue: nothing of it was sent, which a hasty attempt would make unknown.
      if (run.attempts === 0 && askedMs >= run.endMs) throw this.#givenUp(run);
      run.attempts += 1;
      try {
        const timeoutMs = Math.max(1, Math.min(CALL_MS, run.endMs - askedMs));
        const answer = await api.txn(this.#request(run), { timeoutMs });
        const ended = await this.#judge(run, answer);
        if (ended !== undefined) return { ...ended, askedMs };
        continue;
      } catch (error) {
        const known = await this.#failed(run, error);
        if (known !== undefined) return { ...known, askedMs };
      }
      const waitMs = backoffMs(run.attempts - 1, random);
      if (clock.monotonicMs() + waitMs >= run.endMs) throw this.#givenUp(run);
      await clock.sleep(waitMs);
    }
  }

  /** Before anything is sent, so that an error here means that nothing was changed. */
  async #take(run: Run): Promise<Claim> {
    try {
      return await this.#claims.take(run.txn.token);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'noSpace') this.#options.onNoSpace();
      if (!isCode(error, 'Unavailable') || reason === 'noSpace' || reason === 'denied') throw error;
      run.lastError = error;
      throw this.#givenUp(run);
    }
  }

  #request({ txn, values, claim }: Run): EtcdTxn {
    const { keys } = this.#options;
    const { guards = [], puts = [], dels = [] } = txn;
    const writes: EtcdOp[] = puts.map(({ key, lease }, index) => ({
      ...{ kind: 'put' as const, key: keys.record(key), value: values[index] ?? 'null' },
      ...(lease === undefined ? {} : { lease: lease.id }),
    }));
    const looks = new Set(guards.map(({ key }) => keys.record(key)));
    if (claim !== undefined) writes.push({ kind: 'put', key: claim.key, value: claim.value, lease: claim.lease });
    return {
      compare: [
        ...(claim === undefined ? [] : [{ key: claim.key, modRevision: claim.expected }]),
        ...guards.map((guard) => compareOf(guard, keys)),
      ],
      success: [...writes, ...dels.map((key) => ({ kind: 'delete' as const, key: keys.record(key) }))],
      failure: [...(claim === undefined ? [] : [claim.key]), ...looks].map((key) => ({ kind: 'range' as const, key })),
    };
  }

  /** Undefined: try again at once, with what is known now. */
  async #judge(run: Run, answer: EtcdTxnAnswer): Promise<Outcome | undefined> {
    const { revision } = answer.header;
    if (answer.succeeded) return { result: { ok: true, rev: revision }, rev: revision, claimRev: revision };
    const { claim } = run;
    if (claim === undefined) return this.#conflict(answer.ranges, revision);
    const byClaim = await this.#byClaim(run, claim, answer.ranges[0]?.[0]);
    return byClaim === 'conflict'
      ? { ...this.#conflict(answer.ranges.slice(1), revision), claimRev: claim.expected }
      : byClaim;
  }

  /** What the claim's key says of a transaction whose conditions did not hold. */
  async #byClaim(run: Run, claim: Claim, kv: EtcdKeyValue | undefined): Promise<Outcome | 'conflict' | undefined> {
    if (kv?.value === claim.value) return this.#applied(run, kv);
    const rev = kv?.modRevision ?? 0;
    if (rev === claim.expected) return run.unknown > 0 ? this.#burn(run, claim) : 'conflict';
    if (claim.shared) {
      claim.expected = rev;
      return undefined;
    }
    // A slot that is not as this process left it: its lease is over.
    if (run.unknown > 0) throw this.#givenUp(run);
    return this.#otherClaim(run, claim);
  }

  #conflict(found: readonly (readonly EtcdKeyValue[])[], revision: number): Outcome {
    const current = this.#entries(found.flat());
    const revs = [...current.values()].map(({ rev }) => rev);
    // Where a guarded key is absent, its deletion may be what the caller has not seen.
    const rev = Math.max(0, ...revs, current.size < found.length ? revision : 0);
    return { result: { ok: false, current }, rev };
  }

  #applied(run: Run, kv: EtcdKeyValue): Outcome {
    if (run.unknown > 0) this.counts.resolvedApplied += 1;
    const rev = kv.modRevision;
    return { result: { ok: true, rev }, rev, claimRev: rev };
  }

  /** Nothing was sent that could apply: the same with another claim. */
  async #otherClaim(run: Run, claim: Claim): Promise<undefined> {
    claim.leaseIsGone();
    run.claim = undefined;
    claim.done();
    run.claim = await this.#take(run);
    return undefined;
  }

  /**
   * Before a conflict is told of a transaction with attempts that nobody knows about: they may still lie in a queue and apply later, when the guards
   * hold again. Writing the claim's key keeps them from that. Answers when one of them has applied after all.
   */
  async #burn(run: Run, claim: Claim): Promise<Outcome | 'conflict'> {
    const { api } = this.#options;
    const compare = [{ key: claim.key, modRevision: claim.expected }];
    const success = [{ kind: 'put' as const, key: claim.key, value: VOID, lease: claim.lease }];
    const failure = [{ kind: 'range' as const, key: claim.key }];
    let answer: EtcdTxnAnswer;
    try {
      answer = await patiently(this.#options, (timeoutMs) => api.txn({ compare, success, failure }, { timeoutMs }));
    } catch (error) {
      run.lastError = error;
      throw this.#givenUp(run);
    }
    const kv = answer.ranges[0]?.[0];
    if (!answer.succeeded && kv?.value === claim.value) return this.#applied(run, kv);
    // A slot holds what this process wrote there; without it its lease is over, and with it what it could tell.
    if (!answer.succeeded && !claim.shared && kv?.value !== VOID) throw this.#givenUp(run);
    claim.expected = answer.succeeded ? answer.header.revision : (kv?.modRevision ?? 0);
    return 'conflict';
  }

  #entries(kvs: readonly EtcdKeyValue[]): Map<string, Entry> {
    const current = new Map<string, Entry>();
    for (const kv of kvs) {
      const key = this.#options.keys.recordKey(kv.key);
      const value = readValue(kv, this.#options.logger);
      if (key !== undefined && value !== undefined) current.set(key, { key, value, rev: kv.modRevision });
    }
    return current;
  }

  /** After an attempt that failed: returns to try it again, throws when that has no use, answers when it turns out to have applied. */
  async #failed(run: Run, error: unknown): Promise<Outcome | undefined> {
    if (!isCode(error, 'Unavailable') || isGivenUp(error)) throw error;
    run.lastError = error;
    switch (reasonOf(error)) {
      case 'noSpace':
        this.#options.onNoSpace();
        return this.#noSpace(run, error);
      case 'leaseGone':
        return this.#leaseGone(run, error);
      case 'denied':
        throw run.unknown > 0 ? this.#givenUp(run) : error;
      default:
        this.counts.transportErrors += 1;
        if (run.unknown === 0) this.counts.unknown += 1;
        run.unknown += 1;
        return undefined;
    }
  }

  /** The write that fills etcd's quota is applied and answered with this error all the same, so the claim is looked at. */
  async #noSpace(run: Run, error: unknown): Promise<Outcome | undefined> {
    const { api } = this.#options;
    const { claim } = run;
    if (claim === undefined) throw error;
    try {
      const { kvs } = await api.range({ key: claim.key }, { timeoutMs: CALL_MS });
      const kv = kvs[0];
      if (kv?.value === claim.value) return this.#applied(run, kv);
    } catch (failure) {
      run.lastError = failure;
      run.unknown += 1;
    }
    throw run.unknown > 0 ? this.#givenUp(run) : error;
  }

  /** Of our own claim: take another. Of the caller's lease: he is told. */
  async #leaseGone(run: Run, error: unknown): Promise<undefined> {
    if (run.unknown > 0) throw this.#givenUp(run);
    const { claim } = run;
    const { api } = this.#options;
    const leases = new Set((run.txn.puts ?? []).map(({ lease }) => lease).filter((lease) => lease !== undefined));
    for (const lease of leases) {
      const { ttlS } = await api.leaseKeepAlive(lease.id, { timeoutMs: CALL_MS });
      if (ttlS > 0) continue;
      if (lease instanceof EtcdLease) lease.isGone();
      throw error;
    }
    if (claim === undefined) throw error;
    return this.#otherClaim(run, claim);
  }

  #givenUp(run: Run): CloudError {
    const known = run.unknown === 0;
    if (!known) this.counts.leftUnknown += 1;
    const said = run.lastError === undefined ? 'others are before it' : errorText(run.lastError);
    return new CloudError(
      'Unavailable',
      known
        ? `etcd can't be reached (${said}); nothing was changed, try again`
        : `etcd did not answer in time (${said}); whether the change was made is unknown: look before it is made again`,
      {
        details: { reason: 'gaveUp', outcome: known ? 'none' : 'unknown', attempts: run.attempts },
        cause: run.lastError,
      },
    );
  }
}

/** Nothing of it was sent, or all was refused: the claim's key is as it was. */
function hadNoEffect({ attempts, unknown }: Run, error: unknown): boolean {
  return unknown === 0 && (attempts === 0 || isCode(error, 'InvalidParameterValue'));
}

function isGivenUp(error: CloudError): boolean {
  return error.details?.['reason'] === 'gaveUp';
}

function compareOf(guard: Guard, keys: KeySpace): EtcdCompare {
  const key = keys.record(guard.key);
  if ('rev' in guard) return { key, modRevision: guard.rev };
  return 'absent' in guard ? { key, modRevision: 0 } : { key, exists: true };
}

function checkLeases({ puts = [] }: Txn): void {
  for (const { key, lease } of puts) {
    if (lease === undefined || (lease instanceof EtcdLease && !lease.over)) continue;
    throw new CloudError('Unavailable', `the lease of ${key} is over; take a new one`, {
      details: { reason: 'leaseGone', key },
    });
  }
}
