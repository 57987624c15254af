import { Readable } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, isCode } from '../../../base/errors.ts';
import { isId } from '../../../base/ids.ts';
import { silentLogger, type Logger } from '../../../base/logger.ts';
import { SHELL_TMP, type ExecResult, type HostShell } from '../../../ports/host-shell.ts';
import type { CachedImage, Evicted, EvictOrder, ImageTransfer } from '../../../ports/image-cache.ts';
import type { ImageFile, ImageStore, OverlaySpec } from '../../../ports/image-store.ts';
import * as commands from './commands.ts';
import { curlConfig, explainFetch, FETCH_TIMEOUT_MS, FETCH_URL_S, fetchArgv } from './fetch-commands.ts';
import { FOLDER_MODE, hostLayout, IMAGE_MODE, type HostLayout } from './host-layout.ts';
import { HostImageCache } from './image-cache.ts';
import { ImagePins } from './image-pins.ts';
import { asksCommand, requireSpace, runCommand } from './run-command.ts';

/** It holds user data. */
const SEED_MODE = 0o600;

interface Marker {
  readonly v: 1;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly format: string;
  readonly kind: string;
  readonly storedAtMs: number;
}

/** A running upload touches its file all the time; what was not touched for this long belongs to nobody. */
const STALE_TMP_MIN = 15;
const CA_MODE = 0o600;

/** The use of an image is noted on the host once in this time. */
const USE_NOTED_MS = 60_000;

function parseMarker(text: string): Partial<Marker> {
  try {
    return JSON.parse(text) as Partial<Marker>;
  } catch {
    return {};
  }
}

/** Runs one at a time for each key; who asks meanwhile gets the same answer. */
function shared<T>(runs: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = runs.get(key);
  if (running !== undefined) return running;
  const run = work().finally(() => runs.delete(key));
  runs.set(key, run);
  return run;
}

class HostImages implements ImageStore {
  readonly #shell: HostShell;
  readonly #source: (blobKey: string) => Promise<Readable>;
  readonly #presign: ((blobKey: string, expiresS: number) => Promise<string>) | undefined;
  readonly #presignCa: string | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #at: HostLayout;
  readonly #cache: HostImageCache;
  readonly #pins: ImagePins;
  readonly #transfers = new Map<string, ImageTransfer>();
  /** When its use was noted last. */
  readonly #used = new Map<string, number>();
  readonly #imageRuns = new Map<string, Promise<string>>();
  readonly #instanceRuns = new Map<string, Promise<string>>();

  constructor(parts: Parameters<typeof createImageStore>[0]) {
    this.#shell = parts.shell;
    this.#source = parts.source;
    this.#presign = parts.presign;
    this.#presignCa = parts.presignCa;
    this.#clock = parts.clock;
    this.#logger = parts.logger ?? silentLogger;
    this.#at = hostLayout(parts.baseDir);
    this.#pins = new ImagePins(parts.clock);
    this.#cache = new HostImageCache({
      ...{ shell: parts.shell, at: this.#at, budgetBytes: parts.cacheBytes ?? 0 },
      ...{ clock: parts.clock, pins: this.#pins },
    });
  }

