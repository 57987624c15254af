import { CloudError } from '../../../base/errors.ts';
import type { RegionZones } from '../../../domain/project-region.ts';

/** The regions of the cloud, the first one first. There is always one. */
export interface Regions {
  readonly first: string;
  readonly names: readonly string[];
  /** Errors: 'SignatureDoesNotMatch' that names the regions there are. */
  find(name: string): RegionZones;
}

export function regionsOf(all: readonly RegionZones[]): Regions {
  const byName = new Map(all.map((region) => [region.name, region]));
  const names = [...byName.keys()];
  return {
    first: names[0] ?? '',
    names,
    find(name) {
      const found = byName.get(name);
      if (found !== undefined) return found;
      throw new CloudError(
        'SignatureDoesNotMatch',
        `the request is signed for the region ${JSON.stringify(name.slice(0, 64))}; this endpoint serves ${names.join(', ')}`,
      );
    },
  };
}
