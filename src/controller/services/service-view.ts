import { KEYS } from '../../domain/keys.ts';
import type { ServiceRecord } from '../../domain/records.ts';
import { objectsTroubleText } from '../../messages/objects-trouble.ts';
import type { ServiceHello } from '../../messages/worker.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { SERVICE_SILENT_MS, type SeenService } from './service-directory.ts';

export type ServiceView = OperationOutput<'DescribeServices'>['services'][number];

/** A process as the administrator sees it: what was decided about it, and what it last said. Undefined: neither. */
export function serviceView(
  { store, services }: Pick<ControllerContext, 'store' | 'services'>,
  serviceId: string,
  nowMs: number,
  record: ServiceRecord | undefined = store.get<ServiceRecord>(KEYS.service(serviceId))?.value,
): ServiceView | undefined {
  const seen = services.get(serviceId);
  if (seen === undefined && record === undefined) return undefined;
  const wanted = record?.state ?? 'enabled';
  return {
    serviceId,
    wanted,
    ...(record?.reason === undefined ? {} : { reason: record.reason }),
    ...(seen === undefined
      ? { roles: [], state: 'unheard' }
      : { state: stateOf(seen, wanted), ...said(seen.hello), ...problemOf(seen), lastHelloMs: nowMs - seen.silentMs }),
  };
}

function stateOf({ hello, lost }: SeenService, wanted: ServiceView['wanted']): ServiceView['state'] {
  if (lost) return hello.state === 'draining' ? 'ended' : 'lost';
  if (hello.state !== 'ready') return hello.state;
  return wanted === 'enabled' ? 'up' : wanted;
}

function problemOf({ hello, lost, doubled }: SeenService): Pick<ServiceView, 'problem'> {
  if (lost && hello.state === 'draining') return {};
  if (lost) return { problem: `it has said nothing for more than ${SERVICE_SILENT_MS / 1000} s` };
  if (doubled)
    return { problem: `two processes say that they are ${hello.serviceId}: give one of them another node.name` };
  const problem = hello.problem ?? (hello.objects && objectsTroubleText(hello.objects));
  return problem === undefined ? {} : { problem };
}

function said(hello: ServiceHello): Omit<ServiceView, 'serviceId' | 'wanted' | 'state' | 'problem' | 'reason'> {
  const { roles, version, machine, pid, startedAtMs, store, bus, owns, opens, depth } = hello;
  return {
    ...{ roles, version, machine, pid, startedAtMs, bus },
    ...(store === undefined ? {} : { store }),
    ...(owns === undefined ? {} : { owns }),
    ...(opens === undefined ? {} : { opens }),
    ...(depth === undefined ? {} : { depth }),
  };
}
