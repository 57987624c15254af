import { z } from 'zod';
import { errorText } from '../../../base/errors.ts';
import { parseXml, xmlChildren, type XmlElement, xmlFind, xmlText } from '../../../base/xml.ts';
import type { ImageKind } from '../../../domain/image-format.ts';
import { MAX_VIRTUAL_BYTES } from '../../../domain/qcow2-header.ts';
import { quoteForeign } from '../../../domain/vmdk-descriptor.ts';
import type { BundleKeys } from './bundle-keys.ts';
import { signedText, signerOf } from './signed-text.ts';
import { badBundle } from './tar-header.ts';

/** 10,000 parts take 2 MiB of it. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** A part has six, and all else is small: what has more is made to keep whoever reads it busy. */
const MAX_TAGS = 7 * MAX_PARTS;

const hex = (min: number, max: number) =>
  z.string().regex(new RegExp(`^([0-9a-fA-F]{2}){${min},${max}}$`), `must be ${min} to ${max} bytes as hex digits`);
const sha1 = z.string().regex(/^[0-9a-fA-F]{40}$/, 'must be a SHA-1 as 40 hex digits');
const count = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a number')
    .transform(Number)
    .refine((value) => value >= 1 && value <= max, `must be 1 to ${max}`);
const only = (...allowed: [string, ...string[]]) =>
  z.enum(allowed, { error: ({ input }) => `must be ${allowed.join(' or ')}, not ${quoteForeign(String(input))}` });

/** `true` marks a kernel or a ramdisk, as Eucalyptus has it. */
const OtherImage = z.string().regex(/^(true|(aki|ari|ami|eki|eri)-[0-9a-fA-F]{8,17})$/, 'must be an image id or true');

/** Part names are keys beside the manifest, and files on somebody's disk. */
const PartName = z
  .string()
  .regex(/^[^/\\\p{C}]{1,255}$/u, 'must be a plain name without a path')
  .refine((name) => name !== '.' && name !== '..', 'must be a plain name without a path');

const ARCHITECTURES = { i386: 'x86_64', x86_64: 'x86_64', amd64: 'x86_64', arm64: 'arm64', aarch64: 'arm64' } as const;
const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as [keyof typeof ARCHITECTURES];

const Outside = z.strictObject({
  version: only('2007-10-10', '2005-10-29'),
  signature: hex(128, 1024),
});

const Inside = z.strictObject({
  architecture: z
    .enum(ARCHITECTURE_NAMES, { error: ({ input }) => `must be x86_64 or arm64, not ${quoteForeign(String(input))}` })
    .optional(),
  kernelId: OtherImage.optional(),
  ramdiskId: OtherImage.optional(),
  type: z.enum(['machine', 'kernel', 'ramdisk']).default('machine'),
  name: z
    .string()
    .regex(/^\P{C}{1,255}$/u, 'must be 1 to 255 characters that can be printed')
    .optional(),
  size: count(MAX_VIRTUAL_BYTES),
  bundledSize: count(MAX_VIRTUAL_BYTES * 2).optional(),
  digest: sha1,
  digestAlgorithm: only('SHA1'),
  keyAlgorithm: only('AES-128-CBC'),
  key: hex(128, 1024),
  iv: hex(128, 1024),
  partCount: count(MAX_PARTS),
  parts: z
    .array(
      z.strictObject({
        index: z
          .string()
          .regex(/^\d{1,5}$/)
          .transform(Number),
        name: PartName,
        digest: sha1,
        algorithm: only('SHA1'),
      }),
    )
    .min(1)
    .max(MAX_PARTS),
});

export interface ManifestPart {
  readonly name: string;
  /** SHA-1 of its bytes, lower-case hex. */
  readonly digest: string;
}

/** What a signed manifest says. */
export interface Manifest {
  readonly architecture?: 'x86_64' | 'arm64';
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly kind: ImageKind;
  readonly name?: string;
  /** Of the image. */
  readonly sizeBytes: number;
  readonly bundledBytes?: number;
  /** SHA-1 of the archive that the image is in, before it is packed; lower-case hex. */
  readonly digest: string;
  /** As the cloud's bundling key opens them. */
  readonly wrappedKey: Buffer;
  readonly wrappedIv: Buffer;
  /** In their order. */
  readonly parts: readonly ManifestPart[];
}

function parse(text: string): XmlElement {
  try {
    return parseXml(text, { maxBytes: MAX_MANIFEST_BYTES, maxTags: MAX_TAGS });
  } catch (error) {
    throw badBundle(`its manifest can't be read: ${errorText(error)}`);
  }
}

/** The first thing that is wrong, with where. */
function shaped<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = (issue?.path ?? []).map(String).join(' ');
  throw badBundle(`its manifest says something wrong: ${where}: ${issue?.message ?? 'unknown'}`);
}

