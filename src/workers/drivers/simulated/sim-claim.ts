import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import type { ClaimRecord, ClaimTaken, ClaimWish, HostClaim, LedgerEntry } from '../../../ports/host-claim.ts';
import type { SimCalls, SimSession } from './sim-calls.ts';

/** What a simulated host keeps of who owns it: on its disk, so it outlives every process of the cloud and the host's own power. */
export class SimClaim {
  holder: ClaimRecord | undefined;
  readonly ledger = new Map<string, LedgerEntry>();

  /** What stands there instead of the session's own claim, or nothing (''). Undefined: its own, or it never took one (a probe). */
  heldInstead({ owner }: SimSession): string | undefined {
    const { holder } = this;
    if (owner === undefined) return undefined;
    if (holder?.epoch === owner.epoch && holder.session === owner.session) return undefined;
    return holder === undefined ? '' : JSON.stringify(holder);
  }

  /** The same judgement as the script on a real host. */
  take(name: string, wish: ClaimWish, atMs: number): ClaimTaken {
    const { holder } = this;
    const { replaces, ...rest } = wish;
    const details = { ...holder };
    if (holder !== undefined && (holder.cloudId !== wish.cloudId || ![wish.hostId, replaces].includes(holder.hostId))) {
      const message = `${name} belongs to cloud ${holder.cloudId}, as host ${holder.hostId}`;
      throw new CloudError('InvalidHost.Duplicate', message, { details });
    }
    if (holder?.hostId === wish.hostId && isLater(holder, wish)) {
      throw new CloudError('StaleEpoch', `${name} has a later owner than epoch ${wish.epoch}`, { details });
    }
    this.holder = { v: 1, ...rest, atMs };
    const before = holder === undefined ? {} : { before: holder };
    return { ...before, endedCommands: 0, endedConnections: 0, ledger: [...this.ledger.values()] };
  }

  release(): void {
    this.holder = undefined;
    this.ledger.clear();
  }
}

function isLater(holder: ClaimRecord, wish: ClaimWish): boolean {
  return holder.epoch > wish.epoch || (holder.epoch === wish.epoch && holder.session !== wish.session);
}

export function simulatedClaim(
  host: { readonly name: string; readonly calls: SimCalls; readonly claim: SimClaim },
  session: SimSession,
  clock: Clock,
): HostClaim {
  const { calls, claim } = host;
  return {
    read: () => calls.run(session, 'readClaim', () => claim.holder),
    take: (wish) =>
      calls.run(session, 'takeClaim', () => {
        const taken = claim.take(host.name, wish, clock.nowMs());
        session.owner = { epoch: wish.epoch, session: wish.session };
        return taken;
      }),
    record: (entries, forget) =>
      calls.run(session, 'record', () => {
        for (const entry of entries) claim.ledger.set(entry.instanceId, entry);
        for (const instanceId of forget) claim.ledger.delete(instanceId);
      }),
    release: () => calls.run(session, 'releaseClaim', () => claim.release()),
  };
}
