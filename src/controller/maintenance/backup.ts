import { CloudError } from '../../base/errors.ts';
import { humanBytes } from '../../base/units.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { BlobInfo } from '../../ports/blobs.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Job, JobTools } from './job.ts';
import { emptyReport } from './report.ts';

/** Who may say where the file goes: only who is on the cloud's machine, since it is written with the cloud's own rights. */
const MAY_NAME_FILE = /^(socket|embedded|test)/;

/** Writes all records of one moment, and what the cloud made for itself, into one file, and proves it by reading it back. */
export const backupJob: Job = async (tools) => {
  const { cloud, input, plan, principal } = tools;
  const { archives, store, policy } = cloud;
  if (input.To !== undefined && !MAY_NAME_FILE.test(principal.from)) {
    throw new CloudError(
      'OperationNotPermitted',
      'only on the machine of the cloud itself may a backup be sent elsewhere',
    );
  }
  const report = emptyReport();
  const { surplus } = await archives.list(Math.max(0, policy.backupKeep - 1), cloud.clock.nowMs());
  if (plan) {
    report.notes.push(`would write ${store.count('')} records to ${input.To ?? archives.dir}`);
    if (input.To === undefined) report.notes.push(...surplus.map((name) => `would remove the old backup ${name}`));
    return report;
  }
  // One synchronous walk over the memory, whose values never change: all of one revision, and no writer waits.
  const records = store.range('');
  const header = {
    cloudId: cloud.cloudId,
    rev: store.rev,
    createdAtMs: cloud.clock.nowMs(),
    version: cloud.process.version,
    secrets: input.Secrets,
    images: input.Images,
  };
  const images = input.Images ? await imagesOf(cloud) : [];
  const order = { header, records, images, ...(input.To === undefined ? {} : { to: input.To }) };
  const facts = await archives.write(order, tools.signal);
  const with_ = [
    `${facts.records} records at revision ${header.rev}`,
    ...(facts.files > 0 ? [`${facts.files} files of keys`] : []),
    ...(facts.images > 0 ? [`${facts.images} images`] : []),
  ].join(', ');
  report.notes.push(`wrote ${facts.path} (${humanBytes(facts.sizeBytes)}): ${with_}; read back and compared`);
  if (input.To === undefined) await prune(tools, header.createdAtMs, report.notes);
  return report;
};

async function imagesOf({ store, blobs }: ControllerContext): Promise<BlobInfo[]> {
  const keys = new Set(store.range<ImageRecord>(PREFIX.image).flatMap(({ value: { blobKey } }) => blobKey || []));
  return Promise.all([...keys].sort().map((key) => blobs.head(key)));
}

async function prune({ cloud }: JobTools, writtenMs: number, notes: string[]): Promise<void> {
  // The clock may have been set back while it was written.
  const nowMs = Math.max(writtenMs, cloud.clock.nowMs());
  const { surplus } = await cloud.archives.list(cloud.policy.backupKeep, nowMs);
  for (const name of surplus) {
    await cloud.archives.remove(name);
    notes.push(`removed the old backup ${name}`);
  }
}
