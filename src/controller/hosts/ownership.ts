import type { Draft } from '../state/draft.ts';

/**
 * Which hosts this controller reconciles. `owns` is for deciding what to begin; `guard` is what makes it hold: a transaction that is made for a host
 * is refused once another controller has the host, however long this process was paused in between.
 */
export interface Ownership {
  /** Of this process among the cloud's. */
  readonly controllerId: string;
  owns(hostId: string): boolean;
  /** Makes the transaction depend on the host being ours. Errors: CloudError 'NotOwner' (code in the table: retryable). */
  guard(draft: Draft, hostId: string): void;
  /** The controller that has the host, as far as this process knows; undefined: none. For whom to hand an outcome. */
  ownerOf(hostId: string): string | undefined;
  /** The controllers that live, this one among them, by name. Who comes first does what only one need do. */
  controllers(): readonly string[];
  /** A controller lives that was begun with this session (of its process). */
  livesProcess(processSession: string): boolean;
  /** Resolves when somebody has the host, as far as that can be had now: takes it when it is to be ours; what another has stays with it. */
  claim(hostId: string): Promise<void>;
  /** How many hosts are ours. */
  readonly count: number;
  /** Called with a host that has just become ours. */
  onGained(listener: (hostId: string) => void): void;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A process gets a new session with each lease: the first is its own, later ones begin with it. */
export function isOfProcess(session: string, processSession: string): boolean {
  return session === processSession || session.startsWith(`${processSession}.`);
}

/** One controller has the whole store to itself: the state lock is the ownership. */
export class SoleOwnership implements Ownership {
  readonly controllerId: string;
  readonly #count: () => number;

  constructor(controllerId: string, count: () => number) {
    this.controllerId = controllerId;
    this.#count = count;
  }

  get count(): number {
    return this.#count();
  }

  owns(): boolean {
    return true;
  }

  guard(): void {
    // Nobody else can write.
  }

  ownerOf(): string {
    return this.controllerId;
  }

  controllers(): readonly string[] {
    return [this.controllerId];
  }

  livesProcess(): boolean {
    return false;
  }

  claim(): Promise<void> {
    return Promise.resolve();
  }

  onGained(): void {
    // All are ours from the start.
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
