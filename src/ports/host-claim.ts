/** What stands in `claim.json` on a host: who may change it. */
export interface ClaimRecord {
  readonly v: 1;
  /** Raised with every new owner. */
  readonly epoch: number;
  /** Of the worker; the same epoch never has two. */
  readonly session: string;
  readonly cloudId: string;
  readonly hostId: string;
  readonly workerId: string;
  /** Wall clock of the worker. */
  readonly atMs: number;
}

export interface ClaimWish extends Omit<ClaimRecord, 'v' | 'atMs'> {
  /** A host record of the same cloud that is no more: its claim may be taken over. */
  readonly replaces?: string;
}

/** What a claim found and ended. */
export interface ClaimTaken {
  readonly before?: ClaimRecord;
  /** Commands of earlier sessions that were still running. */
  readonly endedCommands: number;
  /** SSH sessions of earlier owners that were still open. */
  readonly endedConnections: number;
  /** All that the host's ledger holds. */
  readonly ledger: readonly LedgerEntry[];
}

/**
 * The last command of one instance on its host. `begun`: its effect may have happened, and must not happen twice; `done`: it has ended, `outcome` is
 * what was or will be reported.
 */
export interface LedgerEntry {
  readonly v: 1;
  readonly instanceId: string;
  readonly commandId: string;
  readonly generation: number;
  readonly verb: string;
  readonly state: 'begun' | 'done';
  /** How far it came with what must not happen twice; absent: it did nothing of the kind. */
  readonly step?: string;
  readonly atMs: number;
  readonly outcome?: object;
}

/**
 * A host's own record of who may change it, and of what was done. Kept on the host, so that it holds whatever became of the owner before.
 */
export interface HostClaim {
  /** Undefined: nobody has claimed it. Changes nothing. */
  read(): Promise<ClaimRecord | undefined>;
  /**
   * Makes the host ours: writes the claim, ends what earlier sessions left running there, and resolves when no command of theirs runs or can start any
   * more. From then on all that the drivers change is refused by the host ('StaleEpoch') as soon as somebody else has claimed it. The same wish again
   * changes nothing.
   * Errors: 'StaleEpoch' (a later epoch, or this one by another session; details are the claim), 'InvalidHost.Duplicate' (another cloud's, or another host
   * record's; details are the claim), 'CorruptState' (the claim can't be read), 'HostError' and 'LockBusy' (a command does not die, somebody else claims
   * now), and those of HostShell.
   */
  take(wish: ClaimWish): Promise<ClaimTaken>;
  /** Puts entries in the place of what the ledger holds for their instances, and forgets others, durably. 'StaleEpoch' as above. */
  record(entries: readonly LedgerEntry[], forget: readonly string[]): Promise<void>;
  /** Nobody's any more; the ledger goes with it. 'StaleEpoch' when it is not ours now. */
  release(): Promise<void>;
}
