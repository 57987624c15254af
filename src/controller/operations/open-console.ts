import { CloudError, isCode } from '../../base/errors.ts';
import { randomHex } from '../../base/random.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import { openBusConsole } from '../consoles/bus-console.ts';
import { domainUuid } from '../instances/instance-command.ts';
import type { DuplexHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';

/** Who opened it is told in the log: a console changes no record, and needs no controller that can write one. */
export const openConsole: DuplexHandler<'OpenConsole'> = async ({ cloud, principal }, input) => {
  const { store, bus, clock, random, logger } = cloud;
  const record = instanceOf((key) => store.get<InstanceRecord>(key)?.value, principal, input.InstanceId);
  if (record.state === 'terminated') {
    throw new CloudError('IncorrectInstanceState', `${record.id} is terminated; its console is gone`);
  }
  const assign = store.get<AssignRecord>(KEYS.assign('compute', record.hostId))?.value;
  if (assign === undefined) throw new CloudError('Unavailable', `no worker serves the host of ${record.id}`);
  const consoleId = `con-${randomHex(random, 17)}`;
  const ask = { v: 1 as const, consoleId, hostId: record.hostId, instanceId: record.id };
  const audit = {
    consoleId,
    instanceId: record.id,
    principal: principal.name,
    from: principal.from,
    force: input.Force,
  };
  try {
    const channel = await openBusConsole({
      ...{ bus, clock, workerId: assign.workerId },
      ask: { ...ask, domainUuid: domainUuid(cloud.cloudId, record.id), force: input.Force },
    });
    logger.info('console opened', audit);
    return channel;
  } catch (error) {
    logger.info('console refused', { ...audit, error: error instanceof Error ? error.message : String(error) });
    if (!isCode(error, 'IncorrectState', 'NotFound')) throw error;
    throw new CloudError(
      'IncorrectInstanceState',
      `${record.id} is ${record.state}: only a running guest has a console to connect to; novactl instance log ${record.id} shows what it printed`,
      { cause: error },
    );
  }
};
