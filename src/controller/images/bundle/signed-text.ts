import { type KeyObject, verify } from 'node:crypto';
import { badBundle } from './tar-header.ts';

const SIGNED = ['machine_configuration', 'image'] as const;

/** The element's text as it stands; one that is there twice could mean one thing to who signed it and another to who reads it. */
function elementText(manifest: string, name: string): { readonly at: number; readonly text: string } {
  const [open, close] = [`<${name}>`, `</${name}>`];
  const [from, to] = [manifest.indexOf(open), manifest.indexOf(close)];
  const isOnce = from >= 0 && to > from && from === manifest.lastIndexOf(open) && to === manifest.lastIndexOf(close);
  if (!isOnce) throw badBundle(`its manifest must have ${open}…${close} exactly once`);
  return { at: from, text: manifest.slice(from, to + close.length) };
}

/** What the signature of a manifest covers: two of its elements as they stand, one behind the other, and nothing else of it. */
export function signedText(manifest: string): string {
  const [configuration, image] = SIGNED.map((name) => elementText(manifest, name));
  if (configuration === undefined || image === undefined || configuration.at > image.at)
    throw badBundle('its manifest has <image> in front of <machine_configuration>');
  return configuration.text + image.text;
}

/** RSA with SHA-1, as the tools of EC2 sign: by which of these keys. */
export function signerOf(text: string, signatureHex: string, keys: readonly KeyObject[]): KeyObject | undefined {
  const signature = Buffer.from(signatureHex, 'hex');
  return keys.find((key) => verify('RSA-SHA1', Buffer.from(text, 'utf8'), key, signature));
}
