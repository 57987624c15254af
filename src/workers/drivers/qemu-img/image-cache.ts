import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { humanBytes } from '../../../base/units.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import type { CachedImage, EvictOrder, Evicted } from '../../../ports/image-cache.ts';
import { cachedImages, disksOnImages, type DiskBase } from './cache-parse.ts';
import { isFolderArgv, removeFilesArgv } from './commands.ts';
import type { HostLayout } from './host-layout.ts';
import type { ImagePins } from './image-pins.ts';
import { asksCommand, freeBytes, RESERVE_BYTES, runCommand } from './run-command.ts';

const LOOK_TIMEOUT_MS = 120_000;

/** One line an image: name of its marker, when that was touched last (seconds), and what is in it. */
const LIST = `find "$1" -maxdepth 1 -type f -name '*.json' -printf '%f %T@ ' -exec cat -- {} \\;`;

/** A line with its path before what qemu-img says of each disk, so that one of which it says nothing is noticed. */
const DISKS = `for folder in "$1" "$2"; do
  test -d "$folder" || continue
  find "$folder" -maxdepth 2 -type f '(' -name disk.qcow2 -o -name '*.copy.qcow2' ')' \\
    -printf '\\ndisk %p\\n' -exec qemu-img info -U -f qcow2 --output=json {} \\;
done`;

export interface HostImageCacheParts {
  readonly shell: HostShell;
  readonly at: HostLayout;
  readonly budgetBytes: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly pins: Pick<ImagePins, 'all' | 'isWanted'>;
}

/** The image files of one host: which disks stand on them, and which go when room is needed. */
export class HostImageCache {
  readonly #shell: HostShell;
  readonly #at: HostLayout;
  readonly #budgetBytes: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #pins: Pick<ImagePins, 'all' | 'isWanted'>;
  /** Files that are being removed. */
  readonly #going = new Map<string, Promise<unknown>>();

  /** @param parts.budgetBytes what image files may take together; 0: as much as is free */
  constructor(parts: HostImageCacheParts) {
    this.#shell = parts.shell;
    this.#at = parts.at;
    this.#budgetBytes = parts.budgetBytes;
    this.#clock = parts.clock;
    this.#pins = parts.pins;
  }

