import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { humanBytes, MIB } from '../../base/units.ts';
import type { Txn } from '../../ports/store.ts';
import type { FilePort } from './file-port.ts';

export interface SpaceOptions {
  readonly dir: string;
  readonly files: FilePort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Below this, transactions that grow the state are refused. Default 256 MiB. */
  readonly softFreeBytes?: number;
  /** Below this all are refused, so that the journal never meets a full disk in the middle of a record. Default 32 MiB. */
  readonly hardFreeBytes?: number;
  /**
   * New keys under these prefixes are not growth: an operation or audit record goes with every change, also with the one that
   * gives something back. Default: none.
   */
  readonly bookkeepingPrefixes?: readonly string[];
  /** How often the file system is asked. Default 1000. */
  readonly spaceCheckMs?: number;
}

/**
 * Keeps the disk from filling. Two marks, because a full cloud must still be able to shrink: between them a transaction is taken if it
 * deletes a key, or makes no new one besides bookkeeping (a terminate marks its instance, a release deletes its address).
 */
export class SpaceGuard {
  readonly #options: SpaceOptions;
  readonly #softBytes: number;
  readonly #hardBytes: number;
  #freeBytes = Infinity;
  #timer: Timer | undefined;
  #wasLow = false;

  constructor(options: SpaceOptions) {
    this.#options = options;
    this.#softBytes = options.softFreeBytes ?? 256 * MIB;
    this.#hardBytes = options.hardFreeBytes ?? 32 * MIB;
  }

  async start(): Promise<void> {
    await this.check();
    this.#timer = this.#options.clock.every(this.#options.spaceCheckMs ?? 1000, () => void this.check(), {
      unref: true,
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Asks the file system now. */
  async check(): Promise<void> {
    const { dir, files, logger } = this.#options;
    try {
      this.#freeBytes = await files.freeBytes(dir);
    } catch (error) {
      logger.warn('free space cannot be read; going on with what it was', { dir, error: errorText(error) });
      return;
    }
    const low = this.#freeBytes < this.#softBytes;
    if (low !== this.#wasLow)
      logger.warn(low ? 'the disk of the store is nearly full' : 'the disk of the store has room again', {
        dir,
        freeBytes: this.#freeBytes,
      });
    this.#wasLow = low;
  }

  /** Counts bytes that go to the disk before the next check. */
  wrote(bytes: number): void {
    this.#freeBytes -= bytes;
  }

  /** Throws Unavailable when writing so many bytes, which can wait, would use up what the journal needs. */
  admitBulk(bytes: number): void {
    if (this.#freeBytes - bytes < this.#hardBytes) throw new CloudError('Unavailable', this.#text(this.#hardBytes));
    this.wrote(bytes);
  }

  /** Throws Unavailable when there is no room for the transaction. */
  admit(txn: Txn, isNew: (key: string) => boolean): void {
    if (this.#freeBytes >= this.#softBytes) return;
    if (this.#freeBytes < this.#hardBytes) throw new CloudError('Unavailable', this.#text(this.#hardBytes));
    if ((txn.dels?.length ?? 0) > 0) return;
    const bookkeeping = this.#options.bookkeepingPrefixes ?? [];
    const grows =
      txn.puts?.some(({ key }) => !bookkeeping.some((prefix) => key.startsWith(prefix)) && isNew(key)) ?? false;
    if (grows) throw new CloudError('Unavailable', this.#text(this.#softBytes));
  }

  /** What health reports. */
  problem(): string | undefined {
    return this.#freeBytes < this.#softBytes ? this.#text(this.#softBytes) : undefined;
  }

  #text(neededBytes: number): string {
    const free = humanBytes(Math.max(0, this.#freeBytes));
    const what = neededBytes === this.#hardBytes ? 'any change' : 'new records';
    return `the disk of ${this.#options.dir} has ${free} free and ${what} need ${humanBytes(neededBytes)}: make room there; changes that release resources are still taken above ${humanBytes(this.#hardBytes)}`;
  }
}
