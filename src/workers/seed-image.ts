import type { InstanceSeed, InstanceSpec } from '../messages/worker.ts';
import { isoImage } from './iso-image.ts';

/** A scalar that YAML reads as this text whatever is in it: YAML holds all of JSON. */
const quoted = (text: string): string => JSON.stringify(text);

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
