import type { Clock } from '../base/clock.ts';
import { CloudError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { EtcdApi } from '../adapters/store/etcd/etcd-api.ts';
import { parseEtcdEndpoint } from '../adapters/store/etcd/etcd-endpoint.ts';
import { readConfiguredFile } from './config/configured-file.ts';
import type { Config } from './config/schema.ts';
import { systemAuthorities } from './config/system-authorities.ts';

const refuse = (message: string, cause?: unknown): CloudError =>
  new CloudError('InvalidParameterValue', message, { cause });

/** Whether one of the servers is spoken to by TLS. */
function checkEndpoints(endpoints: readonly string[]): boolean {
  if (endpoints.length === 0) {
    throw new CloudError(
      'InvalidParameterCombination',
      'store.engine is etcd and store.etcd.endpoints names no server: list them there, like https://etcd1.example.org:2379',
    );
  }
  try {
    return endpoints.map(parseEtcdEndpoint).some(({ tls }) => tls);
  } catch (error) {
    throw refuse(`store.etcd.endpoints: ${errorText(error)}`, error);
  }
}

/**
 * The connection to etcd that the configuration describes. Nothing is dialled yet, so a server that is down is no error here. gRPC is loaded by
 * this, and by nothing else. Errors: InvalidParameterValue and InvalidParameterCombination, which name the key and how to mend it.
 */
export async function openEtcd(
  config: Pick<Config, 'store'>,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Promise<EtcdApi> {
  const { endpoints, caFile, certFile, keyFile } = config.store.etcd;
  const secure = checkEndpoints(endpoints);
  if ((certFile === '') !== (keyFile === '')) {
    const [given, missing] = keyFile === '' ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
    throw new CloudError(
      'InvalidParameterCombination',
      `store.etcd.${given} is set and store.etcd.${missing} is not: a client certificate and its key go together`,
    );
  }
  const read = async (name: 'caFile' | 'certFile' | 'keyFile', path: string): Promise<Buffer | undefined> =>
    path === '' ? undefined : readConfiguredFile(`store.etcd.${name}`, path, { secret: name === 'keyFile' });
  const ca = (await read('caFile', caFile)) ?? (secure ? systemAuthorities() : undefined);
  const [cert, key] = [await read('certFile', certFile), await read('keyFile', keyFile)];
  const { createGrpcEtcd } = await import('../adapters/store/etcd/grpc-etcd.ts');
  try {
    return createGrpcEtcd({
      ...{ ...parts, endpoints },
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    throw refuse(`store.etcd.caFile, store.etcd.certFile, store.etcd.keyFile: ${errorText(error)}`, error);
  }
}