function insideOf(configuration: XmlElement, image: XmlElement): z.infer<typeof Inside> {
  const attribute = (name: string, ...path: string[]): string | undefined =>
    xmlFind(image, ...path)?.attributes.get(name);
  const list = xmlFind(image, 'parts');
  const parts = list === undefined ? [] : xmlChildren(list, 'part');
  return shaped(Inside, {
    architecture: xmlText(configuration, 'architecture'),
    kernelId: xmlText(configuration, 'kernel_id'),
    ramdiskId: xmlText(configuration, 'ramdisk_id'),
    type: xmlText(image, 'type'),
    name: xmlText(image, 'name'),
    size: xmlText(image, 'size'),
    bundledSize: xmlText(image, 'bundled_size'),
    digest: xmlText(image, 'digest'),
    digestAlgorithm: attribute('algorithm', 'digest'),
    keyAlgorithm: attribute('algorithm', 'ec2_encrypted_key'),
    key: xmlText(image, 'ec2_encrypted_key'),
    iv: xmlText(image, 'ec2_encrypted_iv'),
    partCount: attribute('count', 'parts'),
    parts: parts.map((part) => ({
      index: part.attributes.get('index'),
      name: xmlText(part, 'filename'),
      digest: xmlText(part, 'digest'),
      algorithm: xmlFind(part, 'digest')?.attributes.get('algorithm'),
    })),
  });
}

function requireSigner(text: string, signature: string, { signers, userName }: BundleKeys): void {
  if (signerOf(text, signature, signers) !== undefined) return;
  const why =
    signers.length === 0
      ? `${userName} has no certificate with an RSA key that is good now; "novactl project credentials --key-type rsa" makes one to bundle with`
      : `its signature is by none of the ${signers.length} RSA certificates that ${userName} has ("novactl certificate list"): it was changed after it was signed, or signed by somebody else, or the certificate is over or revoked`;
  throw badBundle(why);
}

/** Elements that are lists, by what they are lists of. */
const LISTS: Readonly<Record<string, string>> = {
  parts: 'part',
  product_codes: 'product_code',
  block_device_mapping: 'mapping',
  ancestry: 'ancestor_ami_id',
};

/** One that comes twice is taken from one place by one reader and from another by the next. */
function requireUnique(element: XmlElement): void {
  const several = LISTS[element.name];
  const names = new Set<string>();
  for (const child of element.children) {
    if (names.has(child.name)) throw badBundle(`its manifest has <${child.name}> twice in <${element.name}>`);
    if (child.name !== several) names.add(child.name);
    requireUnique(child);
  }
}

const kindOf = ({ type, kernelId, ramdiskId }: z.infer<typeof Inside>): ImageKind => {
  if (kernelId === 'true') return 'kernel';
  return ramdiskId === 'true' ? 'ramdisk' : type;
};

/** Reads only what is signed, out of the very text that the signature is of. 'InvalidImage.Format'. */
export function readManifest(text: string, keys: BundleKeys): Manifest {
  const root = parse(text);
  if (root.name !== 'manifest') throw badBundle('its manifest is no <manifest>');
  const { signature } = shaped(Outside, { version: xmlText(root, 'version'), signature: xmlText(root, 'signature') });
  const signed = signedText(text);
  requireSigner(signed, signature, keys);
  const inside = parse(`<manifest>${signed}</manifest>`);
  requireUnique(inside);
  const [configuration, image] = inside.children;
  if (configuration === undefined || image === undefined || inside.children.length !== 2)
    throw badBundle('its manifest is not what its signature says');
  const found = insideOf(configuration, image);
  const { architecture, kernelId, ramdiskId, name, bundledSize } = found;
  const parts = found.parts.toSorted((a, b) => a.index - b.index);
  if (parts.length !== found.partCount || parts.some((part, at) => part.index !== at))
    throw badBundle(
      `its manifest announces ${found.partCount} parts and names ${parts.length}, or not each of them once`,
    );
  return {
    ...(architecture === undefined ? {} : { architecture: ARCHITECTURES[architecture] }),
    ...(kernelId === undefined || kernelId === 'true' ? {} : { kernelId }),
    ...(ramdiskId === undefined || ramdiskId === 'true' ? {} : { ramdiskId }),
    ...(name === undefined ? {} : { name }),
    ...(bundledSize === undefined ? {} : { bundledBytes: bundledSize }),
    kind: kindOf(found),
    sizeBytes: found.size,
    digest: found.digest.toLowerCase(),
    wrappedKey: Buffer.from(found.key, 'hex'),
    wrappedIv: Buffer.from(found.iv, 'hex'),
    parts: parts.map((part) => ({ name: part.name, digest: part.digest.toLowerCase() })),
  };
}
