import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '../../../src/base/clock.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import { until } from '../../support/until.ts';
import { importStillImage } from '../support/closing-checks.ts';
import { LabCluster } from '../support/lab-cluster.ts';
import { audit } from './audit.ts';
import { stuckIn } from './audit-records.ts';
import { carryOut, type DoneStep, healAll } from './carry-out.ts';
import { type ChaosApi, ChaosClient } from './chaos-client.ts';
import { planChaos, stepText } from './chaos-plan.ts';
import type { Facts } from './facts.ts';
import { gatherFacts, recordsOf } from './gather-facts.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly totalMs: number;
  readonly say: (text: string) => void;
  /** Keep logs and facts, also of a run without findings. */
  readonly keep?: boolean;
}

export interface ChaosReport {
  readonly seed: number;
  readonly steps: readonly DoneStep[];
  readonly findings: readonly string[];
  /** Changes that were acknowledged, refused, and of which nothing is known; and reads. */
  readonly figures: Readonly<Record<string, number>>;
  /** Where logs and facts are, when they were kept. */
  readonly kept: string | undefined;
}

const CLIENTS = 6;
/** From the end of the last fault until nothing is on its way. The longest wait in the product is its longest back-off, a minute. */
const REST_MS = 150_000;
/** What a host has lags behind the records by a look. */
const SECOND_LOOK_MS = 8000;

function apiOf(cluster: LabCluster, name: string): ChaosApi {
  let stale = 0;
  const client = new SocketClient({
    socketPath: cluster.process(name).socketPath,
    clock: new SystemClock(),
    onStale: () => (stale += 1),
  });
  return { client, staleAnswers: () => stale };
}

/** Waits until nothing is under way, and everything is up; answers what is stuck. */
async function comeToRest(cluster: LabCluster): Promise<string[]> {
  let left: string[] = [];
  const look = async (): Promise<boolean> => {
    left = stuckIn(await recordsOf(cluster));
    for (const api of ['a1', 'a2']) {
      try {
        const { hosts } = await cluster.client(api).call('DescribeHosts', {});
        const { services } = await cluster.client(api).call('DescribeServices', {});
        for (const host of hosts)
          if (host.state !== 'up') left.push(`stuck: ${api} says ${host.name} is ${host.state}`);
        for (const one of services) {
          if (one.state !== 'up') left.push(`stuck: ${api} says ${one.serviceId} is ${one.state}`);
        }
      } catch (error) {
        left.push(`stuck: ${api} does not answer: ${String(error)}`);
      }
    }
    return left.length === 0;
  };
  await until(look, { what: 'all is at rest', timeoutMs: REST_MS, everyMs: 500 }).catch((error: unknown) => {
    if (left.length === 0) left = [`stuck: what is at rest can't be seen: ${String(error).slice(0, 500)}`];
  });
  return left;
}

/** A finding counts when a second look confirms it: reports of hosts may be on their way. */
async function auditTwice(look: () => Promise<Facts>): Promise<{ facts: Facts; findings: string[] }> {
  const facts = await look();
  const first = audit(facts);
  if (first.length === 0) return { facts, findings: [] };
  await sleep(SECOND_LOOK_MS);
  const again = await look();
  const second = audit(again);
  return { facts: again, findings: second };
}

function keepAll(cluster: LabCluster, seed: number, facts: Facts | undefined, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), `nv-chaos-${seed}-`));
  for (const { name, logPath } of cluster.processes) {
    mkdirSync(join(folder, name));
    cpSync(logPath, join(folder, name, 'log'));
  }
  if (facts !== undefined) writeFileSync(join(folder, 'facts.json'), JSON.stringify({ ...facts, logs: [] }, null, 1));
  writeFileSync(join(folder, 'report.txt'), text);
  return folder;
}

/** What a failure says: enough to play it again and to see what happened. */
export function reportText({ seed, steps, findings, figures, kept }: ChaosReport): string {
  const when = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return [
    `seed ${seed}: ${findings.length} findings; ${JSON.stringify(figures)}`,
    ...steps.map((step) => {
      const problem = step.problem === undefined ? '' : `: ${step.problem}`;
      return `  ${stepText(step)} (was ${when(step.beganMs)} to ${when(step.endedMs)})${problem}`;
    }),
    ...findings.map((finding) => `  FINDING ${finding}`),
    ...(kept === undefined ? [] : [`logs and facts are in ${kept}`]),
  ].join('\n');
}

function figuresOf(clients: readonly ChaosClient[], steps: readonly DoneStep[]): Record<string, number> {
  const asked = clients.flatMap((client) => client.asked);
  const count = (outcome: string): number => asked.filter((one) => one.outcome === outcome).length;
  const reads = clients.reduce((sum, client) => sum + client.reads, 0);
  return { faults: steps.length, done: count('done'), refused: count('refused'), unknown: count('unknown'), reads };
}

async function disturb(
  cluster: LabCluster,
  options: ChaosOptions,
): Promise<Omit<ChaosReport, 'kept'> & { facts: Facts }> {
  const { seed, totalMs, say } = options;
  const plan = planChaos(seed, totalMs);
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const apis = [apiOf(cluster, 'a1'), apiOf(cluster, 'a2')];
    return new ChaosClient({ name: `u${index}-${seed}`, random: new SeededRandom(seed * 1000 + index), apis });
  });
  const lives = clients.map((client) => client.live());
  const began = Date.now();
  say(`begins at ${new Date(began).toISOString()}`);
  const steps = await carryOut(cluster, plan, (step) =>
    say(
      `${stepText(step)}: ${new Date(began + step.beganMs).toISOString().slice(11, 23)}${step.problem === undefined ? '' : ` PROBLEM ${step.problem}`}`,
    ),
  );
  for (const client of clients) client.stop();
  const unhealed = await healAll(cluster).then(
    () => [],
    (error: unknown) => [`stuck: it does not heal: ${String(error)}`],
  );
  await Promise.all(lives);
  say(`healed at ${new Date().toISOString()}`);
  const stuck = await comeToRest(cluster);
  say(`at rest at ${new Date().toISOString()}`);
  const logs = {
    asked: clients.flatMap((client) => client.asked),
    wrong: clients.flatMap((client) => client.wrong),
  };
  const { facts, findings } = await auditTwice(() => gatherFacts(cluster, logs));
  const problems = steps.flatMap(({ problem, ...step }) =>
    problem === undefined ? [] : [`step: ${stepText(step)}: ${problem}`],
  );
  const all = [...new Set([...problems, ...unhealed, ...stuck, ...findings])];
  return { seed, steps, findings: all, figures: figuresOf(clients, steps), facts };
}

/** A cluster of its own, faults by the seed's plan under load, and what an auditor says afterwards. Nothing is left behind but what is kept. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, keep = false } = options;
  // The cloud's processes get this environment, and would say that they don't know it.
  delete process.env['NOVACTL_KEEP'];
  const cluster = await LabCluster.start({}, true);
  try {
    await importStillImage(cluster);
    const { facts, ...rest } = await disturb(cluster, options);
    const report: ChaosReport = { ...rest, kept: undefined };
    const kept = keep ? keepAll(cluster, seed, facts, reportText(report)) : undefined;
    return { ...report, kept };
  } finally {
    await cluster.destroy();
  }
}
