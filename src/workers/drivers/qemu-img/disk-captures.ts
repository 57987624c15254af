import { Readable } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, isCode } from '../../../base/errors.ts';
import { isId } from '../../../base/ids.ts';
import type { Blobs } from '../../../ports/blobs.ts';
import type { CopyOrder, DiskCaptures, FlatDisk, FlattenOrder, PausedGuest } from '../../../ports/disk-captures.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import * as captureCommands from './capture-commands.ts';
import { isFolderArgv, removeFilesArgv } from './commands.ts';
import { hostLayout, type HostLayout } from './host-layout.ts';
import { asksCommand, requireSpace, runCommand } from './run-command.ts';

/** Of the largest disks on slow hosts; whoever wants it no longer ends it by the signal. */
const CONVERT_TIMEOUT_MS = 4 * 3_600_000;
const DIGEST_TIMEOUT_MS = 3_600_000;
/** How often it is looked how large the flat disk is by now. */
const LOOK_MS = 2000;
const CAPTURE_FILE = /^(ami-[0-9a-f]{17})\.(copy|flat)\.qcow2$/;

export interface DiskCapturesParts {
  readonly shell: HostShell;
  readonly blobs: Pick<Blobs, 'put'>;
  readonly clock: Clock;
  readonly baseDir: string;
}

class HostCaptures implements DiskCaptures {
  readonly #shell: HostShell;
  readonly #blobs: Pick<Blobs, 'put'>;
  readonly #clock: Clock;
  readonly #at: HostLayout;
  /** Images that are being made here. */
  readonly #active = new Set<string>();

  constructor({ shell, blobs, clock, baseDir }: DiskCapturesParts) {
    this.#shell = shell;
    this.#blobs = blobs;
    this.#clock = clock;
    this.#at = hostLayout(baseDir);
  }

