import { toJson } from '../../base/json.ts';
import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import { ConsolePart, TOPIC } from '../../messages/worker.ts';
import type { ReadHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';

const DEFAULT_BYTES = 64 * 1024;
const CONSOLE_TIMEOUT_MS = 15_000;

/** The log is a file on the instance's host: its worker reads it. */
export const getConsoleOutput: ReadHandler<'GetConsoleOutput'> = async ({ cloud, principal }, input) => {
  const record = instanceOf((key) => cloud.store.get<InstanceRecord>(key)?.value, principal, input.InstanceId);
  const assign = cloud.store.get<AssignRecord>(KEYS.assign('compute', record.hostId))?.value;
  if (assign === undefined) throw new CloudError('Unavailable', `no worker serves the host of ${record.id}`);
  const maxBytes = input.MaxBytes ?? DEFAULT_BYTES;
  const answer = await cloud.bus.call(
    TOPIC.worker(assign.workerId),
    'console-read',
    toJson({
      v: 1,
      hostId: record.hostId,
      instanceId: record.id,
      fromByte: input.FromByte ?? -DEFAULT_BYTES,
      maxBytes,
    }),
    { timeoutMs: CONSOLE_TIMEOUT_MS },
  );
  const part = ConsolePart.parse(answer);
  return { instanceId: record.id, output: part.data, fromByte: part.fromByte, nextByte: part.nextByte };
};
