import { errorText } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import { humanBytes, humanDuration } from '../../base/units.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord, ImageRecord, NetworkRecord } from '../../domain/records.ts';
import type { CollectHost } from '../../messages/worker.ts';
import { CollectedHost, TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { refuseHeld } from '../hosts/held.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { orphansOf } from '../hosts/host-view.ts';
import { isBlobNamed } from '../images/image-uses.ts';
import { countExpired, expireRecords } from './expire.ts';
import type { Job, JobTools } from './job.ts';
import { collectObjects } from './objects.ts';
import type { JobReport } from './report.ts';
import { emptyReport } from './report.ts';

const HOST_TIMEOUT_MS = 120_000;

/** Takes away what has had its time. What no record wants on a host is listed, and left. */
export const collectJob: Job = async (tools) => {
  const { cloud, plan } = tools;
  const report = emptyReport();
  const expired = plan ? countExpired(cloud) : await expireRecords(cloud);
  if (expired > 0) report.changes.push(`${expired} old records ${plan ? 'would be ' : ''}removed`);
  await collectUploads(tools, report);
  await collectObjects(tools, report);
  const hosts = cloud.store.range<HostRecord>(PREFIX.host).map((entry) => entry.value);
  for (const host of hosts) {
    tools.signal.throwIfAborted();
    await collectHost(tools, host, report);
  }
  return report;
};

/** Bytes that were sent and never became an image. */
async function collectUploads({ cloud, plan }: JobTools, report: JobReport): Promise<void> {
  const { blobs, store, policy, clock } = cloud;
  for (const { key, sizeBytes, storedAtMs } of await blobs.list('upload/')) {
    // One of the future is as old as the clock was set back: it may be on its way to its image.
    const ageMs = clock.nowMs() - (storedAtMs ?? clock.nowMs());
    if (ageMs < policy.uploadKeepMs || isBlobNamed(store, key)) continue;
    // Records that would name it may be missing from a store that was restored under this very run.
    if (!plan) refuseHeld(store);
    const what = `${key} (${humanBytes(sizeBytes)}, ${humanDuration(ageMs)} old), which became no image`;
    if (!plan) await blobs.delete(key);
    report.changes.push(`${plan ? 'would remove' : 'removed'} ${what}`);
  }
}

async function collectHost(tools: JobTools, host: HostRecord, report: JobReport): Promise<void> {
  const { cloud, plan } = tools;
  const { id, name } = host;
  const problem = hostProblem(cloud, host, id);
  if (problem !== undefined) {
    report.findings.push(`host ${name} could not be looked at: ${problem}`);
    return;
  }
  for (const domain of orphansOf(cloud, id)) {
    report.notes.push(`domain ${domain} on ${name} is in no record; it stays until you remove it there`);
  }
  if (!plan) refuseHeld(cloud.store);
  try {
    const found = await askHost(cloud, host, plan);
    for (const path of found.removed) report.changes.push(`${plan ? 'would remove' : 'removed'} ${path} on ${name}`);
    for (const dir of found.unknownDirs) report.notes.push(`disk folder ${dir} on ${name} is of no record; it stays`);
    for (const bridge of unknownBridges(cloud, found.bridges)) {
      report.notes.push(`bridge ${bridge} on ${name} is of no record; it stays`);
    }
    if (found.unknownDirs.length > 0) {
      report.notes.push(`image files on ${name} are all kept, since disks of no record may need them`);
    }
  } catch (error) {
    report.findings.push(`host ${name} could not be cleaned: ${errorText(error)}`);
  }
}

async function askHost(cloud: ControllerContext, host: HostRecord, plan: boolean): Promise<CollectedHost> {
  const { store, bus, policy } = cloud;
  const assign = store.get<AssignRecord>(KEYS.assign('compute', host.id))?.value;
  if (assign === undefined) return { removed: [], unknownDirs: [], bridges: [] };
  const order: CollectHost = {
    v: 1,
    hostId: host.id,
    epoch: assign.epoch,
    remove: !plan,
    keepSha256: store.range<ImageRecord>(PREFIX.image).flatMap(({ value: { sha256 } }) => sha256 || []),
    instanceIds: store
      .range<InstanceRecord>(PREFIX.instance)
      .filter(({ value }) => value.hostId === host.id)
      .map(({ value }) => value.id),
    minAgeMs: policy.imageCacheKeepMs,
  };
  const answer = await bus.call(TOPIC.worker(assign.workerId), 'host-collect', toJson(order), {
    timeoutMs: HOST_TIMEOUT_MS,
  });
  return CollectedHost.parse(answer);
}

function unknownBridges({ store }: ControllerContext, bridges: readonly string[]): string[] {
  const known = new Set(store.range<NetworkRecord>(PREFIX.network).map(({ value }) => value.bridge));
  return bridges.filter((bridge) => !known.has(bridge));
}
