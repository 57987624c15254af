import { CloudError } from '../../base/errors.ts';
import { withoutFields } from '../../domain/volume.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import { hostLimits } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord, ImageRecord, UserDataRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import { OPERATIONS, type OperationParsed } from '../../messages/operations/index.ts';
import { instanceView } from '../instances/instance-view.ts';
import { bootPart, instanceType } from '../instances/launch-template.ts';
import { resolveGroups } from '../networks/security-groups.ts';
import { vpcIdOf } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { claimQuota, releaseQuota } from '../users/quota.ts';
import { setDeleteOnTermination } from '../volumes/attach-volume.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';
import { refuseUnlessAllowed } from './refuse-unless-allowed.ts';

type Input = OperationParsed<'ModifyInstanceAttribute'>;

export const describeInstanceAttribute: ReadHandler<'DescribeInstanceAttribute'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const record = instanceOf((key) => store.get<InstanceRecord>(key)?.value, principal, input.InstanceId);
  const { rev = store.rev } = store.get(KEYS.instance(record.id)) ?? {};
  const userData = store.get<UserDataRecord>(KEYS.userData(record.id))?.value.data;
  return { instance: instanceView(cloud, record, rev), ...(userData === undefined ? {} : { userData }) };
};

/** One change a step, each on what the one before it left. */
const STEPS: readonly ((
  draft: Draft,
  record: InstanceRecord,
  input: Input,
  context: ChangeContext,
) => InstanceRecord)[] = [withType, withBootParts, withUserData, withGroups, withVolumes, withProtection];

export const modifyInstanceAttribute: ChangeHandler<'ModifyInstanceAttribute'> = {
  decide(draft, input, context) {
    const { cloud, principal, operationId } = context;
    const before = instanceOf((key) => draft.get<InstanceRecord>(key), principal, input.InstanceId);
    if (before.state === 'terminated' || before.state === 'shutting-down') {
      throw wrongState(before, 'it can be changed no more');
    }
    const record = STEPS.reduce((now, step) => step(draft, now, input, context), before);
    draft.put(KEYS.instance(record.id), record);
    // As it was committed last, but for what is changed: nothing that the view reads elsewhere is.
    const instance = instanceView(cloud, record, cloud.store.rev);
    return { output: { instance, operationId }, targets: [record.id] };
  },

  replay({ cloud, principal }, answer) {
    const entry = cloud.store.get<InstanceRecord>(KEYS.instance(answer.instance.instanceId));
    if (entry === undefined || entry.value.projectId !== principal.projectId) return answer;
    return { ...answer, instance: instanceView(cloud, entry.value, entry.rev) };
  },
};

function wrongState({ id, state }: InstanceRecord, what: string): CloudError {
  return new CloudError('IncorrectInstanceState', `${id} is ${state}: ${what}`, { details: { instanceId: id, state } });
}

function needStopped(record: InstanceRecord, what: string): void {
  if (record.state !== 'stopped') throw wrongState(record, `stop it first to change its ${what}`);
}

/** The disk stays as it is; processors and memory are claimed of the same host. */
function withType(draft: Draft, record: InstanceRecord, { InstanceType: name }: Input, { cloud }: ChangeContext) {
  if (name === undefined || name === record.typeName) return record;
  const type = instanceType(draft, name);
  needStopped(record, 'type');
  const host = draft.peek<HostRecord>(KEYS.host(record.hostId));
  const key = KEYS.capacity(record.hostId);
  const used = draft.get<CapacityRecord>(key) ?? NO_CAPACITY;
  const next = {
    ...used,
    vcpus: used.vcpus - record.vcpus + type.vcpus,
    memoryMib: used.memoryMib - record.memoryMib + type.memoryMib,
  };
  const limits = host && hostLimits(host, cloud.policy.placement);
  const short = (['vcpus', 'memoryMib'] as const).find(
    (what) => type[what] > record[what] && limits !== undefined && next[what] > limits[what],
  );
  if (short !== undefined) {
    throw new CloudError(
      'InsufficientInstanceCapacity',
      `InstanceType: the host of ${record.id}, ${host?.name ?? record.hostId}, has no room for ${name} (${short})`,
    );
  }
  draft.put(key, next);
  moveQuota(draft, record, type);
  return { ...record, typeName: type.name, vcpus: type.vcpus, memoryMib: type.memoryMib };
}

