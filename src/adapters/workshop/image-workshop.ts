import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { ImageWorkshop } from '../../ports/image-workshop.ts';

export interface WorkshopOptions {
  /** `<state>/imports`: of this process alone. */
  readonly dir: string;
  readonly blobs: Pick<Blobs, 'put' | 'delete'>;
  readonly clock: Clock;
  readonly random: Random;
}

export function createWorkshop(_options: WorkshopOptions): ImageWorkshop {
  return {
    build: () => Promise.reject(new CloudError('UnsupportedOperation', 'nothing is built yet')),
    clean: () => Promise.resolve(),
  };
}
