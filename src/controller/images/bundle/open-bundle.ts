import { constants, createDecipheriv, createHash, type KeyObject, privateDecrypt } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CloudError, errorText } from '../../../base/errors.ts';
import { humanBytes, MIB } from '../../../base/units.ts';
import type { ImageKind } from '../../../domain/image-format.ts';
import { quoteForeign } from '../../../domain/vmdk-descriptor.ts';
import type { ImageObject } from '../../../ports/image-objects.ts';
import type { BundleKeys } from './bundle-keys.ts';
import { type Manifest, MAX_MANIFEST_BYTES, readManifest } from './manifest.ts';
import { badBundle } from './tar-header.ts';
import { untarOnlyFile } from './untar.ts';

export type { BundleKeys } from './bundle-keys.ts';

export interface OpenedBundle {
  /** The image. Reads the parts as it is read; an error is 'InvalidImage.Format' with the reason, or what a part's object throws. Destroy it if it is not read to its end. */
  readonly image: Readable;
  readonly sizeBytes: number;
  readonly kind: ImageKind;
  readonly architecture?: 'x86_64' | 'arm64';
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly name?: string;
}

type Objects = (key: string) => Promise<ImageObject>;

/** A part is in memory until its digest was compared: nothing that was not signed for is unpacked. EC2's tools make parts of 10 MiB. */
const MAX_PART_BYTES = 64 * MIB;

async function wholeObject(
  object: ImageObject,
  what: string,
  maxBytes: number,
  onOpen?: (body: Readable) => void,
): Promise<Buffer> {
  const { sizeBytes } = object;
  if (sizeBytes < 1 || sizeBytes > maxBytes)
    throw badBundle(`${what} has ${sizeBytes} bytes, must be 1 to ${maxBytes} (${humanBytes(maxBytes)})`);
  const body = await object.read();
  onOpen?.(body);
  const out = Buffer.alloc(sizeBytes);
  let at = 0;
  try {
    for await (const chunk of body) {
      const bytes = chunk as Uint8Array;
      if (at + bytes.length > sizeBytes) throw badBundle(`${what} is longer than its ${sizeBytes} bytes`);
      out.set(bytes, at);
      at += bytes.length;
    }
  } finally {
    body.destroy();
  }
  if (at < sizeBytes) throw badBundle(`${what} ends after ${at} of ${sizeBytes} bytes`);
  return out;
}

async function manifestText(objects: Objects, key: string): Promise<string> {
  const bytes = await wholeObject(await objects(key), 'its manifest', MAX_MANIFEST_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badBundle('its manifest is no text in UTF-8');
  }
}

/** The bytes of the parts, each of them compared with its digest before it is given. */
async function* partBytes(
  objects: Objects,
  manifestKey: string,
  manifest: Manifest,
  onOpen: (body: Readable) => void,
): AsyncGenerator<Buffer> {
  const folder = manifestKey.slice(0, manifestKey.lastIndexOf('/') + 1);
  let total = 0;
  for (const part of manifest.parts) {
    const what = `its part ${quoteForeign(part.name)}`;
    const bytes = await wholeObject(await objects(folder + part.name), what, MAX_PART_BYTES, onOpen);
    if (createHash('sha1').update(bytes).digest('hex') !== part.digest)
      throw badBundle(`${what} is not the one that was signed: its SHA-1 is another`);
    total += bytes.length;
    yield bytes;
  }
  if (manifest.bundledBytes !== undefined && manifest.bundledBytes !== total)
    throw badBundle(`its parts have ${total} bytes together, and its manifest announces ${manifest.bundledBytes}`);
}

/** EC2's tools wrap the 32 hex digits of a key, not its bytes. A wrong RSA key gives chance instead of an error, which is no hex either. */
function unwrap(wrapped: Buffer, key: KeyObject, what: string): Buffer {
  let digits = '';
  try {
    digits = privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, wrapped).toString('latin1');
  } catch {
    // Told below, as what can be opened and is none.
  }
  if (/^[0-9a-fA-F]{32}$/.test(digits)) return Buffer.from(digits, 'hex');
  throw badBundle(
    `its ${what} was not encrypted for this cloud: bundle with the certificate cloud-cert.pem of "novactl project credentials" (--ec2cert, $EUCALYPTUS_CERT)`,
  );
}

async function* decrypted(source: AsyncIterable<Buffer>, key: Buffer, iv: Buffer): AsyncGenerator<Buffer> {
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  for await (const bytes of source) yield decipher.update(bytes);
  let last: Buffer;
  try {
    last = decipher.final();
  } catch (error) {
    throw badBundle(`it can't be decrypted: ${errorText(error)}`);
  }
  yield last;
}

async function* unpacked(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const fed = pipeline(source, gunzip);
  // Its error comes out of gunzip too.
  fed.catch(() => undefined);
  try {
    for await (const bytes of gunzip) yield bytes as Buffer;
    await fed;
  } catch (error) {
    if (error instanceof CloudError) throw error;
    const isZlib = error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
    throw isZlib ? badBundle(`it is not packed by gzip, or damaged: ${errorText(error)}`) : error;
  } finally {
    gunzip.destroy();
  }
}

/** The digest is of the archive, as `tar` gave it to `gzip`. */
async function* compared(source: AsyncIterable<Buffer>, digest: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha1');
  for await (const bytes of source) {
    hash.update(bytes);
    yield bytes;
  }
  if (hash.digest('hex') !== digest)
    throw badBundle('the archive in it is not the one that was signed: its SHA-1 is another');
}

/**
 * Opens an EC2 bundle (euca-bundle-image, ec2-bundle-image): reads and checks its manifest, which must be signed by the user who registers it, and gives the image inside.
 * What is in the parts is checked as it is read. Errors: 'InvalidImage.Format' with the reason, those of `objects`.
 */
export async function openBundle(objects: Objects, manifestKey: string, keys: BundleKeys): Promise<OpenedBundle> {
  const manifest = readManifest(await manifestText(objects, manifestKey), keys);
  const key = unwrap(manifest.wrappedKey, keys.privateKey, 'key');
  const iv = unwrap(manifest.wrappedIv, keys.privateKey, 'initialization vector');
  let reading: Readable | undefined;
  const parts = partBytes(objects, manifestKey, manifest, (body) => (reading = body));
  const archive = compared(unpacked(decrypted(parts, key, iv)), manifest.digest);
  const image = Readable.from(untarOnlyFile(archive, manifest.sizeBytes), { objectMode: false });
  // Whoever gives it up does not wait for a part that does not come.
  image.once('close', () => reading?.destroy());
  const { sizeBytes, kind, architecture, kernelId, ramdiskId, name } = manifest;
  return {
    ...{ image, sizeBytes, kind },
    ...(architecture === undefined ? {} : { architecture }),
    ...(kernelId === undefined ? {} : { kernelId }),
    ...(ramdiskId === undefined ? {} : { ramdiskId }),
    ...(name === undefined ? {} : { name }),
  };
}
