import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/ports/metrics.ts';
import { freePort } from '../support/private-sshd.ts';
import { writeStillImage } from '../support/still-image.ts';
import { TestCloud } from '../support/test-cloud.ts';
import { until } from '../support/until.ts';
import { join } from 'node:path';

/** Only where there is RabbitMQ to fall behind, or a host that is reached over SSH. */
const ELSEWHERE = new Set(['host_command_seconds', 'hypervisor_call_seconds']);

describe('metrics, liveness and readiness of an all-in-one', () => {
  let cloud: TestCloud;
  let at: string;
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${at}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  /** The value of the one series of that name with these labels among its own. */
  const figure = (text: string, name: string, ...labels: readonly string[]): number => {
    const lines = text.split('\n').filter((line) => line.startsWith(`novactl_${name}{`));
    return Number(
      lines
        .find((line) => labels.every((label) => line.includes(label)))
        ?.split(' ')
        .at(-1),
    );
  };

  beforeAll(async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    const objects = `127.0.0.1:${await freePort()}`;
    at = `http://${listen}`;
    cloud = new TestCloud({
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METRICS_LISTEN: listen,
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_OBJECTSTORE_LISTEN: objects,
      NOVACTL_OBJECTSTORE_PROTOCOL: 'http',
    });
    await cloud.start();
    const image = join(cloud.dir, 'still.img');
    writeStillImage(image);
    for (const words of [
      ['host', 'add', 'sim1', '--simulated'],
      ['image', 'import', image, '--name', 'still'],
      ['objectstore', 'scrub'],
      ['run-instance', '--image', 'still', '--count', '3', '--type', 'm1.nano', '--wait'],
    ]) {
      expect(await cloud.cli(...words)).toMatchObject({ code: 0 });
    }
    expect((await fetch(`http://${objects}/`)).status).toBe(403);
  });
  afterAll(async () => {
    await cloud.destroy();
  });

  it('[sim] the process lives and is ready', async () => {
    expect((await get('/livez')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/nothing')).status).toBe(404);
  });

  it('[sim] every figure of the table is told', async () => {
    await until(async () => figure((await get('/metrics')).text, 'instances', 'state="running"') === 3, {
      what: 'three instances run',
    });
    const { text } = await get('/metrics');
    const told = text.split('\n').filter((line) => !line.startsWith('#'));
    const silent = Object.values(METRICS)
      .map(({ name }) => name)
      .filter((name) => !ELSEWHERE.has(name) && !told.some((line) => line.startsWith(`novactl_${name}`)));
    expect(silent).toEqual([]);
  });

  it('[sim] they are of what was done', async () => {
    const { text } = await get('/metrics');
    expect(figure(text, 'operation_seconds_count', 'operation="RunInstances"', 'code="ok"')).toBe(1);
    expect(figure(text, 'worker_command_seconds_count', 'verb="run"', 'code="ok"')).toBe(3);
    expect(figure(text, 'hosts', 'state="up"')).toBe(1);
    expect(figure(text, 'controller_owned_hosts')).toBe(1);
    expect(figure(text, 'worker_open_hosts')).toBe(1);
    expect(figure(text, 'store_journal_sync_seconds_count')).toBeGreaterThan(3);
    expect(figure(text, 'store_txn_seconds_count', 'result="ok"')).toBeGreaterThan(3);
    expect(figure(text, 'bus_call_seconds_count', 'type="operation"', 'code="ok"')).toBeGreaterThan(2);
    expect(figure(text, 'reconcile_seconds_count')).toBeGreaterThan(3);
    expect(figure(text, 'reconcile_lag_seconds_count')).toBeGreaterThan(3);
    expect(figure(text, 's3_request_seconds_count', 'action="ListBuckets"', 'code="AccessDenied"')).toBe(1);
  });

  it('[sim] a refusal is counted by its code, and the names of labels are ours alone', async () => {
    expect((await cloud.cli('instance', 'show', 'i-00000000000000000')).code).toBe(3);
    const { text } = await get('/metrics');
    expect(text).not.toContain('i-00000000000000000');
    expect(text).toMatch(/operation_seconds_count\{.*operation="\w+",code="InvalidInstanceID.NotFound"/);
  });

  it('[sim] a request can be followed through the log: its change, and the command on the host', async () => {
    const lines = cloud.log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const change = lines.find(({ message, operation }) => message === 'change' && operation === 'RunInstances');
    expect(change).toMatchObject({ requestId: expect.stringMatching(/^req-/) as string, principal: 'root@socket' });
    const commands = lines.filter(
      ({ message, operationId }) => message === 'command ended' && operationId === change?.['operationId'],
    );
    expect(commands).toHaveLength(3);
  });
});
