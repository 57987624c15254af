import type { S3Settings } from '../adapters/blobs/s3-endpoint.ts';
import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ImageObjects } from '../ports/image-objects.ts';
import { readConfiguredFile } from './config/configured-file.ts';
import type { Config } from './config/schema.ts';
import { systemAuthorities } from './config/system-authorities.ts';
import { ENDPOINT_WATCH, EndpointWatch } from './endpoint-watch.ts';

type Keys = Pick<Config, 'objectstore'>;

/** Whether the cloud's object store is an S3 endpoint elsewhere. */
export const hasEndpoint = ({ objectstore }: Keys): boolean => objectstore.endpoint !== '';

/** All that the configuration says of the S3 endpoint, with the secret. Errors: 'InvalidParameterValue', which names key and file. */
export async function endpointSettings(
  { objectstore }: Keys,
  { clock }: { readonly clock: Clock },
): Promise<S3Settings> {
  const { endpoint, bucket, region, addressing, accessKeyId, timeoutMs, secretKeyFile, caFile } = objectstore;
  const secret = await readConfiguredFile('objectstore.secretKeyFile', secretKeyFile, { secret: true });
  const secretAccessKey = secret.toString('utf8').trim();
  if (secretAccessKey === '') {
    throw new CloudError('InvalidParameterValue', `objectstore.secretKeyFile: ${secretKeyFile} is empty`);
  }
  const ca =
    caFile === '' ? systemAuthorities() : await readConfiguredFile('objectstore.caFile', caFile, { secret: false });
  return { endpoint, bucket, region, addressing, accessKeyId, secretAccessKey, ca, timeoutMs, clock };
}

/** Asks the endpoint, where there is one, for the bucket. Errors: those of endpointSettings; 'Unavailable', which says why and which setting mends it. */
export async function checkEndpoint(config: Keys, parts: { readonly clock: Clock }): Promise<void> {
  if (!hasEndpoint(config)) return;
  const settings = await endpointSettings(config, parts);
  const { S3Endpoint } = await import('../adapters/blobs/s3-endpoint.ts');
  const endpoint = new S3Endpoint(settings);
  try {
    await endpoint.check(config.objectstore.prefix);
  } finally {
    endpoint.close();
  }
}

/** Asks the endpoint, where there is one, now and then until it is closed. Errors: those of endpointSettings. */
export async function watchEndpoint(
  config: Keys,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<EndpointWatch | undefined> {
  if (!hasEndpoint(config)) return undefined;
  const settings = await endpointSettings(config, { clock });
  const { S3Endpoint } = await import('../adapters/blobs/s3-endpoint.ts');
  const endpoint = new S3Endpoint(settings);
  const timeoutMs = Math.min(settings.timeoutMs, ENDPOINT_WATCH.answerMaxMs);
  const check = (signal: AbortSignal) => endpoint.check(config.objectstore.prefix, { signal, timeoutMs });
  return new EndpointWatch({ check, clock, logger, onClose: () => endpoint.close() });
}

/** Objects at the endpoint that images are made of. The AWS SDK is loaded by this and by open-blobs.ts, and only where there is an endpoint. */
export async function openEndpointObjects(config: Keys, parts: { readonly clock: Clock }): Promise<ImageObjects> {
  const settings = await endpointSettings(config, parts);
  const { createS3ImageObjects } = await import('../adapters/blobs/s3-image-objects.ts');
  const { importBuckets, prefix } = config.objectstore;
  return createS3ImageObjects({ ...settings, importBuckets, prefix });
}
