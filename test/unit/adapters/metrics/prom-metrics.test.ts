import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPromMetrics } from '../../../../src/adapters/metrics/prom-metrics.ts';
import { METRICS } from '../../../../src/ports/metrics.ts';

const lines = (text: string, name: string): string[] => text.split('\n').filter((line) => line.startsWith(`${name}{`));

describe('metrics by prom-client', () => {
  it('times are counted in buckets, with their labels and the name of the process', async () => {
    const metrics = createPromMetrics({ service: 'ctl1', version: '1.2.3' });
    metrics.time('operation', 20, { operation: 'RunInstances', code: 'ok' });
    metrics.time('operation', 2000, { operation: 'RunInstances', code: 'ok' });
    const text = await metrics.text();
    const labels = 'service="ctl1",operation="RunInstances",code="ok"';
    expect(text).toContain(`novactl_operation_seconds_count{${labels}} 2`);
    expect(text).toContain(`novactl_operation_seconds_sum{${labels}} 2.02`);
    expect(text).toContain(`novactl_operation_seconds_bucket{le="0.03",${labels}} 1`);
  });

  it('readings are asked for when somebody reads, and what is gone is gone', async () => {
    const metrics = createPromMetrics({ service: 'ctl1', version: '1.2.3' });
    let states = ['up', 'down'];
    metrics.read('hosts', () => states.map((state, index) => ({ labels: { state }, value: index + 1 })));
    expect(lines(await metrics.text(), 'novactl_hosts')).toEqual([
      'novactl_hosts{state="up",service="ctl1"} 1',
      'novactl_hosts{state="down",service="ctl1"} 2',
    ]);
    states = ['down'];
    expect(lines(await metrics.text(), 'novactl_hosts')).toEqual(['novactl_hosts{state="down",service="ctl1"} 1']);
  });

  it('a reading that nobody gives is not told as 0', async () => {
    const metrics = createPromMetrics({ service: 'ctl1', version: '1.2.3' });
    expect(lines(await metrics.text(), 'novactl_worker_open_hosts')).toEqual([]);
    metrics.read('openHosts', () => [{ labels: {}, value: 0 }]);
    expect(lines(await metrics.text(), 'novactl_worker_open_hosts')).toEqual([
      'novactl_worker_open_hosts{service="ctl1"} 0',
    ]);
  });

  it('docs/METRICS.md has the table as it is', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/METRICS.md'), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `novactl_') && line.split('|').length === 5);
    const told = rows.filter((line) => !/[<>(]\d|== 0| > /.test(line));
    expect(told).toEqual(
      Object.values(METRICS).map(({ kind, name, help, labels }) => {
        const words: readonly string[] = labels;
        return `| \`novactl_${name}\` | ${words.join(', ')} | ${help}${kind === 'timer' ? ' (timer)' : ''} |`;
      }),
    );
  });

  it('every figure of the table is there with its help, and the version of the program', async () => {
    const text = await createPromMetrics({ service: 'ctl1', version: '1.2.3' }).text();
    for (const { name, help } of Object.values(METRICS)) expect(text).toContain(`# HELP novactl_${name} ${help}`);
    expect(text).toContain('novactl_build_info{version="1.2.3",service="ctl1"} 1');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });
});
