import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import { mayUseInstance, type Principal } from './handler.ts';

/** The instance, or InvalidInstanceID.NotFound: the same for one that is not there and one of another project. */
export function instanceOf(
  get: (key: string) => InstanceRecord | undefined,
  principal: Principal,
  instanceId: string,
): InstanceRecord {
  const record = get(KEYS.instance(instanceId));
  if (record === undefined || !mayUseInstance(principal, record)) {
    throw new CloudError(
      'InvalidInstanceID.NotFound',
      `InstanceId: there is no instance ${instanceId}; see "novactl instance list"`,
      {
        details: { parameter: 'InstanceIds', instanceId },
      },
    );
  }
  return record;
}
