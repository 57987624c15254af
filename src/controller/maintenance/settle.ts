import { humanDuration } from '../../base/units.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord, OperationRecord } from '../../domain/records.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { orphansOf } from '../hosts/host-view.ts';
import { completeReservations } from '../instances/reservations.ts';
import type { Decision } from '../instances/reconcile.ts';
import { reconcileInstance } from '../instances/reconcile.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Job, JobTools } from './job.ts';
import type { JobReport } from './report.ts';
import { mendUsage } from './mend-usage.ts';
import { emptyReport } from './report.ts';

const POLL_MS = 100;
const RECONCILE_MS = 3_600_000;
const WATCH_MS = 120_000;

/** One level-triggered pass over everything: hosts are asked anew, every instance is looked at, and what that sets going is waited for. */
export const reconcileJob: Job = async (tools) => {
  const report = emptyReport();
  await refreshHosts(tools.cloud);
  await pass(tools, report, RECONCILE_MS);
  await mendUsage(tools, report);
  for (const host of hostsOf(tools.cloud)) {
    const problem = hostProblem(tools.cloud, host, host.id);
    if (problem !== undefined) report.findings.push(`host ${host.name} is down: ${problem}`);
  }
  return report;
};

/** What came and went: hosts down and up again, instances that should run and do not. */
export const watchJob: Job = async (tools) => {
  const { cloud, downHosts } = tools;
  const report = emptyReport();
  await refreshHosts(cloud);
  const down: string[] = [];
  for (const host of hostsOf(cloud)) {
    const problem = hostProblem(cloud, host, host.id);
    const was = downHosts.includes(host.id);
    if (problem !== undefined) {
      down.push(host.id);
      report.findings.push(`host ${host.name} is ${was ? 'still' : ''} down: ${problem}`.replace('  ', ' '));
    } else if (was) report.changes.push(`host ${host.name} is up again`);
    for (const name of orphansOf(cloud, host.id)) {
      report.notes.push(`domain ${name} on ${host.name} is in no record; nothing is done to it`);
    }
  }
  await pass(tools, report, WATCH_MS);
  return { ...report, downHosts: down };
};

function hostsOf({ store }: ControllerContext): HostRecord[] {
  return store.range<HostRecord>(PREFIX.host).map((entry) => entry.value);
}

/** Every host reports all that it has; one that does not answer does not hold up the rest. */
async function refreshHosts(cloud: ControllerContext): Promise<void> {
  await Promise.allSettled(hostsOf(cloud).map((host) => cloud.workers.open(host.id)));
}

async function pass(tools: JobTools, report: JobReport, defaultMs: number): Promise<void> {
  const { cloud, input, plan } = tools;
  if (plan) {
    for (const record of instancesOf(cloud)) {
      const would = wouldDo(cloud, record);
      if (would !== undefined) report.changes.push(`${record.id}: ${would}`);
    }
    return;
  }
  await completeReservations(cloud);
  const before = new Map(instancesOf(cloud).map((record) => [record.id, record]));
  tools.reconcilers.sweep();
  await settled(tools, input.TimeoutMs ?? defaultMs);
  compare(tools, before, report);
}

function instancesOf({ store }: ControllerContext): InstanceRecord[] {
  return store.range<InstanceRecord>(PREFIX.instance).map((entry) => entry.value);
}

/** What the reconciler would decide now, in words; undefined when it would leave the instance as it is. */
function wouldDo(cloud: ControllerContext, record: InstanceRecord): string | undefined {
  const { next, forget, send } = decisionFor(cloud, record);
  if (forget === true) return 'its record would be removed, it has had its time';
  if (send === true) return `${record.work?.verb ?? 'work'} would be sent to its host (again)`;
  if (next === undefined) return undefined;
  const reason = next.stateReason === undefined ? '' : `: ${next.stateReason.message}`;
  return `${next.work?.verb ?? next.state} would be begun${reason}`;
}

