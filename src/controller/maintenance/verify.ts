import { createHash } from 'node:crypto';
import { errorText, isCode } from '../../base/errors.ts';
import { humanBytes } from '../../base/units.ts';
import { checkRecords } from '../../domain/check-records.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { HostRecord, ImageRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { orphansOf } from '../hosts/host-view.ts';
import { checkObjects } from './objects.ts';
import type { Job, JobTools } from './job.ts';
import type { JobReport } from './report.ts';
import { emptyReport } from './report.ts';

/** Looks whether records, image bytes and hosts say the same. Changes nothing. */
export const verifyJob: Job = async (tools) => {
  const { cloud } = tools;
  const report = emptyReport();
  // One synchronous walk: all of one revision.
  const records = cloud.store.range<unknown>('');
  const { rev } = cloud.store;
  report.findings.push(...checkRecords(records));
  report.notes.push(`${records.length} records at revision ${rev} were checked`);
  await checkImageBytes(tools, report);
  await checkObjects(tools, report);
  if (!tools.plan) await Promise.allSettled(hostsOf(cloud).map((host) => cloud.workers.open(host.id)));
  for (const host of hostsOf(cloud)) checkHost(cloud, host, report);
  return report;
};

function hostsOf({ store }: ControllerContext): HostRecord[] {
  return store.range<HostRecord>(PREFIX.host).map((entry) => entry.value);
}

async function checkImageBytes({ cloud, signal }: JobTools, report: JobReport): Promise<void> {
  let bytes = 0;
  const all = cloud.store.range<ImageRecord>(PREFIX.image).map((entry) => entry.value);
  const images = all.filter(({ state }) => state === undefined);
  for (const { id, name, blobKey, sha256 } of images) {
    signal.throwIfAborted();
    const hash = createHash('sha256');
    try {
      for await (const chunk of await cloud.blobs.read(blobKey)) {
        signal.throwIfAborted();
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
      if (hash.digest('hex') !== sha256)
        report.findings.push(`image ${name} (${id}): its bytes are not what they were`);
    } catch (error) {
      if (!isCode(error, 'NotFound', 'CorruptState')) throw error;
      report.findings.push(`image ${name} (${id}): ${errorText(error)}`);
    }
  }
  report.notes.push(`${images.length} images (${humanBytes(bytes)}) were read`);
}

/** The power that a domain may have in each state; states in which something is under way may have any. */
const POWER: Partial<Readonly<Record<InstanceRecord['state'], readonly string[]>>> = {
  running: ['running', 'paused'],
  stopped: ['shutoff', 'crashed'],
};

function checkHost(cloud: ControllerContext, host: HostRecord, report: JobReport): void {
  const { store, observations } = cloud;
  const problem = hostProblem(cloud, host, host.id);
  if (problem !== undefined) {
    report.findings.push(`host ${host.name} could not be looked at: ${problem}`);
    return;
  }
  for (const { value } of store.range<InstanceRecord>(PREFIX.instance)) {
    const wanted = POWER[value.state];
    if (value.hostId !== host.id || value.work !== undefined || wanted === undefined) continue;
    const power = observations.domain(host.id, value.id)?.power ?? 'not known';
    if (!wanted.includes(power))
      report.findings.push(`${value.id} is ${value.state}, its domain on ${host.name} is ${power}`);
  }
  for (const name of orphansOf(cloud, host.id)) {
    report.findings.push(`domain ${name} on ${host.name} is in no record`);
  }
}
