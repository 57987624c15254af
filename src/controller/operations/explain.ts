import { humanDuration } from '../../base/units.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord, InstanceTypeRecord } from '../../domain/records.ts';
import { CloudError } from '../../base/errors.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { DomainObservation } from '../hosts/observations.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { findImage } from '../images/find-image.ts';
import { instanceView } from '../instances/instance-view.ts';
import { verdicts } from '../scheduler/schedule.ts';
import { Draft } from '../state/draft.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';

type Explanation = OperationOutput<'ExplainInstance'>;

export const explainInstance: ReadHandler<'ExplainInstance'> = (context, input) => {
  const { cloud, principal } = context;
  const { store, observations } = cloud;
  const record = instanceOf((key) => store.get<InstanceRecord>(key)?.value, principal, input.InstanceId);
  const entry = store.get<InstanceRecord>(KEYS.instance(record.id));
  const host = store.get<HostRecord>(KEYS.host(record.hostId))?.value;
  const problem = hostProblem(cloud, host, record.hostId);
  const seen = observations.domain(record.hostId, record.id);
  const work = workUnderWay(record, observations.progressOf(record.id)?.step);
  const explanation: Omit<Explanation, 'because' | 'next'> = {
    instance: instanceView(cloud, record, entry?.rev ?? store.rev),
    desired: record.desired,
    generation: record.generation,
    ...(work === undefined ? {} : { work }),
    host: {
      hostId: record.hostId,
      hostName: host?.name ?? record.hostId,
      state: problem === undefined && host !== undefined ? host.state : 'down',
      ...(problem === undefined ? {} : { problem }),
    },
    ...(seen === undefined ? {} : { observed: observed(seen) }),
  };
  return { ...explanation, ...sentences(context, record, explanation) };
};

function workUnderWay({ work }: InstanceRecord, progress: string | undefined): Explanation['work'] {
  if (work === undefined) return undefined;
  const { verb, attempt, sinceMs, notBeforeMs, lastError } = work;
  const step = progress ?? lastError?.step;
  return {
    ...{ verb, attempt, sinceMs },
    ...(step === undefined ? {} : { step }),
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(lastError === undefined ? {} : { lastError: lastError.message }),
  };
}

function observed({ power, reason, atMs }: DomainObservation): NonNullable<Explanation['observed']> {
  return { power, atMs, ...(reason === undefined ? {} : { reason }) };
}

const DOING = { run: 'starting it', stop: 'stopping it', reboot: 'rebooting it', remove: 'removing it' } as const;

function sentences(
  { nowMs, cloud }: ReadContext,
  record: InstanceRecord,
  { host, work }: Omit<Explanation, 'because' | 'next'>,
): { because: string[]; next: string[] } {
  const because: string[] = [];
  const next: string[] = [];
  if (record.stateReason !== undefined) because.push(`${record.stateReason.message} (${record.stateReason.code})`);
  if (record.work !== undefined && work !== undefined) {
    const took = humanDuration(nowMs - record.work.sinceMs);
    because.push(
      `the cloud is ${DOING[record.work.verb]}: attempt ${work.attempt}, step ${work.step ?? 'not begun'}, for ${took}`,
    );
    if (work.lastError !== undefined) because.push(`the last attempt failed: ${work.lastError}`);
    if (work.notBeforeMs !== undefined && work.notBeforeMs > nowMs) {
      next.push(`it tries again in ${humanDuration(work.notBeforeMs - nowMs)}`);
    }
    if (record.work.verb === 'run') next.push(`after ${cloud.policy.maxAttempts} failed attempts it gives up`);
  } else if (record.state === record.desired) {
    because.push(`it is ${record.state}, as was wanted last`);
  }
  if (host.problem !== undefined) {
    because.push(`its host ${host.hostName} can't be worked with: ${host.problem}`);
    next.push('the work goes on when the host answers again; see "novactl host show"');
  }
  if (record.operationId !== undefined) next.push(`"novactl op show ${record.operationId}" lists the steps`);
  if (record.state === 'running') next.push(`"novactl instance log ${record.id}" shows its console`);
  if (record.state === 'stopped') next.push(`"novactl instance start ${record.id}" starts it`);
  return { because, next };
}

export const explainPlacement: ReadHandler<'ExplainPlacement'> = ({ cloud, principal }, input) => {
  const draft = new Draft(cloud.store);
  const type = draft.peek<InstanceTypeRecord>(KEYS.type(input.InstanceType));
  if (type === undefined) {
    throw new CloudError(
      'InvalidInstanceType.NotFound',
      `InstanceType: there is no type ${input.InstanceType}; see "novactl type list"`,
      {
        details: { parameter: 'InstanceType' },
      },
    );
  }
  const image = input.ImageId === undefined ? undefined : findImage(draft, principal, input.ImageId, 'ImageId');
  const hosts = verdicts(draft, cloud, {
    ...type,
    ...(image === undefined ? {} : { architecture: image.architecture }),
  });
  return { instanceType: type.name, possible: hosts.some((row) => row.weight !== undefined), hosts };
};
