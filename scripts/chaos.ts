import { parseArgs } from 'node:util';
import { reportText, runChaos } from '../test/system/chaos/run-chaos.ts';
import { clusterMissing } from '../test/system/support/lab-cluster.ts';

/**
 * npm run chaos [-- --minutes N] [--seed S] [--runs R]: a cloud of 2 apis, 3 controllers, 2 workers, 3 etcd, a RabbitMQ and 2 hosts, in which something is killed, paused, cut off or
 * restarted every few seconds, while users go on; then an auditor compares all that there is with what the users were told. --runs: seeds S, S+1, ..., each on a new cloud.
 * NOVACTL_KEEP=1 keeps logs and facts, and prints where. Exits 1 on findings, 2 on bad arguments.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  say(`chaos: --${name} must be a number above 0; it is ${JSON.stringify(text)}`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1.5' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
  },
});
const totalMs = Math.round(positive('minutes', values.minutes) * 60_000);
const seed = Math.floor(positive('seed', values.seed));
const runs = Math.floor(positive('runs', values.runs));

const missing = clusterMissing();
if (missing !== undefined) {
  say(`chaos: ${missing}`);
  process.exit(1);
}

const keep = process.env['NOVACTL_KEEP'] === '1';
// What was started ends with this process, by what is done at its exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

let found = 0;
for (let number = seed; number < seed + runs; number += 1) {
  const report = await runChaos({ seed: number, totalMs, say, keep });
  console.log(reportText(report));
  found += report.findings.length;
}
process.exit(found === 0 ? 0 : 1);
