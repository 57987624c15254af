import { hostname } from 'node:os';
import { createMemoryBus } from '../adapters/bus/memory-bus.ts';
import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Bus } from '../ports/bus.ts';
import { readConfiguredFile } from './config/configured-file.ts';
import type { Config } from './config/schema.ts';
import { systemAuthorities } from './config/system-authorities.ts';

export interface BusParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The bus that the configuration names. RabbitMQ's package is loaded by this alone, and only where it is wanted. Errors, which name the
 * key and how it is mended: 'Unavailable' when no server can be reached now, 'AuthFailure' when one refuses or can't be trusted,
 * 'InvalidParameterValue' and 'InvalidParameterCombination' for what can't be right.
 */
export async function openBus(config: Pick<Config, 'bus' | 'node'>, parts: BusParts): Promise<Bus> {
  if (config.bus.engine === 'memory') return createMemoryBus(parts);
  const { endpoints, vhost, user, passwordFile, certFile, keyFile } = config.bus.rabbitmq;
  if ((certFile === '') !== (keyFile === '')) {
    const [given, missing] = keyFile === '' ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
    throw combination(
      `bus.rabbitmq.${given} is set and bus.rabbitmq.${missing} is not: a client certificate and its key go together`,
    );
  }
  if (passwordFile === '' && certFile === '') {
    throw combination(
      'bus.engine is rabbitmq and neither bus.rabbitmq.passwordFile nor bus.rabbitmq.certFile is set: one of them says who this is',
    );
  }
  const read = async (name: 'passwordFile' | 'caFile' | 'certFile' | 'keyFile'): Promise<Buffer | undefined> => {
    const secret = name === 'passwordFile' || name === 'keyFile';
    const path = config.bus.rabbitmq[name];
    return path === '' ? undefined : readConfiguredFile(`bus.rabbitmq.${name}`, path, { secret });
  };
  const password = (await read('passwordFile'))?.toString('utf8').replace(/\r?\n$/, '');
  if (password === '')
    throw new CloudError('InvalidParameterValue', `bus.rabbitmq.passwordFile: ${passwordFile} is empty`);
  const secure = endpoints.some((endpoint) => endpoint.startsWith('amqps:'));
  const ca = (await read('caFile')) ?? (secure ? systemAuthorities() : undefined);
  const tls = { ca, cert: await read('certFile'), key: await read('keyFile') };
  const name = config.node.name === '' ? hostname() : config.node.name;
  const { openRabbitBus } = await import('../adapters/bus/rabbit-bus.ts');
  return openRabbitBus({ ...parts, endpoints, vhost, user, password, tls, name });
}

function combination(message: string): CloudError {
  return new CloudError('InvalidParameterCombination', message);
}
