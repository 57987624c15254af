import { quoteForeign } from '../../../domain/vmdk-descriptor.ts';
import { ByteReader } from './byte-reader.ts';
import { checkMap, readGnuMap, readPaxMap, type SparseMap } from './sparse-map.ts';
import {
  badBundle,
  isZero,
  parseTarHeader,
  refuseOthers,
  requirePlainName,
  TAR_BLOCK,
  type TarHeader,
} from './tar-header.ts';

/** Of what is said about a file in front of it. */
const MAX_SAID_BYTES = 65_536;
const MAX_SAID = 4;
/** Archives end in zeros, up to a record (10 KiB, or what `tar -b` says). */
const MAX_END_BYTES = 1_048_576;
const ZEROS = Buffer.alloc(65_536);

/** Pax keywords that change nothing of the bytes. */
const HARMLESS = /^(mtime|atime|ctime|uid|gid|uname|gname|comment|charset|hdrcharset|(SCHILY|LIBARCHIVE|RHT)\..+)$/;
const USED = new Set([
  'path',
  'size',
  'GNU.sparse.name',
  'GNU.sparse.realsize',
  'GNU.sparse.major',
  'GNU.sparse.minor',
]);

/** `LENGTH KEY=VALUE\n`, one behind the other. */
function paxRecords(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(/^\d{1,6}$/.exec(bytes.toString('latin1', at, Math.max(at, space)))?.[0] ?? 'none');
    const record = bytes.toString('utf8', space + 1, at + length);
    const equals = record.indexOf('=');
    if (!(length > 0) || at + length > bytes.length || equals < 1 || !record.endsWith('\n'))
      throw badBundle('a pax header of the archive in it is damaged');
    const key = record.slice(0, equals);
    if (!USED.has(key) && !HARMLESS.test(key))
      throw badBundle(`the archive in it says ${quoteForeign(record.trimEnd())} of its file`);
    records.set(key, record.slice(equals + 1, -1));
    at += length;
  }
  return records;
}

const padding = (size: number): number => (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;

async function blockOf(reader: ByteReader): Promise<Buffer> {
  const block = await reader.take(TAR_BLOCK);
  if (isZero(block)) throw badBundle('the archive in it holds no file');
  return block;
}

interface Member {
  readonly header: TarHeader;
  readonly said: ReadonlyMap<string, string>;
}

/** The first file, with what was said in front of it. */
async function firstFile(reader: ByteReader): Promise<Member> {
  const said = new Map<string, string>();
  for (let count = 0; count <= MAX_SAID; count += 1) {
    const header = parseTarHeader(await blockOf(reader));
    if (header.type === '0' || header.type === 'S') return { header, said };
    if (header.type !== 'x' && header.type !== 'L') refuseOthers(header);
    if (header.size > MAX_SAID_BYTES) throw badBundle('the archive in it says too much about its file');
    const bytes = await reader.take(header.size);
    await reader.take(padding(header.size));
    if (header.type === 'x') for (const [key, value] of paxRecords(bytes)) said.set(key, value);
    else said.set('path', bytes.toString('utf8').replace(/\0$/, ''));
  }
  throw badBundle('the archive in it says too much about its file');
}

function decimal(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw badBundle(`the archive in it says a size of ${quoteForeign(text)}`);
}

async function sparseMap({ header, said }: Member, reader: ByteReader): Promise<SparseMap | undefined> {
  if (header.type === 'S') return readGnuMap(header.block, reader);
  const [major, minor] = [said.get('GNU.sparse.major'), said.get('GNU.sparse.minor')];
  if (major === undefined && minor === undefined) return undefined;
  if (major !== '1' || minor !== '0') {
    throw badBundle(
      `its sparse file is of form ${quoteForeign(`${major}.${minor}`)}; make it by: tar -S --sparse-version=1.0`,
    );
  }
  return readPaxMap(reader, decimal(said.get('GNU.sparse.realsize')) ?? -1);
}

async function* zeros(count: number): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}

async function* bytesOf(reader: ByteReader, map: SparseMap): AsyncGenerator<Uint8Array> {
  let done = 0;
  for (const { at, bytes } of map.pieces) {
    yield* zeros(at - done);
    yield* reader.each(bytes);
    done = at + bytes;
  }
  yield* zeros(map.realBytes - done);
}

async function requireEnd(reader: ByteReader): Promise<void> {
  const block = await reader.take(TAR_BLOCK);
  if (!isZero(block)) {
    const { name } = parseTarHeader(block);
    throw badBundle(`the archive in it holds more than one file: ${quoteForeign(name)} comes behind the image`);
  }
  for (let count = 0; ;) {
    const bytes = await reader.some(MAX_END_BYTES);
    if (bytes === undefined) return;
    count += bytes.length;
    if (count > MAX_END_BYTES || !isZero(bytes)) throw badBundle('something comes behind the end of the archive in it');
  }
}

/**
 * The one file of a tar archive, which must be of `sizeBytes`. It is written nowhere, so no name can lead anywhere; more than the one file, links, devices, and names that
 * lead elsewhere are refused all the same. Sparse files are understood as GNU tar writes them. 'InvalidImage.Format'.
 */
export async function* untarOnlyFile(source: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  try {
    const member = await firstFile(reader);
    const { header, said } = member;
    const stored = decimal(said.get('size')) ?? header.size;
    requirePlainName(said.get('GNU.sparse.name') ?? said.get('path') ?? header.name);
    requirePlainName(header.name);
    const map = await sparseMap(member, reader);
    const realBytes = map?.realBytes ?? stored;
    if (realBytes !== sizeBytes)
      throw badBundle(
        `its manifest announces an image of ${sizeBytes} bytes, and the archive in it has one of ${realBytes}`,
      );
    const dataBytes = stored - (map?.mapBytes ?? 0);
    if (map !== undefined) checkMap(map, dataBytes);
    yield* bytesOf(reader, map ?? { pieces: [{ at: 0, bytes: stored }], realBytes: stored, mapBytes: 0 });
    await reader.take(padding(stored));
    await requireEnd(reader);
  } finally {
    await reader.close();
  }
}
