/** One file in the top folder of an image. */
export interface IsoFile {
  /** 1 to 30 of a-z 0-9 and dash. */
  readonly name: string;
  readonly body: Uint8Array;
}

const SECTOR = 2048;
/** 1 January 2000: the same data gives the same bytes. */
const RECORD_DATE = Uint8Array.from([100, 1, 1, 0, 0, 0, 0]);
const FOLDER_FLAG = 2;
/** "%/E" in the escape sequences says that names are UCS-2, level 3 (Joliet specification, October 1995). */
const JOLIET_ESCAPE = Uint8Array.from([0x25, 0x2f, 0x45]);

/** Where things are, in sectors. The first 16 belong to the system. */
const AT = {
  plain: 16,
  joliet: 17,
  end: 18,
  plainTableL: 19,
  plainTableM: 20,
  jolietTableL: 21,
  jolietTableM: 22,
  plainFolder: 23,
  jolietFolder: 24,
  files: 25,
} as const;

interface Placed {
  readonly file: IsoFile;
  readonly sector: number;
}

/** How one of the two descriptions of the volume names things. */
interface Naming {
  readonly descriptorType: 1 | 2;
  readonly escape: Uint8Array;
  /** Text padded with spaces to so many bytes. */
  readonly field: (text: string, bytes: number) => Buffer;
  readonly fileName: (name: string) => Buffer;
  readonly folder: number;
  readonly tableL: number;
  readonly tableM: number;
}

function ucs2(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** ECMA-119 allows fewer letters; Linux reads these so that they need no Joliet. */
const PLAIN: Naming = {
  descriptorType: 1,
  escape: Uint8Array.of(),
  field: (text, bytes) => Buffer.from(text.padEnd(bytes), 'latin1'),
  fileName: (name) => Buffer.from(`${name.toUpperCase()}${name.includes('.') ? '' : '.'};1`, 'latin1'),
  folder: AT.plainFolder,
  tableL: AT.plainTableL,
  tableM: AT.plainTableM,
};

const JOLIET: Naming = {
  descriptorType: 2,
  escape: JOLIET_ESCAPE,
  field: (text, bytes) => {
    const field = Buffer.alloc(bytes);
    ucs2(text.padEnd(Math.floor(bytes / 2))).copy(field);
    return field;
  },
  fileName: ucs2,
  folder: AT.jolietFolder,
  tableL: AT.jolietTableL,
  tableM: AT.jolietTableM,
};

/** A number in both byte orders, as ECMA-119 §7.3.3 has it. */
function both32(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(value, 0);
  out.writeUInt32BE(value, 4);
  return out;
}

function both16(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt16LE(value, 0);
  out.writeUInt16BE(value, 2);
  return out;
}

/** ECMA-119 §9.1. */
function folderRecord(name: Uint8Array, sector: number, bytes: number, isFolder: boolean): Buffer {
  const length = 33 + name.length + ((name.length + 1) % 2);
  const record = Buffer.alloc(length);
  record.writeUInt8(length, 0);
  both32(sector).copy(record, 2);
  both32(bytes).copy(record, 10);
  record.set(RECORD_DATE, 18);
  record.writeUInt8(isFolder ? FOLDER_FLAG : 0, 25);
  both16(1).copy(record, 28);
  record.writeUInt8(name.length, 32);
  record.set(name, 33);
  return record;
}

function folder(naming: Naming, files: readonly Placed[]): Buffer {
  const self = folderRecord(Uint8Array.of(0), naming.folder, SECTOR, true);
  const parent = folderRecord(Uint8Array.of(1), naming.folder, SECTOR, true);
  const records = files.map(({ file, sector }) =>
    folderRecord(naming.fileName(file.name), sector, file.body.length, false),
  );
  const bytes = Buffer.concat([self, parent, ...records]);
  if (bytes.length > SECTOR) throw new RangeError('the files of an image do not fit one sector of names');
  return bytes;
}

/** ECMA-119 §9.4: the top folder, which is its own parent. */
function pathTable(naming: Naming, order: 'L' | 'M'): Buffer {
  const table = Buffer.alloc(10);
  table.writeUInt8(1, 0);
  if (order === 'L') {
    table.writeUInt32LE(naming.folder, 2);
    table.writeUInt16LE(1, 6);
  } else {
    table.writeUInt32BE(naming.folder, 2);
    table.writeUInt16BE(1, 6);
  }
  return table;
}

/** ECMA-119 §8.4 and §8.5. */
function volumeDescriptor(naming: Naming, label: string, sectors: number): Buffer {
  const out = Buffer.alloc(SECTOR);
  const text = (value: string, at: number, bytes: number): void => void naming.field(value, bytes).copy(out, at);
  out.writeUInt8(naming.descriptorType, 0);
  out.write('CD001\x01', 1, 'latin1');
  text('LINUX', 8, 32);
  text(label, 40, 32);
  both32(sectors).copy(out, 80);
  out.set(naming.escape, 88);
  both16(1).copy(out, 120);
  both16(1).copy(out, 124);
  both16(SECTOR).copy(out, 128);
  both32(pathTable(naming, 'L').length).copy(out, 132);
  out.writeUInt32LE(naming.tableL, 140);
  out.writeUInt32BE(naming.tableM, 148);
  folderRecord(Uint8Array.of(0), naming.folder, SECTOR, true).copy(out, 156);
  // Names of a set, a publisher, a preparer and an application; of three files.
  for (const at of [190, 318, 446, 574]) text('', at, 128);
  for (const at of [702, 739, 776]) text('', at, 37);
  // Four dates that are not given: digits 0 and a zone of 0.
  for (const at of [813, 830, 847, 864]) out.fill('0', at, at + 16, 'latin1');
  out.writeUInt8(1, 881);
  return out;
}

/**
 * A read-only file system with a few files in its top folder: ISO 9660 (ECMA-119) with the names once more in Joliet, which keeps their case. Its size is
 * a multiple of 4096 bytes.
 * @param label 1 to 16 of A-Z 0-9 and underscore
 */
export function isoImage(label: string, files: readonly IsoFile[]): Buffer {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  let sector: number = AT.files;
  const placed = sorted.map((file): Placed => {
    const at = { file, sector };
    sector += Math.max(1, Math.ceil(file.body.length / SECTOR));
    return at;
  });
  const sectors = sector + (sector % 2);
  const out = Buffer.alloc(sectors * SECTOR);
  const put = (bytes: Uint8Array, at: number): void => out.set(bytes, at * SECTOR);
  for (const naming of [PLAIN, JOLIET]) {
    put(volumeDescriptor(naming, label, sectors), naming === PLAIN ? AT.plain : AT.joliet);
    put(pathTable(naming, 'L'), naming.tableL);
    put(pathTable(naming, 'M'), naming.tableM);
    put(folder(naming, placed), naming.folder);
  }
  put(Buffer.from('\xffCD001\x01', 'latin1'), AT.end);
  for (const { file, sector: at } of placed) put(file.body, at);
  return out;
}