  async ensureImage(image: ImageFile, { start = true } = {}): Promise<string> {
    const { sha256 } = image;
    const run = async (): Promise<string> => {
      const to = this.#at.imagePath(sha256);
      await this.#cache.settled(sha256);
      if (!(await this.#trusted(image))) await this.#upload(image, to);
      else await this.#noteUse(sha256);
      return to;
    };
    return this.#pins.during(sha256, start, () => shared(this.#imageRuns, sha256, run));
  }

  listImages(): Promise<CachedImage[]> {
    return this.#cache.list();
  }

  transfers(): ImageTransfer[] {
    return [...this.#transfers.values()];
  }

  evictImages(order: EvictOrder): Promise<Evicted> {
    return this.#cache.evict(order);
  }

  ensureOverlay(spec: OverlaySpec): Promise<string> {
    return shared(this.#instanceRuns, spec.instanceId, async () => {
      const path = this.#at.diskPath(spec.instanceId);
      if (spec.mustExist === true) {
        if (await this.#isThere(path)) return path;
        const message = `the disk of ${spec.instanceId} is not on ${this.#shell.name}: it has run before, so none is made in its place`;
        throw new CloudError('NotFound', message, { details: { path } });
      }
      await this.#createOverlay(spec, path);
      // From now on the disk itself says what it stands on.
      this.#pins.drop(spec.basePath.slice(spec.basePath.lastIndexOf('/') + 1));
      return path;
    });
  }

  async writeSeed(instanceId: string, image: Buffer, owner: { uid: number; gid: number }): Promise<string> {
    const path = this.#at.seedPath(instanceId);
    await this.#shell.writeFile(path, image, { mode: SEED_MODE, uid: owner.uid, gid: owner.gid });
    return path;
  }

  async removeInstanceDir(instanceId: string): Promise<void> {
    await this.#run(commands.removeTreeArgv(this.#at.instanceDir(instanceId)));
  }

  async listInstanceDirs(): Promise<string[]> {
    if (!(await this.#succeeds(commands.isFolderArgv(this.#at.instancesDir)))) return [];
    const { stdout } = await this.#run(commands.listFoldersArgv(this.#at.instancesDir));
    return stdout
      .split('\n')
      .filter((name) => isId('instance', name))
      .sort();
  }

  async collect(order: Parameters<ImageStore['collect']>[0]): Promise<string[]> {
    const { imagesDir } = this.#at;
    if (!(await this.#succeeds(commands.isFolderArgv(imagesDir)))) return [];
    const linesOf = async (argv: readonly string[]): Promise<string[]> =>
      (await this.#run(argv)).stdout.split('\n').filter((line) => line !== '');
    const keep = new Set(order.keepSha256);
    const lookedMs = this.#clock.monotonicMs();
    const old = await linesOf(commands.listOldImagesArgv(imagesDir, Math.ceil(order.minAgeMs / 60_000)));
    const pinned = this.#pins.all();
    const orphans = old.filter((digest) => !keep.has(digest) && !pinned.has(digest));
    const bases = orphans.length === 0 ? [] : await this.#cache.disks();
    const free = orphans.filter((digest) =>
      bases.every(({ base }) => base !== undefined && base !== this.#at.imagePath(digest)),
    );
    const surplus = [...new Set([...free, ...(await this.#cache.overBudget())])];
    const stale = await linesOf(commands.listStaleTmpArgv(imagesDir, STALE_TMP_MIN));
    if (order.remove && stale.length > 0) await this.#run(commands.removeFilesArgv(stale));
    const gone: string[] = [];
    for (const digest of surplus) if (!order.remove || (await this.#cache.remove(digest, lookedMs))) gone.push(digest);
    return [...gone.map((digest) => this.#at.imagePath(digest)), ...stale];
  }

  /** For whoever decides which image goes first; so often is enough. */
  async #noteUse(sha256: string): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#used.get(sha256) ?? Number.NEGATIVE_INFINITY) < USE_NOTED_MS) return;
    await this.#run(['touch', '-c', '--', this.#at.markerPath(sha256)]);
    this.#used.set(sha256, nowMs);
  }

  #counted({ sha256, sizeBytes }: ImageFile, body: Readable): Readable {
    const transfers = this.#transfers;
    const passing = async function* (): AsyncGenerator<Uint8Array> {
      let doneBytes = 0;
      try {
        for await (const chunk of body) {
          transfers.set(sha256, { sha256, doneBytes, totalBytes: sizeBytes });
          yield chunk as Uint8Array;
          doneBytes += (chunk as Uint8Array).length;
        }
      } finally {
        transfers.delete(sha256);
      }
    };
    return Readable.from(passing(), { objectMode: false, highWaterMark: 1 });
  }

  async #isThere(path: string): Promise<boolean> {
    try {
      await this.#shell.readFile(path, { maxBytes: 1 });
      return true;
    } catch (error) {
      if (isCode(error, 'NotFound')) return false;
      throw error;
    }
  }

  #run(argv: readonly string[]): Promise<ExecResult> {
    return runCommand(this.#shell, argv);
  }

  #succeeds(argv: readonly string[]): Promise<boolean> {
    return asksCommand(this.#shell, argv);
  }

  /** The file is there, has its size, and was whole when it was stored. */
  async #trusted(image: ImageFile): Promise<boolean> {
    let marker: Partial<Marker>;
    try {
      marker = parseMarker((await this.#shell.readFile(this.#at.markerPath(image.sha256))).toString());
    } catch (error) {
      if (isCode(error, 'NotFound')) return false;
      throw error;
    }
    if (marker.v !== 1 || marker.sha256 !== image.sha256 || marker.sizeBytes !== image.sizeBytes) return false;
    return this.#hasSize(this.#at.imagePath(image.sha256), image.sizeBytes);
  }

  /** Its last byte is there, and none behind it: one look at the file, without a command on this machine. */
  async #hasSize(path: string, sizeBytes: number): Promise<boolean> {
    try {
      return (await this.#shell.readFile(path, { fromByte: sizeBytes - 1, maxBytes: 2 })).length === 1;
    } catch (error) {
      if (isCode(error, 'NotFound')) return false;
      throw error;
    }
  }

  async #upload(image: ImageFile, path: string): Promise<void> {
    const { baseDir, imagesDir } = this.#at;
    await this.#run(commands.makeFoldersArgv(FOLDER_MODE, [baseDir, imagesDir]));
    await this.#run(commands.removeStaleTmpArgv(imagesDir, STALE_TMP_MIN));
    const gone = await this.#cache.makeRoom(image.sizeBytes);
    if (gone.length > 0) this.#logger.info('images went to make room', { host: this.#shell.name, sha256: gone });
    await requireSpace(this.#shell, imagesDir, { bytes: image.sizeBytes, what: 'the image' });
    if (!(await this.#fetch(image, path))) {
      const body = this.#counted(image, await this.#source(image.blobKey));
      await this.#shell.upload(path, body, { sha256: image.sha256, mode: IMAGE_MODE });
    }
    const { sha256, sizeBytes, format, kind } = image;
    const marker: Marker = { v: 1, sha256, sizeBytes, format, kind, storedAtMs: this.#clock.nowMs() };
    // Last: without it the file is not trusted, and so is uploaded again.
    await this.#shell.writeFile(this.#at.markerPath(sha256), `${JSON.stringify(marker)}\n`, { mode: IMAGE_MODE });
  }

  /** The host gets the bytes itself, where they are at an endpoint that it reaches. False: it did not, and they are to be sent. */
  async #fetch(image: ImageFile, path: string): Promise<boolean> {
    const presign = this.#presign;
    if (presign === undefined) return false;
    const { imagesDir } = this.#at;
    const tmp = `${imagesDir}/${SHELL_TMP.prefix}${image.sha256}${SHELL_TMP.suffix}`;
    const url = await presign(image.blobKey, FETCH_URL_S);
    const run = (caPath?: string): Promise<ExecResult> =>
      this.#shell.exec(fetchArgv({ folder: imagesDir, tmp, path, sha256: image.sha256 }), {
        stdin: curlConfig(url, tmp, caPath),
        timeoutMs: FETCH_TIMEOUT_MS,
      });
    const result = await this.#withCa(`${imagesDir}/${SHELL_TMP.prefix}${image.sha256}-ca${SHELL_TMP.suffix}`, run);
    if (result.exitCode === 0) return true;
    const why = explainFetch(result.exitCode, result.stderr.replaceAll(url, 'the URL'));
    this.#logger.warn('a host did not fetch an image, it is sent', {
      host: this.#shell.name,
      sha256: image.sha256,
      why,
    });
    return false;
  }

  /** curl reads authorities from a file alone. One that a crash leaves goes with what transfers leave. */
  async #withCa(path: string, run: (caPath?: string) => Promise<ExecResult>): Promise<ExecResult> {
    if (this.#presignCa === undefined) return run();
    await this.#shell.writeFile(path, this.#presignCa, { mode: CA_MODE });
    try {
      return await run(path);
    } finally {
      await this.#run(commands.removeFilesArgv([path]));
    }
  }

  async #createOverlay(spec: OverlaySpec, disk: string): Promise<void> {
    const { instanceId } = spec;
    const { baseDir, instancesDir } = this.#at;
    const folder = this.#at.instanceDir(instanceId);
    const tmp = this.#at.diskTmpPath(instanceId);
    await this.#run(commands.createOverlayArgv({ baseDir, instancesDir, folder, tmp, disk }, spec));
  }
}

/**
 * @param parts.source gives the bytes of a blob; asked only when the host lacks them
 * @param parts.presign a URL from which a host may fetch the blob; absent: bytes are always sent
 * @param parts.presignCa PEM of the authorities that such a URL's endpoint is trusted by; absent: those of the host
 * @param parts.cacheBytes what image files may take on the host; 0: as much as is free
 * @param parts.baseDir on the host, `/var/lib/novactl-host`: a place that QEMU's user can walk to
 */
export function createImageStore(parts: {
  shell: HostShell;
  source: (blobKey: string) => Promise<Readable>;
  presign?: ((blobKey: string, expiresS: number) => Promise<string>) | undefined;
  presignCa?: string | undefined;
  clock: Clock;
  logger?: Logger;
  cacheBytes?: number;
  baseDir: string;
}): ImageStore {
  return new HostImages(parts);
}
