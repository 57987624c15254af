/** One thing in an archive. Paths have no leading slash. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly body: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_BITS = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;
const MAX_FILE_BYTES = 0xffff_ffff;

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padded = (length: number): number => Math.ceil(length / 4) * 4;

function bodyOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.body;
  return entry.kind === 'link' ? Buffer.from(entry.target) : Buffer.alloc(0);
}

function record(entry: CpioEntry, inode: number): Buffer {
  const body = bodyOf(entry);
  if (body.length > MAX_FILE_BYTES) throw new RangeError(`${entry.path} is too large for a cpio archive`);
  const mode = TYPE_BITS[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode);
  const name = Buffer.from(`${entry.path}\0`);
  const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0];
  const links = entry.kind === 'folder' ? 2 : 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const numbers = [inode, mode, 0, 0, links, 0, body.length, 0, 0, major, minor, name.length, 0];
  const head = Buffer.concat([Buffer.from(`070701${numbers.map(hex).join('')}`), name]);
  const out = Buffer.alloc(padded(head.length) + padded(body.length));
  out.set(head, 0);
  out.set(body, padded(head.length));
  return out;
}

/**
 * A cpio archive in the "newc" format that the Linux kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same entries in any order give the same bytes: sorted, owned by root, without times.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  sorted.forEach((entry, index) => {
    if (entry.path === sorted[index + 1]?.path) throw new RangeError(`${entry.path} is twice in the archive`);
  });
  const trailer = record({ kind: 'file', path: 'TRAILER!!!', mode: 0, body: Buffer.alloc(0) }, 0);
  const records = sorted.map((entry, index) => record(entry, index + 1));
  const bytes = Buffer.concat([...records, trailer]);
  return Buffer.concat([bytes, Buffer.alloc(Math.ceil(bytes.length / 512) * 512 - bytes.length)]);
}
