import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createFileBlobs } from '../adapters/blobs/file-blobs.ts';
import { withLocalBlobs } from '../adapters/blobs/local-first-blobs.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Blobs } from '../ports/blobs.ts';
import { blobsDir } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { endpointSettings, hasEndpoint } from './open-endpoint.ts';

export interface BlobsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Several processes have the folder. */
  readonly shared?: boolean;
  /** Nothing is changed. */
  readonly readOnly?: boolean;
  /** Whose they are at an endpoint; absent: all that are there are listed. */
  readonly cloudId?: string | undefined;
}

/**
 * Where the bytes of images are: in the configured folder, or at the S3 endpoint. With an endpoint a folder that has some goes on being read, so that a cloud may
 * be moved to one. Nothing is dialled yet. Errors: those of endpointSettings.
 */
export async function openBlobs(
  config: Pick<Config, 'blobs' | 'objectstore' | 'stateDir'>,
  parts: BlobsParts,
): Promise<Blobs> {
  const { clock, random, logger, shared = false, readOnly = false, cloudId } = parts;
  const dir = blobsDir(config);
  const files = createFileBlobs({ dir, random, shared, readOnly });
  if (!hasEndpoint(config)) return files;
  const settings = await endpointSettings(config, { clock });
  const { createS3Blobs } = await import('../adapters/blobs/s3-blobs.ts');
  const { prefix, caFile } = config.objectstore;
  const there = createS3Blobs({ ...settings, prefix, random, logger, readOnly, cloudId });
  const blobs = existsSync(join(dir, 'names')) ? withLocalBlobs(there, files) : there;
  return caFile === '' || settings.ca === undefined ? blobs : { ...blobs, presignCa: settings.ca.toString('utf8') };
}

/** Blobs that are opened by the first question for them. They give out no URLs. */
export function lazyBlobs(open: () => Promise<Blobs>): Blobs {
  let opened: Promise<Blobs> | undefined;
  const blobs = (): Promise<Blobs> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    put: async (key, body, options) => (await blobs()).put(key, body, options),
    head: async (key) => (await blobs()).head(key),
    read: async (key, range) => (await blobs()).read(key, range),
    delete: async (key) => (await blobs()).delete(key),
    list: async (prefix) => (await blobs()).list(prefix),
  };
}
