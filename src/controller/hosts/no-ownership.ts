import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AliveRecord, OwnRecord } from '../../domain/records.ts';
import type { Entry, Replica } from '../../ports/store.ts';
import type { Ownership } from './ownership.ts';
import { isOfProcess } from './ownership.ts';

/** In a process without the controller role: it reconciles nothing, and sees in its replica who does. */
export class NoOwnership implements Ownership {
  readonly controllerId: string;
  readonly count = 0;
  readonly #replica: Pick<Replica, 'get' | 'range'>;

  constructor(processName: string, replica: Pick<Replica, 'get' | 'range'>) {
    this.controllerId = processName;
    this.#replica = replica;
  }

  owns(): boolean {
    return false;
  }

  guard(): void {
    throw this.#refusal();
  }

  ownerOf(hostId: string): string | undefined {
    return this.#replica.get<OwnRecord>(KEYS.own(hostId))?.value.controllerId;
  }

  controllers(): readonly string[] {
    return this.#alive().map(({ key }) => key.slice(PREFIX.aliveControllers.length));
  }

  livesProcess(processSession: string): boolean {
    return this.#alive().some(({ value }) => isOfProcess(value.session, processSession));
  }

  claim(): Promise<void> {
    return Promise.reject(this.#refusal());
  }

  onGained(): void {
    // It never gains one.
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #alive(): Entry<AliveRecord>[] {
    return this.#replica.range<AliveRecord>(PREFIX.aliveControllers);
  }

  #refusal(): CloudError {
    return new CloudError(
      'NotOwner',
      `${this.controllerId} has not the controller role, so it owns no host; ask another`,
    );
  }
}
