import { createReadStream } from 'node:fs';
import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errnoOf } from '../../base/errors.ts';
import { randomHex, type Random } from '../../base/random.ts';
import { humanBytes, MIB } from '../../base/units.ts';
import { inspectImage, requireImageKind, type ImageFacts } from '../../domain/image-format.ts';
import { badImage } from '../../domain/qcow2-header.ts';
import { isVmdk, parseVmdk } from '../../domain/vmdk-header.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { BuildOrder, BuiltImage, ImageWorkshop } from '../../ports/image-workshop.ts';
import { type Bench, checkQcow2, convertVmdk, hasQemuImg, RESULT, SOURCE } from './qemu-img.ts';
import { NOBODY } from './run-tool.ts';
import { checkGrains } from './vmdk-grains.ts';
import { type Ends, readEnds, requireRoom, roomIn, takeIn } from './source-file.ts';

export interface WorkshopOptions {
  /** `<state>/imports`: of this process alone. */
  readonly dir: string;
  readonly blobs: Pick<Blobs, 'put' | 'delete'>;
  readonly clock: Clock;
  readonly random: Random;
}

const IMAGE_ID = /^[a-z]{3}-[0-9a-f]{1,32}$/;
/** What a file may have beside the disk in it: tables. */
const overhead = (virtualBytes: number): number => Math.ceil(virtualBytes / 8) + 64 * MIB;
const BLOB_DIGITS = 17;

interface Work {
  readonly folder: string;
  readonly order: BuildOrder;
}

/** What came out of a source, whatever it was: a file in the folder that may be stored. */
interface Made {
  readonly file: string;
  readonly facts: ImageFacts;
  readonly notes: readonly string[];
}

class Workshop implements ImageWorkshop {
  readonly #options: WorkshopOptions;

  constructor(options: WorkshopOptions) {
    this.#options = options;
  }

  async build(source: Readable, order: BuildOrder): Promise<BuiltImage> {
    // An error that comes before somebody reads must not end the process.
    source.on('error', () => undefined);
    try {
      return await this.#build(source, order);
    } finally {
      source.destroy();
    }
  }

  async #build(source: Readable, order: BuildOrder): Promise<BuiltImage> {
    order.signal.throwIfAborted();
    if (!IMAGE_ID.test(order.imageId)) throw new CloudError('InternalError', `no image id: ${order.imageId}`);
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
    const folder = join(this.#options.dir, `${order.imageId}-${randomHex(this.#options.random, 12)}`);
    await mkdir(folder, { mode: 0o700 });
    try {
      const made = await this.#make(source, { folder, order });
      return await this.#store(made, { folder, order });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #make(source: Readable, { folder, order }: Work): Promise<Made> {
    const { maxVirtualBytes, sizeBytes, signal, kind, onProgress } = order;
    const path = join(folder, SOURCE);
    const maxBytes = maxVirtualBytes + overhead(maxVirtualBytes);
    await takeIn(source, path, {
      ...{ folder, sizeBytes, maxBytes, signal },
      onBytes: (done) => onProgress?.('reading', done, sizeBytes),
    });
    const ends = await readEnds(path);
    if (isVmdk(ends.head)) {
      if (kind !== 'machine') throw badImage(`the image is a VMDK disk and not a ${kind}: import it as what it is`);
      return this.#convert({ folder, order }, ends);
    }
    const facts = inspectImage(ends.head, ends.sizeBytes, ends.tail);
    requireImageKind(facts, kind);
    requireSize(facts.virtualSizeBytes, maxVirtualBytes);
    if (facts.format !== 'qcow2') return { file: SOURCE, facts, notes: [] };
    onProgress?.('checking', 0);
    const notes = (await hasQemuImg())
      ? await this.#onBench({ folder, order }, facts.virtualSizeBytes, checkQcow2)
      : ['only its header was looked at: qemu-img is not installed on the controller'];
    return { file: SOURCE, facts, notes };
  }

  async #convert({ folder, order }: Work, { head, tail, sizeBytes }: Ends): Promise<Made> {
    const vmdk = parseVmdk(head, sizeBytes, tail);
    const { virtualSizeBytes, createType } = vmdk;
    requireSize(virtualSizeBytes, order.maxVirtualBytes);
    await checkGrains(join(folder, SOURCE), vmdk, order.signal);
    await requireRoom(folder, sizeBytes);
    const onProgress = (part: number): void =>
      order.onProgress?.('converting', Math.floor(virtualSizeBytes * part), virtualSizeBytes);
    onProgress(0);
    await this.#onBench({ folder, order }, virtualSizeBytes, (bench) => convertVmdk(bench, onProgress));
    const ends = await readEnds(join(folder, RESULT));
    const facts = inspectImage(ends.head, ends.sizeBytes, ends.tail);
    if (facts.format !== 'qcow2' || facts.virtualSizeBytes !== virtualSizeBytes)
      throw badImage('the VMDK image was converted to something else than its header says');
    return { file: RESULT, facts, notes: [`converted from vmdk (${createType})`] };
  }

