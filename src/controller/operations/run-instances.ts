import { newId } from '../../base/ids.ts';
import { KEYS } from '../../domain/keys.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import type { ReservationRecord } from '../../domain/records.ts';
import { draftInstance, freshInstanceId, instancesPerTxn } from '../instances/launch.ts';
import { instanceView } from '../instances/instance-view.ts';
import { launchTemplate } from '../instances/launch-template.ts';
import { completeReservation } from '../instances/reservations.ts';
import { launchDemand, launchGroups, launchNetwork } from '../instances/launch-place.ts';
import { freeAddresses, noAddresses } from '../networks/project-network.ts';
import { schedule, verdicts } from '../scheduler/schedule.ts';
import { launchAmounts } from '../../domain/usage.ts';
import { Draft } from '../state/draft.ts';
import { isCode } from '../../base/errors.ts';
import { claimQuota, quotaRoom } from '../users/quota.ts';
import { freshVolumeIds, launchVolumes } from '../volumes/launch-volumes.ts';
import type { ChangeHandler, ReadContext, ReadHandler } from './handler.ts';

/** Intent first: reservation, capacity, and the first instances' records, addresses and work are one transaction. */
export const runInstances: ChangeHandler<'RunInstances'> = {
  decide(draft, input, context) {
    const { cloud, nowMs, operationId } = context;
    const { template: common, image } = launchTemplate(draft, context.principal, input);
    const network = launchNetwork(draft, context, input);
    const template = {
      ...common,
      ...launchGroups(draft, context, input, network),
      ...launchVolumes(draft, context, input),
      networkId: network.id,
    };
    const free = freeAddresses(draft, network, nowMs, input.MaxCount);
    if (free < input.MinCount) throw noAddresses(network, free, input.MinCount);
    const room = quotaRoom(draft, template, launchAmounts(template), Math.min(input.MaxCount, free));
    const hosts = schedule(
      draft,
      cloud,
      launchDemand(draft, context, { ...input, network }, { ...template, architecture: image.architecture }),
      // What the quota has no room for is claimed all the same, to be refused by name.
      { min: input.MinCount, max: Math.max(room, input.MinCount) },
    );
    claimQuota(draft, template, launchAmounts(template, hosts.length));
    for (const id of [image.id, template.kernelId, template.ramdiskId])
      if (id !== undefined) draft.put(KEYS.imageUse(id), { v: 1, atMs: nowMs });
    const reservationId = newId('reservation', cloud.random);
    const whole = { ...template, reservationId, operationId };
    const placements = hosts.map((hostId, launchIndex) => ({
      instanceId: freshInstanceId(draft, cloud.random),
      launchIndex,
      hostId,
      ...freshVolumeIds(template, cloud.random),
    }));
    const count = instancesPerTxn(template);
    for (const placement of placements.slice(0, count)) {
      draftInstance(draft, network, whole, placement, { random: cloud.random, nowMs });
    }
    const left = placements.slice(count);
    const instanceIds = placements.map((placement) => placement.instanceId);
    draft.put(KEYS.reservation(reservationId), {
      v: 1,
      id: reservationId,
      projectId: template.projectId,
      instanceIds,
      createdAtMs: nowMs,
      ...(left.length === 0 ? {} : { remaining: { template: whole, placements: left } }),
    } satisfies ReservationRecord);
    const targets = [...instanceIds, ...placements.flatMap(({ volumeIds = [] }) => volumeIds)];
    return { output: { reservationId, operationId, instances: [] }, targets, pending: targets };
  },

  /** The answer is the reservation as it stands when all of it is made, so a repeated token gets the same instances. */
  async replay(context, answer) {
    await completeReservation(context.cloud, answer.reservationId);
    return { ...answer, instances: reservationViews(context, answer.reservationId) };
  },
};

function reservationViews({ cloud }: ReadContext, reservationId: string) {
  const reservation = cloud.store.get<ReservationRecord>(KEYS.reservation(reservationId))?.value;
  return (reservation?.instanceIds ?? []).flatMap((id) => {
    const entry = cloud.store.get<InstanceRecord>(KEYS.instance(id));
    return entry === undefined ? [] : [instanceView(cloud, entry.value, entry.rev)];
  });
}

/** The same decision on a draft that nobody commits. */
export const planInstances: ReadHandler<'PlanInstances'> = (context, input) => {
  const { cloud, principal } = context;
  const draft = new Draft(cloud.store);
  const { template, image } = launchTemplate(draft, principal, input);
  launchVolumes(draft, context, input);
  const demand = launchDemand(draft, context, input, { ...template, architecture: image.architecture });
  let hosts: string[] = [];
  try {
    hosts = schedule(draft, cloud, demand, { min: input.MinCount, max: input.MaxCount });
  } catch (error) {
    if (!isCode(error, 'InsufficientInstanceCapacity')) throw error;
  }
  const names = new Map(verdicts(draft, cloud, demand).map((verdict) => [verdict.hostId, verdict.hostName]));
  return {
    possible: hosts.length >= input.MinCount,
    imageId: image.id,
    instanceType: template.typeName,
    placements: hosts.map((hostId, launchIndex) => ({ launchIndex, hostId, hostName: names.get(hostId) ?? hostId })),
    hosts: verdicts(new Draft(cloud.store), cloud, demand),
  };
};