  /** Whole ones, the least recently used first; asked of the host, never of memory. */
  async list(): Promise<CachedImage[]> {
    const { imagesDir } = this.#at;
    if (!(await asksCommand(this.#shell, isFolderArgv(imagesDir)))) return [];
    const { stdout } = await this.#sh(LIST, [imagesDir]);
    const images = cachedImages(stdout);
    const disks = images.length === 0 ? [] : await this.disks();
    return images
      .map((image) => ({ ...image, usedBy: usersOf(this.#at.imagePath(image.sha256), disks) }))
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs || (a.sha256 < b.sha256 ? -1 : 1));
  }

  /** Every disk of the host with the file that it stands on. */
  async disks(): Promise<DiskBase[]> {
    const { stdout } = await this.#sh(DISKS, [this.#at.instancesDir, this.#at.capturesDir]);
    return disksOnImages(stdout);
  }

  /**
   * Removes unused images, least recently used first, until so many bytes more fit into the budget and onto the disk. Kernels and ramdisks stay: no disk says who needs
   * them, and they are small. That it was not enough is for the caller to find out. The digests of what went.
   */
  async makeRoom(needBytes: number): Promise<string[]> {
    const free = (await freeBytes(this.#shell, this.#at.imagesDir)) ?? Number.POSITIVE_INFINITY;
    const lacks = (): number => needBytes + RESERVE_BYTES - free;
    if (this.#budgetBytes === 0 && lacks() <= 0) return [];
    const lookedMs = this.#clock.monotonicMs();
    const images = await this.list();
    const taken = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const over = this.#budgetBytes === 0 ? 0 : taken + needBytes - this.#budgetBytes;
    const gone = await this.#removeAll(leastUsed(images, Math.max(over, lacks()), this.#pins.all()), lookedMs);
    return gone.map(({ sha256 }) => sha256);
  }

  /** What would go by the budget alone. */
  async overBudget(): Promise<string[]> {
    if (this.#budgetBytes === 0) return [];
    const images = await this.list();
    const taken = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return leastUsed(images, taken - this.#budgetBytes, this.#pins.all()).map(({ sha256 }) => sha256);
  }

  /** Errors: 'Conflict' when one that was named is in use. */
  async evict(order: EvictOrder): Promise<Evicted> {
    const lookedMs = this.#clock.monotonicMs();
    const images = await this.list();
    const named = order.sha256 === undefined ? images : images.filter(({ sha256 }) => sha256 === order.sha256);
    const pinned = this.#pins.all();
    const users = named.map((image) => ({ image, by: whoUses(image, order, pinned) }));
    const [first] = users.filter(({ by }) => by.length > 0);
    if (first !== undefined && order.sha256 !== undefined) {
      throw new CloudError(
        'Conflict',
        `the image file ${first.image.sha256.slice(0, 12)} (${humanBytes(first.image.sizeBytes)}) on ${this.#shell.name} is in use by ${first.by.join(', ')}`,
        { details: { sha256: first.image.sha256, usedBy: first.by } },
      );
    }
    const free = users.filter(({ by }) => by.length === 0).map(({ image }) => image);
    const gone = await this.#removeAll(free, lookedMs);
    const removedBytes = gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { removed: gone.map(({ sha256 }) => sha256), removedBytes };
  }

  /**
   * False: somebody has asked for it since the disks were looked at, and it stays. Who asks for it from now on waits by `settled`, and so finds it gone. The
   * marker goes first: a file without one is not trusted, should this be cut short.
   */
  async remove(sha256: string, lookedMs: number): Promise<boolean> {
    if (this.#pins.isWanted(sha256, lookedMs)) return false;
    const going = runCommand(this.#shell, removeFilesArgv([this.#at.markerPath(sha256), this.#at.imagePath(sha256)]));
    this.#going.set(sha256, going);
    try {
      await going;
    } finally {
      this.#going.delete(sha256);
    }
    return true;
  }

  /** Until the file is not on its way out. */
  async settled(sha256: string): Promise<void> {
    await this.#going.get(sha256)?.catch(() => undefined);
  }

  async #removeAll(images: readonly CachedImage[], lookedMs: number): Promise<CachedImage[]> {
    const gone: CachedImage[] = [];
    for (const image of images) if (await this.remove(image.sha256, lookedMs)) gone.push(image);
    return gone;
  }

  async #sh(script: string, words: readonly string[]): Promise<{ stdout: string }> {
    return runCommand(this.#shell, ['sh', '-c', script, 'sh', ...words], { timeoutMs: LOOK_TIMEOUT_MS });
  }
}

/** A disk of which nobody can say what it stands on may stand on any. */
function usersOf(path: string, disks: readonly DiskBase[]): string[] {
  return disks.filter(({ base }) => base === undefined || base === path).map(({ name }) => name);
}

function whoUses(image: CachedImage, order: EvictOrder, pinned: ReadonlySet<string>): string[] {
  const known = order.inUse.filter(({ sha256 }) => sha256 === image.sha256).map(({ by }) => by);
  const starting = pinned.has(image.sha256) ? ['an instance that is being started'] : [];
  const unknown = image.kind !== 'machine' && order.unknownGuests ? ['perhaps an instance of no record'] : [];
  return [...new Set([...image.usedBy, ...known, ...starting, ...unknown])];
}

function leastUsed(images: readonly CachedImage[], bytes: number, pinned: ReadonlySet<string>): CachedImage[] {
  const going: CachedImage[] = [];
  let left = bytes;
  for (const image of images) {
    if (left <= 0) break;
    if (image.usedBy.length > 0 || image.kind !== 'machine' || pinned.has(image.sha256)) continue;
    going.push(image);
    left -= image.sizeBytes;
  }
  return going;
}
