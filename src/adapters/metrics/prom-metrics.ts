import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics, MetricKey, ReadingKey, Sample, TimerKey } from '../../ports/metrics.ts';
import { METRICS } from '../../ports/metrics.ts';

const PREFIX = 'novactl_';
/** From a call on this machine to a guest's slow stop. */
const BUCKETS_S = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

type Read = () => readonly Sample<ReadingKey>[] | Promise<readonly Sample<ReadingKey>[]>;

/** Figures by prom-client, with those of Node itself (memory, event loop, garbage collection). */
export function createPromMetrics(labels: { readonly service: string; readonly version: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: labels.service });
  collectDefaultMetrics({ register: registry });
  const info = { name: `${PREFIX}build_info`, help: 'always 1', labelNames: ['version'], registers: [registry] };
  new Gauge(info).set({ version: labels.version }, 1);
  const timers = new Map<TimerKey, Histogram>();
  const reads = new Map<ReadingKey, Read>();
  for (const key of Object.keys(METRICS) as MetricKey[]) {
    const { kind, name, help, labels: labelNames } = METRICS[key];
    const common = { name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] };
    if (kind === 'timer') timers.set(key as TimerKey, new Histogram({ ...common, buckets: BUCKETS_S }));
    else new Gauge({ ...common, collect: refill(labelNames.length > 0, () => reads.get(key as ReadingKey)) });
  }
  return {
    time: (key, tookMs, timed) => timers.get(key)?.observe(timed, tookMs / 1000),
    read: (key, samples) => void reads.set(key, samples as unknown as Read),
    text: () => registry.metrics(),
  };
}

/** What is gone must not stay among the figures, so each reading begins with none. */
function refill(labelled: boolean, read: () => Read | undefined) {
  return async function collect(this: Gauge): Promise<void> {
    const samples = (await read()?.()) ?? [];
    this.reset();
    for (const { labels, value } of samples) this.set(labels, value);
    // A gauge without labels says 0 when it was reset, which would be a figure that nobody has read.
    if (samples.length === 0 && !labelled) this.remove();
  };
}
