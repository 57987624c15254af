import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../src/base/errors.ts';
import type { CallMeta } from '../../../src/controller/operations/handler.ts';
import { checkRecords } from '../../../src/domain/check-records.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { QuotaKind, UsageRecord } from '../../../src/domain/quota.ts';
import { ADMIN, bootSector, startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

const project = (id: string, user = 'anna'): Partial<CallMeta> => ({
  principal: { name: `${user}/AKIAEXAMPLE`, userName: user, projectId: id, roles: ['manager', 'member'], from: 'test' },
});

let sim: SimCloud;
beforeEach(async () => {
  sim = await startSimCloud({ host: { cpus: 64, memoryMib: 65_536, diskGib: 4000 } });
  await sim.store.txn({
    puts: [
      { key: KEYS.project('lab'), value: { v: 1, id: 'lab', accountId: '123456789012', createdAtMs: 1 } },
      { key: KEYS.user('anna'), value: { v: 1, id: 'anna', roles: [], createdAtMs: 1 } },
    ],
  });
  const image = sim.store.range<Record<string, string>>('image/')[0];
  if (image !== undefined) await sim.store.txn({ puts: [{ key: image.key, value: { ...image.value, public: true } }] });
});
afterEach(() => sim.close());

const usage = (id: string, user?: string): Partial<Record<QuotaKind, number>> =>
  sim.store.get<UsageRecord>(KEYS.usage(id, user))?.value.used ?? {};
const problems = (): string[] => checkRecords(sim.store.range<unknown>(''));

describe('quotas', () => {
  it('[sim] count what is made, and each instance once when it has gone', async () => {
    const { reservationId } = await sim.run({ MinCount: 23, MaxCount: 23 }, project('lab'));
    expect(usage('lab')).toMatchObject({ instances: 23, vcpus: 23, memoryMib: 23 * 128 });
    expect(usage('lab', 'anna')).toMatchObject({ instances: 23 });
    const ids = sim.records().flatMap((one) => (one.reservationId === reservationId ? [one.id] : []));
    await sim.settled('running');
    await sim.call('StopInstances', { InstanceIds: ids.slice(0, 5) });
    await sim.settled('stopped', ids.slice(0, 5));
    expect(usage('lab')).toMatchObject({ instances: 23 });
    await sim.call('TerminateInstances', { InstanceIds: ids.slice(0, 9) });
    await sim.settled('terminated', ids.slice(0, 9));
    expect(usage('lab')).toMatchObject({ instances: 14, vcpus: 14 });
    await sim.call('TerminateInstances', { InstanceIds: ids });
    await sim.settled('terminated', ids);
    expect(usage('lab')).toMatchObject({ instances: 0, vcpus: 0, memoryMib: 0 });
    expect(problems()).toEqual([]);
  });

  it('[sim] of an instance that becomes smaller or larger count the difference, also beyond a limit that was lowered', async () => {
    const { instances } = await sim.run({ InstanceType: 'm1.medium', MinCount: 2, MaxCount: 2 }, project('lab'));
    const [InstanceId = ''] = instances.map(({ instanceId }) => instanceId);
    await sim.settled('running');
    await sim.call('StopInstances', { InstanceIds: [InstanceId] });
    await sim.settled('stopped', [InstanceId]);
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { instances: 1, vcpus: 3 } });
    await sim.call('ModifyInstanceAttribute', { InstanceId, InstanceType: 'm1.small' });
    expect(usage('lab')).toMatchObject({ instances: 2, vcpus: 3, memoryMib: 4096 + 2048 });
    const larger = sim.call('ModifyInstanceAttribute', { InstanceId, InstanceType: 'm1.medium' });
    await expect(larger).rejects.toMatchObject({ code: 'VcpuLimitExceeded' });
    expect(usage('lab')).toMatchObject({ instances: 2, vcpus: 3 });
    expect(problems()).toEqual([]);
  });

  it('[sim] refuse by EC2’s codes, with what is used, and give as many as fit between MinCount and MaxCount', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { instances: 5, vcpus: 3 } });
    const refused = sim.run({ MinCount: 4, MaxCount: 4 }, project('lab'));
    await expect(refused).rejects.toMatchObject({
      code: 'VcpuLimitExceeded',
      message: expect.stringContaining('0 of 3 vcpus'),
    });
    const { instances } = await sim.run({ MinCount: 1, MaxCount: 40 }, project('lab'));
    expect(instances).toHaveLength(3);
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { vcpus: 'unlimited' } });
    await expect(sim.run({ MinCount: 3, MaxCount: 3 }, project('lab'))).rejects.toMatchObject({
      code: 'InstanceLimitExceeded',
    });
    expect(sim.records()).toHaveLength(3);
    const { quotas, rev } = await sim.call('DescribeQuotas', { ProjectId: 'lab' });
    expect(quotas).toContainEqual({ kind: 'instances', used: 3, limit: 5 });
    expect(quotas).toContainEqual({ kind: 'vcpus', used: 3 });
    expect(rev).toBeGreaterThan(0);
  });

  it('[sim] hold a user’s own limits beside the project’s', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', UserName: 'anna', Limits: { instances: 1 } });
    await sim.run({}, project('lab'));
    await expect(sim.run({}, project('lab'))).rejects.toMatchObject({
      code: 'InstanceLimitExceeded',
      message: expect.stringContaining('anna in project lab'),
    });
    await sim.run({}, project('lab', 'bert'));
    expect(usage('lab')).toMatchObject({ instances: 2 });
  });

  it('[sim] are never overshot by 50 clients at once', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { instances: 17 } });
    const asked = Array.from({ length: 50 }, (_, n) =>
      sim.run({ MinCount: 1, MaxCount: (n % 3) + 1 }, project('lab', `user${n % 7}`)),
    );
    const answers = await Promise.allSettled(asked);
    const refused = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused.every((error) => error instanceof CloudError && error.code === 'InstanceLimitExceeded')).toBe(true);
    expect(sim.records()).toHaveLength(17);
    expect(usage('lab')).toMatchObject({ instances: 17 });
    expect(problems()).toEqual([]);
  });

  it('[sim] count key pairs by who made them, and never more however many ask at once', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { keyPairs: 3 } });
    const asked = Array.from({ length: 8 }, (_, index) =>
      sim.call('CreateKeyPair', { KeyName: `k${index}`, KeyType: 'ed25519' }, project('lab')),
    );
    const ended = await Promise.allSettled(asked);
    const refused = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as CloudError] : []));
    expect(refused.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => 'ResourceLimitExceeded'));
    expect(refused[0]?.message).toContain('3 of 3 keyPairs');
    expect([usage('lab'), usage('lab', 'anna')]).toMatchObject([{ keyPairs: 3 }, { keyPairs: 3 }]);
    const [made] = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value.keyPair.keyName] : []));
    // Somebody else of the project deletes it: it is given back to who made it.
    await sim.call('DeleteKeyPair', { KeyName: made ?? '' }, project('lab', 'bob'));
    expect([usage('lab'), usage('lab', 'anna')]).toMatchObject([{ keyPairs: 2 }, { keyPairs: 2 }]);
    expect(problems()).toEqual([]);
  });

  it('[sim] count images by who registered them', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { images: 1 } });
    const register = async (name: string) =>
      sim.call(
        'RegisterImage',
        { Name: name, Kind: 'machine', BlobKey: await sim.upload(bootSector()) },
        project('lab'),
      );
    const { image } = await register('one');
    await expect(register('two')).rejects.toMatchObject({ code: 'ResourceLimitExceeded' });
    await sim.call('DeregisterImage', { ImageId: image.imageId }, project('lab'));
    expect(usage('lab')).toMatchObject({ images: 0 });
    await register('two');
    expect(usage('lab', 'anna')).toMatchObject({ images: 1 });
    expect(problems()).toEqual([]);
  });

  it('[sim] of a state from before are counted at first use', async () => {
    const { instances } = await sim.run({ MinCount: 3, MaxCount: 3 }, project('lab'));
    await sim.settled('running');
    await sim.store.txn({ dels: [KEYS.usage('lab'), KEYS.usage('lab', 'anna')] });
    const { quotas } = await sim.call('DescribeQuotas', { ProjectId: 'lab' });
    expect(quotas).toContainEqual({ kind: 'instances', used: 3, limit: 100 });
    await sim.run({}, project('lab'));
    expect(usage('lab')).toMatchObject({ instances: 4 });
    await sim.settled('running');
    await sim.store.txn({ dels: [KEYS.usage('lab'), KEYS.usage('lab', 'anna')] });
    const first = instances.map(({ instanceId }) => instanceId);
    await sim.call('TerminateInstances', { InstanceIds: first });
    await sim.settled('terminated', first);
    expect(usage('lab')).toMatchObject({ instances: 1 });
    expect(problems()).toEqual([]);
  });

  it('[sim] that went wrong are found by verify and set right by reconcile', async () => {
    await sim.run({ MinCount: 2, MaxCount: 2 }, project('lab'));
    await sim.settled('running');
    const wrong = { v: 1, used: { ...usage('lab'), instances: 7 } };
    await sim.store.txn({ puts: [{ key: KEYS.usage('lab'), value: wrong }] });
    expect(problems()).toEqual(['usage/lab/ says 7 instances, the records say 2']);
    const job = await sim.call('StartMaintenance', { Job: 'reconcile' });
    const last = await until(
      async () => {
        const { jobs } = await sim.call('DescribeMaintenance', { Jobs: ['reconcile'] });
        return jobs[0]?.last?.operationId === job.operationId ? jobs[0].last : undefined;
      },
      { what: 'reconcile ended', everyMs: 5 },
    );
    expect(last).toMatchObject({ outcome: 'fixed', changeCount: 1 });
    expect(usage('lab')).toMatchObject({ instances: 2 });
    expect(problems()).toEqual([]);
  });

  it('[sim] are the cloud administrator’s to set, and a project’s own to see', async () => {
    await expect(sim.call('SetQuota', { Limits: { images: 1 } }, project('lab'))).rejects.toMatchObject({
      code: 'UnauthorizedOperation',
    });
    await expect(sim.call('DescribeQuotas', { ProjectId: 'admin' }, project('lab'))).rejects.toMatchObject({
      code: 'InvalidProject.NotFound',
    });
    await expect(sim.call('SetQuota', { ProjectId: 'nowhere', Limits: { images: 1 } })).rejects.toMatchObject({
      code: 'InvalidProject.NotFound',
    });
    for (const Limits of [{}, { images: -1 }, { images: 1.5 }, { cakes: 1 }]) {
      const asked = sim.cloud.gateway.unary('SetQuota', { Limits }, ADMIN);
      await expect(asked).rejects.toMatchObject({
        code: expect.stringMatching(/^(InvalidParameterValue|UnknownParameter)$/),
      });
    }
    const { projectId, quotas } = await sim.call('DescribeQuotas', {}, project('lab'));
    expect(projectId).toBe('lab');
    expect(quotas).toHaveLength(10);
  });

  it('[sim] are shown of each region that there is', async () => {
    const regions = ['nova', 'east'].map((name) => ({ name, zones: [`${name}a`] }));
    const other = await startSimCloud({ hosts: [], config: { regions, zone: 'novaa' } });
    try {
      const used = { v: 1, used: { instances: 3 } };
      await other.store.txn({ puts: [{ key: KEYS.usage('admin@east'), value: used }] });
      const shown = async (Region?: string) => {
        const { quotas, ...rest } = await other.call('DescribeQuotas', Region === undefined ? {} : { Region });
        return [rest.projectId, rest.region, quotas.find(({ kind }) => kind === 'instances')?.used];
      };
      expect(await shown()).toEqual(['admin', undefined, 0]);
      expect(await shown('nova')).toEqual(['admin', undefined, 0]);
      expect(await shown('east')).toEqual(['admin', 'east', 3]);
      await expect(shown('west')).rejects.toMatchObject({
        code: 'InvalidParameterValue',
        message: 'Region: must be one of nova, east',
      });
    } finally {
      await other.close();
    }
  });

  it('[sim] are each region’s own, by the limits of the project', async () => {
    await sim.call('SetQuota', { ProjectId: 'lab', Limits: { instances: 2 } });
    await sim.run({ MinCount: 2, MaxCount: 2 }, project('lab'));
    await sim.run({ MinCount: 2, MaxCount: 2 }, project('lab@east'));
    await expect(sim.run({}, project('lab@east'))).rejects.toMatchObject({ code: 'InstanceLimitExceeded' });
    expect(usage('lab@east', 'anna')).toMatchObject({ instances: 2 });
  });
});
