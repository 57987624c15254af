import { silentLogger } from '../../src/base/logger.ts';
import type { S3Door } from '../../src/controller/api/s3/s3-edge.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import { createS3Door } from '../../src/launch/s3.ts';
import type { SimCloud } from './sim-cloud.ts';

/** The way to the objects of a simulated cloud, as `serve` makes it. */
export function simS3Door({ cloud, clock, random }: SimCloud, stateDir: string): S3Door {
  const config = ConfigSchema.parse({ drivers: 'simulated', stateDir });
  return createS3Door(cloud, { config, clock, random, logger: silentLogger });
}