  /** What qemu-img may reach: the folder, but only to look at it and the source in it; and the result, which is there already, to write it. */
  async #onBench<T>({ folder, order }: Work, virtualSizeBytes: number, work: (bench: Bench) => Promise<T>): Promise<T> {
    const { signal } = order;
    await writeFile(join(folder, RESULT), '', { flag: 'wx', mode: 0o600 });
    if (process.getuid?.() === 0) {
      await chown(join(folder, RESULT), NOBODY, NOBODY);
      await chmod(join(folder, SOURCE), 0o444);
      // No one else comes here: the folder that it lies in is closed.
      await chmod(folder, 0o711);
    }
    const maxBytes = virtualSizeBytes + overhead(virtualSizeBytes);
    // A small source may unpack to whatever it says. Half of the room: what comes out is stored once more, and another one may be at it too.
    const roomBytes = Math.floor((await roomIn(folder)) / 2);
    return work({ cwd: folder, virtualSizeBytes, maxBytes, roomBytes, signal, clock: this.#options.clock });
  }

  async #store({ file, facts, notes }: Made, { folder, order }: Work): Promise<BuiltImage> {
    const { signal, onProgress } = order;
    const path = join(folder, file);
    const { size } = await stat(path);
    const key = `upload/blob-${randomHex(this.#options.random, BLOB_DIGITS)}`;
    async function* counted(): AsyncGenerator<Uint8Array> {
      let done = 0;
      for await (const chunk of createReadStream(path, { signal })) {
        const bytes = chunk as Uint8Array;
        yield bytes;
        done += bytes.length;
        onProgress?.('storing', done, size);
      }
    }
    try {
      signal.throwIfAborted();
      const blob = await this.#options.blobs.put(key, Readable.from(counted(), { objectMode: false }));
      signal.throwIfAborted();
      return { blob, facts, notes: [...facts.notes, ...notes] };
    } catch (error) {
      // Should this fail, nothing names it, and the collector finds it.
      await this.#options.blobs.delete(key).catch(() => undefined);
      throw signal.aborted ? (signal.reason as Error) : error;
    }
  }

  async clean(): Promise<void> {
    const names = await readdir(this.#options.dir).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    });
    for (const name of names) await rm(join(this.#options.dir, name), { recursive: true, force: true });
  }
}

function requireSize(virtualBytes: number, maxBytes: number): void {
  if (virtualBytes <= maxBytes) return;
  throw badImage(`the image's disk has ${humanBytes(virtualBytes)}, and ${humanBytes(maxBytes)} are allowed at most`);
}

/** Builds images in folders of its own, each of them for one build alone. qemu-img is run without rights and with limits. */
export function createWorkshop(options: WorkshopOptions): ImageWorkshop {
  return new Workshop(options);
}
