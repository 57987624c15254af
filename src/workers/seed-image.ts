import type { InstanceSeed, InstanceSpec } from '../messages/worker.ts';
import { isoImage } from './iso-image.ts';

/** What JSON lets stand in a string and YAML 1.1 does not (§5.1), or takes for a line's end: written as its code. */
const NOT_YAML = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** A scalar that YAML reads as this text whatever is in it. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(NOT_YAML, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The keys that cloud-init's NoCloud data source and our tiny guest read. */
export function seedMetaData({ instanceId, port, network }: InstanceSpec, seed: InstanceSeed): string {
  const keys = seed.publicKeys.map((key) => `  - ${quoted(key)}\n`).join('');
  return [
    `instance-id: ${quoted(instanceId)}\n`,
    `local-hostname: ${quoted(`${port.hostname}.${network.domain}`)}\n`,
    `instance-type: ${quoted(seed.instanceType)}\n`,
    keys === '' ? '' : `public-keys:\n${keys}`,
  ].join('');
}

/**
 * What a guest is told of itself where no metadata service answers: the disk that cloud-init knows as NoCloud, found by its label. Without user data the
 * file is empty, for it must be there.
 */
export function seedImage(spec: InstanceSpec, seed: InstanceSeed): Buffer {
  return isoImage('CIDATA', [
    { name: 'meta-data', body: Buffer.from(seedMetaData(spec, seed)) },
    { name: 'user-data', body: Buffer.from(seed.userData ?? '', 'base64') },
  ]);
}