/** Only the difference: who is over a limit that was lowered may still make an instance smaller. */
function moveQuota(draft: Draft, record: InstanceRecord, type: Pick<InstanceRecord, 'vcpus' | 'memoryMib'>): void {
  for (const kind of ['vcpus', 'memoryMib'] as const) {
    const more = type[kind] - record[kind];
    if (more > 0) claimQuota(draft, record, { [kind]: more });
    else if (more < 0) releaseQuota(draft, record, { [kind]: -more });
  }
}

function withBootParts(draft: Draft, record: InstanceRecord, input: Input, { principal, nowMs }: ChangeContext) {
  if (input.KernelId === undefined && input.RamdiskId === undefined && input.Reset === undefined) return record;
  needStopped(record, 'kernel and ramdisk');
  const image = draft.get<ImageRecord>(KEYS.image(record.imageId));
  const own = image ?? record;
  const kernelId =
    input.Reset === 'kernel' ? own.kernelId : (bootPart(draft, principal, input.KernelId, 'kernel') ?? record.kernelId);
  const ramdiskId =
    input.Reset === 'ramdisk'
      ? own.ramdiskId
      : (bootPart(draft, principal, input.RamdiskId, 'ramdisk') ?? record.ramdiskId);
  for (const id of [kernelId, ramdiskId]) if (id !== undefined) draft.put(KEYS.imageUse(id), { v: 1, atMs: nowMs });
  return {
    ...withoutFields(record, 'kernelId', 'ramdiskId'),
    ...(kernelId === undefined ? {} : { kernelId }),
    ...(ramdiskId === undefined ? {} : { ramdiskId }),
  };
}

function withUserData(draft: Draft, record: InstanceRecord, { UserData: data }: Input) {
  if (data === undefined) return record;
  needStopped(record, 'user data');
  const key = KEYS.userData(record.id);
  draft.get(key);
  const rest = withoutFields(record, 'hasUserData');
  if (data !== '') {
    draft.put(key, { v: 1, data } satisfies UserDataRecord);
    return { ...rest, hasUserData: true };
  }
  if (record.hasUserData === true) draft.del(key);
  return rest;
}

function withGroups(draft: Draft, record: InstanceRecord, { SecurityGroupIds: ids }: Input, context: ChangeContext) {
  if (ids === undefined) return record;
  const { projectId, nic } = record;
  const vpcId = vpcIdOf((key) => draft.peek(key), projectId, nic.networkId);
  const source = { ...context.cloud, nowMs: context.nowMs, vpcId };
  return { ...record, groupIds: resolveGroups(draft, projectId, { ids }, source) };
}

function withVolumes(
  draft: Draft,
  record: InstanceRecord,
  { DeleteOnTermination: byDevice = {} }: Input,
  { principal }: ChangeContext,
) {
  for (const [device, goes] of Object.entries(byDevice)) {
    // To have a volume go with its instance is to delete it.
    if (goes)
      refuseUnlessAllowed(
        principal,
        OPERATIONS.DeleteVolume.access,
        `BlockDeviceMapping: that a volume goes with its instance`,
      );
    setDeleteOnTermination(draft, record.id, device, goes);
  }
  return record;
}

function withProtection(_draft: Draft, record: InstanceRecord, input: Input) {
  const { DisableApiTermination, DisableApiStop, InstanceInitiatedShutdownBehavior: shutdownBehavior } = input;
  return {
    ...record,
    ...(DisableApiTermination === undefined ? {} : { disableApiTermination: DisableApiTermination }),
    ...(DisableApiStop === undefined ? {} : { disableApiStop: DisableApiStop }),
    ...(shutdownBehavior === undefined ? {} : { shutdownBehavior }),
  };
}
