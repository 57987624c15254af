import { isoTime } from '../../../../base/clock.ts';
import type { OperationOutput } from '../../../../messages/operations/index.ts';
import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import { idList, needId, needIds, refusePage } from '../id-params.ts';
import { reservationSet, reservationTree, stateChanges, stateTree } from '../instance-trees.ts';
import { onlyDefaults } from '../only-defaults.ts';
import { runInput } from '../run-parameters.ts';
import { instanceAttributesActions } from './instance-attributes.ts';
import { instanceTypesActions } from './instance-types.ts';
import { askedPage } from './security-groups.ts';

const PAGE_MIN = 5;
const PAGE_MAX = 1000;

const runInstances: Ec2Action = async (call) => {
  const { instances } = await call.run('RunInstances', runInput(call.params, call));
  return reservationTree(call, instances);
};

const describeInstances: Ec2Action = async (call) => {
  const InstanceIds = idList(call.params, 'instance', 'InstanceId');
  const page = askedPage(call);
  refusePage(page, PAGE_MIN, PAGE_MAX);
  const { instances, nextToken } = await call.run('DescribeInstances', { ...given({ InstanceIds }), ...page });
  return { reservationSet: reservationSet(call, instances), nextToken };
};

const startInstances: Ec2Action = async (call) =>
  stateChanges(await call.run('StartInstances', { InstanceIds: needIds(call.params, 'instance', 'InstanceId') }));

const stopInstances: Ec2Action = async (call) => {
  const { params } = call;
  onlyDefaults(params, { Hibernate: ['false'] });
  const InstanceIds = needIds(params, 'instance', 'InstanceId');
  return stateChanges(await call.run('StopInstances', { InstanceIds, ...given({ Force: params.bool('Force') }) }));
};

const rebootInstances: Ec2Action = async (call) => {
  await call.run('RebootInstances', { InstanceIds: needIds(call.params, 'instance', 'InstanceId') });
  return { return: true };
};

const terminateInstances: Ec2Action = async (call) =>
  stateChanges(await call.run('TerminateInstances', { InstanceIds: needIds(call.params, 'instance', 'InstanceId') }));

type Status = OperationOutput<'DescribeInstanceStatus'>['statuses'][number];

const REACHABILITY = {
  ok: 'passed',
  impaired: 'failed',
  initializing: 'initializing',
  'insufficient-data': 'insufficient-data',
} as const;

function summary(status: Status['system']) {
  if (status === 'not-applicable') return { status };
  return { status, details: [{ name: 'reachability', status: REACHABILITY[status] }] };
}

const describeInstanceStatus: Ec2Action = async (call) => {
  const { params } = call;
  const InstanceIds = idList(params, 'instance', 'InstanceId');
  const page = askedPage(call);
  refusePage(page, PAGE_MIN, PAGE_MAX);
  const asked = { ...given({ InstanceIds, IncludeAllInstances: params.bool('IncludeAllInstances') }), ...page };
  const { statuses, nextToken } = await call.run('DescribeInstanceStatus', asked);
  return {
    instanceStatusSet: statuses.map(({ instanceId, availabilityZone, state, system, instance }) => ({
      instanceId,
      availabilityZone,
      eventsSet: [],
      instanceState: stateTree(state),
      systemStatus: summary(system),
      instanceStatus: summary(instance),
    })),
    nextToken,
  };
};

const getConsoleOutput: Ec2Action = async (call) => {
  // What is answered is always the newest.
  call.params.bool('Latest');
  // boto 2 writes it as a list of one.
  const [InstanceId = '', second] = needIds(call.params, 'instance', 'InstanceId');
  if (second !== undefined) throw call.params.bad('InstanceId.2', 'the console of one instance is told in a call');
  const { output } = await call.run('GetConsoleOutput', { InstanceId });
  return { instanceId: InstanceId, timestamp: isoTime(call.nowMs), output };
};

/** Guests here make no password of their own: empty, as EC2 answers for Linux. */
const getPasswordData: Ec2Action = async (call) => {
  const InstanceId = needId(call.params, 'instance', 'InstanceId');
  await call.run('DescribeInstances', { InstanceIds: [InstanceId] });
  return { instanceId: InstanceId, timestamp: isoTime(call.nowMs), passwordData: '' };
};

/** There is no closer look that could be switched on or off: what is so is answered. */
const monitoring: Ec2Action = async (call) => {
  const InstanceIds = needIds(call.params, 'instance', 'InstanceId');
  const { instances } = await call.run('DescribeInstances', { InstanceIds });
  return { instancesSet: instances.map(({ instanceId }) => ({ instanceId, monitoring: { state: 'disabled' } })) };
};

export const instancesActions: Ec2Actions = {
  ...instanceAttributesActions,
  ...instanceTypesActions,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstances: describeInstances,
  GetConsoleOutput: getConsoleOutput,
  GetPasswordData: getPasswordData,
  MonitorInstances: monitoring,
  RebootInstances: rebootInstances,
  RunInstances: runInstances,
  StartInstances: startInstances,
  StopInstances: stopInstances,
  TerminateInstances: terminateInstances,
  UnmonitorInstances: monitoring,
};
