import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord, InstanceState } from '../../domain/instance.ts';
import { newWork, transition, without } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Draft } from '../state/draft.ts';
import type { ChangeContext, ChangeHandler, Plan } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';
import { finishTarget } from './operation-record.ts';

type Change = OperationOutput<'StopInstances'>['instances'][number];

/** One row a call: in which states there is nothing to do, in which it may be done, and what is then written. */
interface StateCall {
  readonly verb: string;
  readonly already: readonly InstanceState[];
  readonly from: readonly InstanceState[];
  readonly advice: string;
  readonly next: (record: InstanceRecord, generation: number, nowMs: number, force: boolean) => InstanceRecord;
  /** What force makes of one in a state of `already`; undefined: nothing. */
  readonly hasten?: (record: InstanceRecord, generation: number, nowMs: number) => InstanceRecord | undefined;
}

const CALLS = {
  StartInstances: {
    verb: 'started',
    already: ['running', 'pending'],
    from: ['stopped'],
    advice: 'wait until it is stopped',
    next: (record, generation, nowMs) =>
      transition(without(record, 'stateReason'), 'pending', nowMs, {
        desired: 'running',
        generation,
        work: newWork(record.id, generation, 'run', nowMs),
      }),
  },
  StopInstances: {
    verb: 'stopped',
    already: ['stopped', 'stopping'],
    from: ['running'],
    advice: 'wait until it runs',
    next: (record, generation, nowMs, force) =>
      transition(record, 'stopping', nowMs, {
        desired: 'stopped',
        generation,
        stateReason: { code: 'Client.UserInitiatedShutdown', message: 'it was stopped on request' },
        work: newWork(record.id, generation, 'stop', nowMs, force),
      }),
    // Its guest does not heed the power button, and its owner does not want to wait any more.
    hasten: (record, generation, nowMs) =>
      record.state === 'stopping' && record.work?.verb === 'stop' && record.work.force !== true
        ? { ...record, generation, work: newWork(record.id, generation, 'stop', nowMs, true) }
        : undefined,
  },
  RebootInstances: {
    verb: 'rebooted',
    already: [],
    from: ['running'],
    advice: 'start it first',
    next: (record, generation, nowMs, force) => ({
      ...record,
      generation,
      work: newWork(record.id, generation, 'reboot', nowMs, force),
    }),
  },
  TerminateInstances: {
    verb: 'terminated',
    already: ['shutting-down', 'terminated'],
    from: ['pending', 'running', 'stopping', 'stopped'],
    advice: '',
    next: (record, generation, nowMs) =>
      transition(record, 'shutting-down', nowMs, {
        desired: 'terminated',
        generation,
        stateReason: { code: 'Client.UserInitiatedShutdown', message: 'it was terminated on request' },
        work: newWork(record.id, generation, 'remove', nowMs),
      }),
  },
} as const satisfies Record<string, StateCall>;

/** So many instances fit one transaction: record, the operation it supersedes, and room for the rest. */
const INSTANCES_MAX = 40;

function changeAll(
  draft: Draft,
  name: keyof typeof CALLS,
  input: { InstanceIds: string[]; Force?: boolean | undefined },
  context: ChangeContext,
): Plan<'StopInstances'> {
  const call: StateCall = CALLS[name];
  const ids = [...new Set(input.InstanceIds)];
  if (ids.length > INSTANCES_MAX) {
    throw new CloudError(
      'InvalidParameterValue',
      `InstanceIds: ${ids.length} are too many for one call; at most ${INSTANCES_MAX}`,
      {
        details: { parameter: 'InstanceIds' },
      },
    );
  }
  const instances: Change[] = [];
  const pending: string[] = [];
  for (const id of ids) {
    const record = instanceOf((key) => draft.get<InstanceRecord>(key), context.principal, id);
    const force = input.Force === true;
    const hastened = force ? call.hasten?.(record, record.generation + 1, context.nowMs) : undefined;
    if (hastened === undefined && call.already.includes(record.state)) {
      instances.push({ instanceId: id, previousState: record.state, currentState: record.state });
      continue;
    }
    refuseProtected(name, record);
    if (hastened === undefined) refuse(call, record);
    const next = hastened ?? call.next(record, record.generation + 1, context.nowMs, force);
    supersede(draft, record, context);
    draft.put(KEYS.instance(id), { ...next, operationId: context.operationId, operationDone: false });
    instances.push({ instanceId: id, previousState: record.state, currentState: next.state });
    pending.push(id);
  }
  return { output: { instances, operationId: context.operationId }, targets: ids, pending };
}

const PROTECTION = {
  TerminateInstances: ['disableApiTermination', 'DisableApiTermination'],
  StopInstances: ['disableApiStop', 'DisableApiStop'],
} as const;

/** Its owner has said that it is not to be ended by mistake. */
function refuseProtected(name: keyof typeof CALLS, record: InstanceRecord): void {
  if (name !== 'TerminateInstances' && name !== 'StopInstances') return;
  const [field, attribute] = PROTECTION[name];
  if (record[field] !== true) return;
  throw new CloudError(
    'OperationNotPermitted',
    `${record.id} may not be ${CALLS[name].verb}: its attribute ${attribute} is set; take that back first by ModifyInstanceAttribute`,
    { details: { instanceId: record.id, attribute } },
  );
}

function refuse(call: StateCall, record: InstanceRecord): void {
  const busy = call.verb !== 'terminated' && record.state === 'running' && record.work !== undefined;
  if (call.from.includes(record.state) && !busy) return;
  const why = busy ? `a ${record.work?.verb ?? 'change'} of it is under way` : `it is ${record.state}`;
  const advice = busy ? 'wait until that has ended' : call.advice;
  throw new CloudError(
    'IncorrectInstanceState',
    `${record.id} can't be ${call.verb}: ${why}${advice === '' ? '' : `; ${advice} ("novactl why instance ${record.id}" says more)`}`,
    { details: { instanceId: record.id, state: record.state } },
  );
}

/** The operation whose work this one ends before it was done. */
function supersede(draft: Draft, record: InstanceRecord, context: ChangeContext): void {
  if (record.operationId === undefined || record.operationDone === true) return;
  finishTarget(draft, record.operationId, record.id, context.nowMs, {
    error: { code: 'IncorrectState', message: `superseded by ${context.operationId}` },
  });
}

const handler = <N extends keyof typeof CALLS>(name: N): ChangeHandler<N> => ({
  decide: (draft, input, context) => changeAll(draft, name, input, context) as Plan<N>,
});

export const startInstances = handler('StartInstances');
export const stopInstances = handler('StopInstances');
export const rebootInstances = handler('RebootInstances');
export const terminateInstances = handler('TerminateInstances');
