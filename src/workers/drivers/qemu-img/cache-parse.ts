import { posix } from 'node:path';
import type { CachedImage } from '../../../ports/image-cache.ts';

export interface DiskBase {
  /** The instance's id, or the name of the file. */
  readonly name: string;
  /** Undefined: nobody can say. Empty: it stands on nothing. */
  readonly base: string | undefined;
}

const MARKER = /^([0-9a-f]{64})\.json (\d+(?:\.\d+)?) (\{.*\})$/;

/** Lines of marker, time and content; what is no marker of ours is no image. */
export function cachedImages(stdout: string): Omit<CachedImage, 'usedBy'>[] {
  return stdout.split('\n').flatMap((line) => {
    const [, sha256 = '', seconds = '', json = ''] = MARKER.exec(line) ?? [];
    const marker = record(json);
    const { sizeBytes, format, kind } = marker;
    if (marker['sha256'] !== sha256 || typeof sizeBytes !== 'number') return [];
    if (kind !== 'machine' && kind !== 'kernel' && kind !== 'ramdisk') return [];
    return [{ sha256, sizeBytes, kind, format: String(format), lastUsedMs: Math.floor(Number(seconds) * 1000) }];
  });
}

/** What qemu-img says of each disk behind a line with its path. */
export function disksOnImages(stdout: string): DiskBase[] {
  const [, ...parts] = `\n${stdout}`.split('\ndisk ');
  return parts.map((part) => {
    const end = part.indexOf('\n');
    const path = end < 0 ? part : part.slice(0, end);
    const folder = posix.basename(posix.dirname(path));
    const name = posix.basename(path) === 'disk.qcow2' ? folder : posix.basename(path);
    const info = record(end < 0 ? '' : part.slice(end + 1));
    const base = info['full-backing-filename'] ?? info['backing-filename'] ?? '';
    // No answer, or none that is understood.
    const known = info['format'] === 'qcow2' && typeof base === 'string';
    return { name, base: known ? base : undefined };
  });
}

function record(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