function decisionFor(cloud: ControllerContext, record: InstanceRecord): Decision {
  const { observations, policy, clock, store } = cloud;
  const problem = hostProblem(cloud, store.get<HostRecord>(KEYS.host(record.hostId))?.value, record.hostId);
  const observed = observations.domain(record.hostId, record.id);
  const outcome = record.work && observations.outcomeOf(record.work.commandId);
  return reconcileInstance({
    record,
    ...(problem === undefined ? {} : { hostProblem: problem }),
    ...(observed === undefined ? {} : { observed }),
    ...(outcome === undefined ? {} : { outcome }),
    nowMs: clock.nowMs(),
    maxAttempts: policy.maxAttempts,
    terminatedKeepMs: policy.terminatedKeepMs,
  });
}

/** Nothing is under way on any host that answers, or the time is over. */
async function settled({ cloud, reconcilers, signal }: JobTools, timeoutMs: number): Promise<void> {
  const { clock } = cloud;
  const endMs = clock.monotonicMs() + timeoutMs;
  do {
    await clock.sleep(POLL_MS, signal);
    const busy = instancesOf(cloud).some((record) => isMoving(cloud, record));
    if (!busy && reconcilers.depth === 0) return;
  } while (clock.monotonicMs() < endMs);
}

/** The reconciler has something to do for it that can be done now. */
function isMoving(cloud: ControllerContext, record: InstanceRecord): boolean {
  const host = cloud.store.get<HostRecord>(KEYS.host(record.hostId))?.value;
  if (hostProblem(cloud, host, record.hostId) !== undefined) return false;
  if (record.work !== undefined) return true;
  const { next, forget } = decisionFor(cloud, record);
  return next !== undefined || forget === true;
}

function compare({ cloud }: JobTools, before: ReadonlyMap<string, InstanceRecord>, report: JobReport): void {
  const after = new Map(instancesOf(cloud).map((record) => [record.id, record]));
  for (const [id, old] of before) {
    const now = after.get(id);
    if (now === undefined) report.changes.push(`${id}: its record was removed, it had had its time`);
    else if (now.work !== undefined) report.findings.push(unfinished(cloud, now));
    else if (isRepair(cloud, old, now)) report.changes.push(`${id}: ${fromTo(old, now)}${reasonOf(now)}`);
    else if (now.state !== old.state) report.notes.push(`${id}: ${fromTo(old, now)}, as it was asked to`);
  }
}

function fromTo(old: InstanceRecord, now: InstanceRecord): string {
  return old.state === now.state ? `is ${now.state} again` : `${old.state} -> ${now.state}`;
}

function reasonOf({ stateReason }: InstanceRecord): string {
  return stateReason === undefined ? '' : ` (${stateReason.message})`;
}

/** The cloud's own doing, or the end of an operation that nobody waits for any more. */
function isRepair({ store, process: self }: ControllerContext, old: InstanceRecord, now: InstanceRecord): boolean {
  if (now.generation !== old.generation) return now.operationId === old.operationId;
  if (old.work === undefined || now.work !== undefined) return false;
  const asked = old.operationId === undefined ? undefined : store.get<OperationRecord>(KEYS.operation(old.operationId));
  // Asked of an earlier process, which did not live to finish it.
  return old.operationDone === true || (asked?.value.startedAtMs ?? 0) < self.startedAtMs;
}

function unfinished(cloud: ControllerContext, { id, hostId, work, state }: InstanceRecord): string {
  const host = cloud.store.get<HostRecord>(KEYS.host(hostId))?.value;
  const problem = hostProblem(cloud, host, hostId);
  const ageMs = Math.abs(cloud.clock.nowMs() - (work?.sinceMs ?? 0));
  const last = work?.lastError === undefined ? '' : `; last: ${work.lastError.message}`;
  const why = problem === undefined ? `${work?.attempt ?? 1}. attempt${last}` : `${host?.name ?? hostId}: ${problem}`;
  return `${id} is ${state}, its ${work?.verb ?? 'work'} is not done after ${humanDuration(ageMs)} (${why})`;
}
