import { crc32 } from 'node:zlib';

/** One file of an archive: its name with /, its bytes, its permissions. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

const REGULAR_FILE = 0o100_000;
/** Version 2.0 of the format; the upper byte says that the attributes are those of Unix. */
const VERSION = 20;
const MADE_BY_UNIX = (3 << 8) | VERSION;
/** Names are UTF-8. */
const FLAGS = 0x0800;

/** Date and time as MS-DOS wrote them, in UTC: from 1980 on, in steps of two seconds. */
function dosTime(ms: number): { readonly time: number; readonly date: number } {
  const at = new Date(Math.max(ms, Date.UTC(1980, 0, 1)));
  return {
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    date: ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
  };
}

/** Numbers of 2 or 4 bytes, the lowest first. */
function fields(...values: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  return Buffer.concat(
    values.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );
}

/** A ZIP archive (APPNOTE.TXT 6.3.3) of a few small files, stored as they are. */
export function zipArchive(entries: readonly ZipEntry[], nowMs: number): Buffer {
  const { time, date } = dosTime(nowMs);
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, mode } of entries) {
    const nameBytes = Buffer.from(name, 'utf8');
    const common = fields(
      ...([
        [2, VERSION],
        [2, FLAGS],
        [2, 0],
        [2, time],
        [2, date],
        [4, crc32(bytes)],
        [4, bytes.length],
        [4, bytes.length],
        [2, nameBytes.length],
        [2, 0],
      ] as const),
    );
    const head = Buffer.concat([fields([4, 0x04034b50]), common, nameBytes]);
    const place = fields([2, 0], [2, 0], [2, 0], [4, (REGULAR_FILE | mode) * 0x10000], [4, offset]);
    central.push(fields([4, 0x02014b50], [2, MADE_BY_UNIX]), common, place, nameBytes);
    local.push(head, bytes);
    offset += head.length + bytes.length;
  }
  const directory = Buffer.concat(central);
  const count = entries.length;
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, 0],
  );
  return Buffer.concat([...local, directory, end]);
}
