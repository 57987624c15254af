import path from 'node:path';
import type { FilePort, PortFile } from '../../src/adapters/store/file-port.ts';
import { type Random, randomBelow } from '../../src/base/random.ts';

const SECTOR = 512;

interface Inode {
  /** What a reader sees: the page cache. */
  data: Buffer;
  /** What the platters hold. */
  durable: Buffer;
  /** Sectors of `data` that no sync has carried over. */
  dirty: Set<number>;
}

type DirOp = (names: Map<string, Inode>) => void;

/** Thrown by every operation from the cut on: the process is dead. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

export interface SimDiskOptions {
  readonly random: Random;
  /** The step (1, 2, ...) at which the power goes, half-way through it. Default: never. */
  readonly cutAt?: number;
}

/**
 * A file system that loses what was not synced: bytes without datasync survive a power cut sector by sector, by chance, and each
 * name made, replaced or removed without syncDir likewise. It counts its steps, so that a test can cut the power at each. One flat folder.
 */
export class SimDisk implements FilePort {
  readonly #random: Random;
  readonly #cutAt: number;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #dirOps: DirOp[] = [];
  #steps = 0;
  #freeBytes = Number.MAX_SAFE_INTEGER;
  /** Set to make an operation slow or fail: called before it, with its name and the file. */
  before: ((operation: string, file: string) => Promise<void> | void) | undefined;

  constructor({ random, cutAt }: SimDiskOptions) {
    this.#random = random;
    this.#cutAt = cutAt ?? Infinity;
  }

  get steps(): number {
    return this.#steps;
  }

  /** The disk after the power came back. */
  afterPowerCut(options: SimDiskOptions): SimDisk {
    const next = new SimDisk(options);
    const names = new Map(this.#durableNames);
    for (const op of this.#dirOps) if (options.random.unit() < 0.5) op(names);
    for (const [name, inode] of names) {
      const data = survivors(inode, options.random);
      next.#put(name, data);
    }
    return next;
  }

  /** The disk as the next process finds it when only this one died. */
  afterKill(options: SimDiskOptions): SimDisk {
    const next = new SimDisk(options);
    next.#names = this.#names;
    next.#durableNames = this.#durableNames;
    next.#dirOps = this.#dirOps;
    return next;
  }

  /** The files as a reader sees them now, on another disk. */
  copy(options: SimDiskOptions): SimDisk {
    const next = new SimDisk(options);
    for (const [name, inode] of this.#names) next.#put(name, Buffer.from(inode.data));
    return next;
  }

  setFreeBytes(bytes: number): void {
    this.#freeBytes = bytes;
  }

  /** Reads and changes a file behind everybody's back. */
  damage(name: string, change: (data: Buffer) => Buffer): void {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new Error(`no file ${name}; there are ${[...this.#names.keys()].join(', ')}`);
    this.#put(name, change(Buffer.from(inode.data)));
  }

  async makeDir(): Promise<void> {
    await this.#reads('makeDir', '');
  }

  async list(): Promise<string[]> {
    await this.#reads('list', '');
    return [...this.#names.keys()].reverse();
  }

  async read(file: string): Promise<Buffer | undefined> {
    await this.#reads('read', file);
    const inode = this.#names.get(path.basename(file));
    return inode === undefined ? undefined : Buffer.from(inode.data);
  }

  async open(file: string, { truncate }: { truncate: boolean }): Promise<PortFile> {
    await this.#step('open', file);
    const name = path.basename(file);
    let inode = this.#names.get(name);
    if (inode === undefined) {
      const fresh: Inode = { data: Buffer.alloc(0), durable: Buffer.alloc(0), dirty: new Set() };
      inode = fresh;
      this.#dir((names) => names.set(name, fresh));
    } else if (truncate) {
      inode.data = Buffer.alloc(0);
      inode.dirty.clear();
    }
    return this.#file(file, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step('rename', from);
    const [source, target] = [path.basename(from), path.basename(to)];
    const inode = this.#names.get(source);
    if (inode === undefined) throw Object.assign(new Error(`ENOENT: ${source}`), { code: 'ENOENT' });
    this.#dir((names) => {
      names.delete(source);
      names.set(target, inode);
    });
  }

  async remove(file: string): Promise<void> {
    await this.#step('remove', file);
    const name = path.basename(file);
    if (this.#names.has(name)) this.#dir((names) => names.delete(name));
  }

  async syncDir(dir: string): Promise<void> {
    await this.#step('syncDir', dir);
    for (const op of this.#dirOps.splice(0)) op(this.#durableNames);
  }

  async freeBytes(): Promise<number> {
    await this.#reads('freeBytes', '');
    return this.#freeBytes;
  }

  async lock(): Promise<{ release(): void }> {
    return { release: () => undefined };
  }

  #put(name: string, data: Buffer): void {
    const inode: Inode = { data, durable: Buffer.from(data), dirty: new Set() };
    this.#names.set(name, inode);
    this.#durableNames.set(name, inode);
  }

  #dir(op: DirOp): void {
    op(this.#names);
    this.#dirOps.push(op);
  }

  async #reads(operation: string, file: string): Promise<void> {
    if (this.#steps >= this.#cutAt) throw new PowerCut();
    await this.before?.(operation, file);
  }

  async #step(operation: string, file: string): Promise<void> {
    if (this.#steps >= this.#cutAt) throw new PowerCut();
    await this.before?.(operation, file);
    this.#steps += 1;
    // Half-way through: by chance the step itself was carried out, but nobody hears of it.
    if (this.#steps === this.#cutAt && this.#random.unit() < 0.5) throw new PowerCut();
  }

  #file(file: string, inode: Inode): PortFile {
    const cut = (): void => {
      if (this.#steps >= this.#cutAt) throw new PowerCut();
    };
    return {
      write: async (data, position) => {
        await this.#step('write', file);
        const length = this.#steps === this.#cutAt ? randomBelow(this.#random, data.length + 1) : data.length;
        const end = Math.max(inode.data.length, position + length);
        const grown = Buffer.alloc(end);
        inode.data.copy(grown);
        Buffer.from(data).copy(grown, position, 0, length);
        inode.data = grown;
        for (let at = position - (position % SECTOR); at < position + length; at += SECTOR) inode.dirty.add(at);
        cut();
      },
      datasync: async () => {
        try {
          await this.#step('datasync', file);
        } catch (error) {
          // As Linux does after a failed writeback: the pages count as clean, and no later sync writes them.
          if (!(error instanceof PowerCut)) inode.dirty.clear();
          throw error;
        }
        sync(inode);
        cut();
      },
      truncate: async (bytes) => {
        await this.#step('truncate', file);
        inode.data = Buffer.from(inode.data.subarray(0, bytes));
        for (const at of inode.dirty) if (at >= bytes) inode.dirty.delete(at);
        cut();
      },
      close: async () => this.#reads('close', file),
    };
  }
}

function sync(inode: Inode): void {
  const next = Buffer.alloc(inode.data.length);
  inode.durable.copy(next);
  for (const at of inode.dirty) inode.data.copy(next, at, at, Math.min(at + SECTOR, inode.data.length));
  inode.durable = next;
  inode.dirty.clear();
}

/** Durable bytes, with some of the sectors that were on their way, and one of the two lengths. */
function survivors(inode: Inode, random: Random): Buffer {
  const length = random.unit() < 0.5 ? inode.durable.length : inode.data.length;
  const out = Buffer.alloc(length);
  inode.durable.copy(out);
  for (const at of inode.dirty) {
    if (random.unit() < 0.5) inode.data.copy(out, at, at, Math.min(at + SECTOR, inode.data.length));
  }
  return out;
}
