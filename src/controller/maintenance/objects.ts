import { errorText, isCode } from '../../base/errors.ts';
import { humanBytes, MIB } from '../../base/units.ts';
import type { ObjectKeeper } from '../objects/object-keeper.ts';
import { objectHolders } from '../objects/objects-elsewhere.ts';
import type { JobTools } from './job.ts';
import type { JobReport } from './report.ts';

/** Somebody waits for it, and others read and write meanwhile. */
const BYTES_PER_SECOND = 128 * MIB;
/** Damaged objects that a report names. */
const NAMED_MAX = 20;

/** Runs the work where this process has objects; what keeps it from them is a finding. */
async function withKeeper(
  { cloud, signal }: JobTools,
  report: JobReport,
  work: (keeper: ObjectKeeper) => Promise<void>,
): Promise<void> {
  try {
    const keeper = await cloud.objects?.();
    if (keeper !== undefined) await work(keeper);
  } catch (error) {
    signal.throwIfAborted();
    report.findings.push(`the objects could not be looked at: ${errorText(error)}`);
  }
}

/** Compares all objects of this process with what was stored. */
export async function checkObjects(tools: JobTools, report: JobReport): Promise<void> {
  const { cloud, plan, signal } = tools;
  if (cloud.objects === undefined) {
    const holders = objectHolders(cloud).map(({ serviceId }) => serviceId);
    if (holders.length > 0) report.notes.push(`objects are looked at by ${holders.join(' and ')}, which has them`);
    return;
  }
  await withKeeper(tools, report, async (keeper) => {
    if (plan) {
      const { objects, bytes } = await keeper.overview();
      report.notes.push(`${objects} objects (${humanBytes(bytes)} with all versions) would be read`);
      return;
    }
    try {
      const note = await keeper.scrub({ signal, bytesPerSecond: BYTES_PER_SECOND });
      report.notes.push(`${note.objects} versions of objects (${humanBytes(note.bytes)}) were read`);
      for (const damaged of note.damaged.slice(0, NAMED_MAX)) report.findings.push(`object ${damaged}`);
      const more = note.damagedCount - NAMED_MAX;
      if (more > 0) report.findings.push(`${more} more objects are damaged; see "novactl objectstore show"`);
    } catch (error) {
      if (!isCode(error, 'Busy')) throw error;
      report.notes.push(`the objects were not read: ${error.message}`);
    }
  });
}

/** Removes bytes that no object of this process names. */
export async function collectObjects(tools: JobTools, report: JobReport): Promise<void> {
  if (tools.plan) return;
  await withKeeper(tools, report, async (keeper) => {
    const { removed } = await keeper.collect();
    if (removed > 0)
      report.changes.push(`removed ${removed} ${removed === 1 ? 'piece' : 'pieces'} of bytes that no object named`);
  });
}
