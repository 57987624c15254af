import { CloudError } from '../base/errors.ts';

/** What network and volume backends may be able to do, beside what each must (an instance with an address in its project's network). */
export const CAPABILITIES = [
  'security-groups',
  'addresses',
  'volumes',
  'snapshots',
  /** More networks of a project than its first, and subnets in them. */
  'networks',
  /** An image of an instance's disk. */
  'create-image',
] as const;

/** What the drivers of real hosts are able to do of it. */
export const REAL_CAPABILITIES = ['create-image'] as const satisfies readonly Capability[];

export type Capability = (typeof CAPABILITIES)[number];

const WORDS: Readonly<Record<Capability, string>> = {
  'security-groups': 'security groups',
  addresses: 'public addresses',
  volumes: 'volumes',
  snapshots: 'snapshots',
  networks: 'networks beside the first of a project',
  'create-image': 'images of instances',
};

/**
 * Refuses what no backend of this cloud does: nothing is stored for something that will not happen.
 * Errors: 'UnsupportedOperation' (details.capability).
 */
export function needCapability(has: readonly Capability[], capability: Capability, what: string): void {
  if (has.includes(capability)) return;
  throw new CloudError(
    'UnsupportedOperation',
    `${what}: the hosts of this cloud have no ${WORDS[capability]}; only simulated ones ("novactl sandbox") have`,
    { details: { capability } },
  );
}
