import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ServiceRecord } from '../../domain/records.ts';
import { serviceView } from '../services/service-view.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';

const unknown = (parameter: string, name: string): CloudError =>
  new CloudError(
    'InvalidService.NotFound',
    `${parameter}: no process ${name} has been heard of; see "novactl service list"`,
    { details: { parameter } },
  );

export const describeServices: ReadHandler<'DescribeServices'> = ({ cloud, nowMs }, input) => {
  const { services, store } = cloud;
  const heard = services.list().map(({ hello }) => hello.serviceId);
  const recorded = store.range<ServiceRecord>(PREFIX.service).map(({ value }) => value.serviceId);
  const names = input.Services ?? [...new Set([...heard, ...recorded])].toSorted();
  return {
    services: names.map((name) => {
      const view = serviceView(cloud, name, nowMs);
      if (view === undefined) throw unknown('Services', name);
      return view;
    }),
    rev: store.rev,
  };
};

/** Written down, since it must hold over restarts of the process; who gives out hosts looks at it. */
function deciding(state: ServiceRecord['state']): ChangeHandler<'EnableService' | 'DisableService' | 'DrainService'> {
  return {
    decide(draft, input, { cloud, operationId, nowMs }) {
      const key = KEYS.service(input.Service);
      const before = draft.get<ServiceRecord>(key);
      const record: ServiceRecord = {
        ...{ v: 1, serviceId: input.Service, state, atMs: nowMs },
        ...(input.Reason === undefined ? {} : { reason: input.Reason }),
      };
      const service = serviceView(cloud, input.Service, nowMs, record);
      if (service === undefined || (before === undefined && service.state === 'unheard'))
        throw unknown('Service', input.Service);
      if (state === 'enabled') draft.del(key);
      else draft.put(key, record);
      return { output: { service, operationId }, targets: [input.Service] };
    },
  };
}

export const enableService: ChangeHandler<'EnableService'> = deciding('enabled');
export const disableService: ChangeHandler<'DisableService'> = deciding('disabled');
export const drainService: ChangeHandler<'DrainService'> = deciding('draining');