  async copy({ imageId, instanceId, owner, timeoutMs, signal }: CopyOrder): Promise<void> {
    const { baseDir, capturesDir } = this.#at;
    const disk = this.#at.diskPath(instanceId);
    const copy = this.#at.captureCopyPath(imageId);
    this.#active.add(imageId);
    const found = await this.#shell.exec(captureCommands.sizesArgv(disk));
    if (found.exitCode !== 0) {
      throw new CloudError('NotFound', `the disk of ${instanceId} is not on ${this.#shell.name} (any more)`, {
        details: { path: disk },
      });
    }
    const { takenBytes } = captureCommands.parseSizes(found.stdout);
    await requireSpace(this.#shell, baseDir, { bytes: takenBytes, what: `a copy of the disk of ${instanceId}` });
    const argv = captureCommands.copyDiskArgv({ baseDir, capturesDir, disk, copy }, owner);
    await runCommand(this.#shell, argv, { timeoutMs, signal });
  }

  async flatten(order: FlattenOrder): Promise<FlatDisk> {
    const { imageId, blobKey, owner, signal, onProgress } = order;
    const shell = this.#shell;
    const copy = this.#at.captureCopyPath(imageId);
    const flat = this.#at.captureFlatPath(imageId);
    const measured = await runCommand(shell, captureCommands.measureArgv(copy, owner), { signal });
    const needBytes = captureCommands.parseMeasured(measured.stdout) ?? 0;
    await requireSpace(shell, this.#at.capturesDir, { bytes: needBytes, what: `the disk of ${imageId}` });
    onProgress('flattening', 0, needBytes);
    await this.#watchGrowth(
      flat,
      (bytes) => onProgress('flattening', Math.min(bytes, needBytes), needBytes),
      () =>
        runCommand(shell, captureCommands.flattenArgv(copy, flat, owner), { signal, timeoutMs: CONVERT_TIMEOUT_MS }),
    );
    const info = await runCommand(shell, captureCommands.infoArgv(flat, owner), { signal });
    const virtualSizeBytes = captureCommands.parseVirtualSize(info.stdout);
    const digest = await runCommand(shell, captureCommands.digestArgv(flat), { signal, timeoutMs: DIGEST_TIMEOUT_MS });
    const sha256 = captureCommands.parseDigest(digest.stdout);
    if (virtualSizeBytes === undefined || sha256 === undefined) {
      throw new CloudError('HostError', `${shell.name} did not say what the disk of ${imageId} has become: ${flat}`);
    }
    const { sizeBytes } = captureCommands.parseSizes(
      (await runCommand(shell, captureCommands.sizesArgv(flat), { signal })).stdout,
    );
    const body = counted(shell.download(flat), signal, (bytes) => onProgress('sending', bytes, sizeBytes));
    const blob = await this.#blobs.put(blobKey, body, { expectSha256: sha256 });
    return { blob, virtualSizeBytes, format: 'qcow2' };
  }

  async drop(imageId: string): Promise<void> {
    const paths = [this.#at.captureCopyPath(imageId), this.#at.captureFlatPath(imageId)];
    await runCommand(this.#shell, removeFilesArgv(paths));
    this.#active.delete(imageId);
  }

  async leftovers({ remove }: { remove: boolean }): Promise<string[]> {
    const left = (await this.#files())
      .filter((name) => {
        const imageId = CAPTURE_FILE.exec(name)?.[1];
        return imageId !== undefined && !this.#active.has(imageId);
      })
      .sort()
      .map((name) => `${this.#at.capturesDir}/${name}`);
    if (remove && left.length > 0) await runCommand(this.#shell, removeFilesArgv(left));
    return left;
  }

  async notePaused({ instanceId, domainUuid }: PausedGuest): Promise<void> {
    await runCommand(this.#shell, ['install', '-d', '-m', '0711', '--', this.#at.baseDir]);
    await runCommand(this.#shell, ['mkdir', '-p', '-m', '0700', '--', this.#at.capturesDir]);
    await this.#shell.writeFile(this.#at.pausedPath(instanceId), `${domainUuid}\n`);
  }

  async forgetPaused(instanceId: string): Promise<void> {
    await runCommand(this.#shell, removeFilesArgv([this.#at.pausedPath(instanceId)]));
  }

  async listPaused(): Promise<PausedGuest[]> {
    const paused: PausedGuest[] = [];
    for (const name of await this.#files()) {
      const instanceId = name.replace(/\.paused$/, '');
      if (instanceId === name || !isId('instance', instanceId)) continue;
      const domainUuid = await this.#readPaused(instanceId);
      if (domainUuid !== undefined) paused.push({ instanceId, domainUuid });
    }
    return paused;
  }

  async #readPaused(instanceId: string): Promise<string | undefined> {
    try {
      return (await this.#shell.readFile(this.#at.pausedPath(instanceId))).toString().trim();
    } catch (error) {
      if (isCode(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #files(): Promise<string[]> {
    const { capturesDir } = this.#at;
    if (!(await asksCommand(this.#shell, isFolderArgv(capturesDir)))) return [];
    const { stdout } = await runCommand(this.#shell, captureCommands.listFilesArgv(capturesDir));
    return stdout.split('\n').filter((name) => name !== '');
  }

  /** Tells how large the file is, now and then, while the work lasts. */
  async #watchGrowth(path: string, tell: (bytes: number) => void, work: () => Promise<unknown>): Promise<void> {
    const timer = this.#clock.every(
      LOOK_MS,
      () => {
        this.#shell.exec(captureCommands.sizesArgv(path)).then(
          ({ exitCode, stdout }) => exitCode === 0 && tell(captureCommands.parseSizes(stdout).takenBytes),
          // Only progress: what is wrong with the host the work itself will say.
          () => undefined,
        );
      },
      { unref: true },
    );
    try {
      await work();
    } finally {
      timer.cancel();
    }
  }
}

/** The same bytes; ends with the signal's reason when that comes first. */
function counted(body: Readable, signal: AbortSignal, tell: (bytes: number) => void): Readable {
  const passing = async function* (): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const chunk of body) {
      signal.throwIfAborted();
      yield chunk as Buffer;
      bytes += (chunk as Buffer).length;
      tell(bytes);
    }
  };
  return Readable.from(passing(), { objectMode: false, highWaterMark: 1 });
}

/** @param parts.baseDir on the host, as for createImageStore */
export function createDiskCaptures(parts: DiskCapturesParts): DiskCaptures {
  return new HostCaptures(parts);
}
