import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import { stepLine } from '../../../src/views/operations.ts';
import { ANSWERS, cannedCloud, INSTANCES, type CannedOptions } from '../../support/canned-cloud.ts';
import { FakeCloud, type FakeBackend } from '../../support/fake-cloud.ts';
import { runCli, type CliOptions } from '../../support/run-cli.ts';

type Item = OperationOutput<'WatchInstances'>;
type Operation = OperationOutput<'WatchOperation'>;

const clouds: FakeCloud[] = [];
afterEach(async () => {
  for (const cloud of clouds.splice(0)) await cloud.close();
});

async function start(backend: FakeBackend): Promise<FakeCloud> {
  const cloud = await FakeCloud.start(backend);
  clouds.push(cloud);
  return cloud;
}

const canned = (streams: CannedOptions['streams']): Promise<FakeCloud> =>
  start(cannedCloud({ streams: streams ?? {} }));

async function run(cloud: FakeCloud, line: string, options: CliOptions = {}) {
  return runCli(line.split(' '), { runDir: cloud.runDir, ...options });
}

const I = 'i-0123456789abcdef0';
const [instance] = INSTANCES as [(typeof INSTANCES)[number]];
const seen = (state: typeof instance.state): Item => ({ kind: 'instance', instance: { ...instance, state } });
const done: Item = { kind: 'done', instances: [instance] };

describe('waiting for instances', () => {
  it('says each change and ends when they are there', async () => {
    const cloud = await canned({ WatchInstances: [seen('pending'), seen('pending'), seen('running'), done] });
    const { code, stdout, stderr } = await run(cloud, `instance wait ${I} --for running --output name`);
    expect([code, stdout]).toEqual([0, `${I}\n`]);
    expect(stderr.replaceAll(/\(.*?\)/g, '()')).toBe(`${I} is pending ()\n${I} is running ()\n`);
    expect(cloud.calls[0]).toMatchObject({ input: { InstanceIds: [I], Until: ['running'] } });
  });

  it('is part of the change with --wait', async () => {
    const cloud = await canned({ WatchInstances: [seen('running'), done] });
    const { code, stdout, stderr } = await run(cloud, 'instance run --image tiny --key mine --wait --json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ instances: [{ state: 'running' }], operationId: instance.operationId });
    expect(stderr).toContain(`log in by: novactl instance ssh ${I}`);
    expect(cloud.calls.map(({ name }) => name)).toEqual(['RunInstances', 'WatchInstances']);
  });

  it('ends at once with 11 when the state can not be reached', async () => {
    const cloud = await canned({
      WatchInstances: [
        seen('terminated'),
        { kind: 'unreachable', instanceId: I, reason: 'it is terminated: no memory' },
      ],
    });
    const { code, stdout, stderr } = await run(cloud, 'instance run --image tiny --wait');
    expect([code, stdout]).toEqual([11, '']);
    expect(stderr).toContain(`novactl: ${I} can't be running any more: it is terminated: no memory (Unreachable)\n`);
  });

  it('ends with 8 when the time is over', async () => {
    const cloud = await canned({ WatchInstances: [seen('pending')] });
    const line = `instance wait ${I} --for running --timeout 50ms`;
    const { code, stderr } = await run(cloud, line, { clock: new SystemClock() });
    expect(code).toBe(8);
    expect(stderr).toContain(
      `novactl: gave up waiting for ${I} to be running after 50ms; it goes on by itself (Timeout)\n`,
    );
  });

  it('ends with 130 when interrupted', async () => {
    const aborter = new AbortController();
    const backend = cannedCloud({ streams: { WatchInstances: [seen('pending')] } });
    const cloud = await start({
      unary: (call) => backend.unary(call),
      async *stream(call, signal) {
        for await (const item of backend.stream(call, signal)) {
          yield item;
          aborter.abort();
        }
      },
    });
    const { code, stderr } = await run(cloud, `instance wait ${I} --for running`, { interrupt: aborter.signal });
    expect(code).toBe(130);
    expect(stderr).toMatch(/novactl: interrupted\n$/);
  });

  it('goes on when the cloud was away for a moment', async () => {
    let streams = 0;
    const cloud = await start({
      unary: () => undefined,
      async *stream() {
        streams += 1;
        yield seen('pending');
        await Promise.resolve();
        if (streams < 3) throw new CloudError('Unavailable', 'the daemon goes down');
        yield done;
      },
    });
    const { code } = await run(cloud, `instance wait ${I} --for running --verbose`);
    expect([code, streams]).toEqual([0, 3]);
  });
});

describe('following an operation', () => {
  const { operations = [] } = ANSWERS.DescribeOperations ?? {};
  const [failed] = operations as [(typeof operations)[number]];
  const at = (steps: number, status: typeof failed.status): Operation => {
    const { error, endedAtMs: _, ...rest } = failed;
    return {
      operation: { ...rest, steps: failed.steps.slice(0, steps), status, ...(status === 'failed' && { error }) },
    };
  };

  it('says each step once and ends with the exit code of its error', async () => {
    const cloud = await canned({ WatchOperation: [at(0, 'running'), at(1, 'running'), at(2, 'failed')] });
    const { code, stdout, stderr } = await run(cloud, 'op follow op-0123456789abcdef0 --output name');
    expect([code, stdout]).toEqual([1, 'op-0123456789abcdef0\n']);
    expect(stderr.split('\n')).toEqual([
      `+100ms   ${I}  prepare the disk (1.2s)`,
      `+1.3s    ${I}  start the domain: no memory`,
      'novactl: op-0123456789abcdef0 failed: start the domain: no memory (HypervisorError)',
      '',
    ]);
  });

  it('says a step when it begins, and shows how far it is only where somebody looks', async () => {
    const { operation } = at(1, 'running');
    const [{ tookMs: _, ...step }] = operation.steps as [(typeof operation.steps)[number]];
    const going = (doneBytes: number): Operation => ({
      operation: { ...operation, steps: [{ ...step, progress: { doneBytes, totalBytes: 4096 } }] },
    });
    const cloud = await canned({ WatchOperation: [going(0), going(1024), at(1, 'succeeded')] });
    const { code, stdout, stderr } = await run(cloud, 'op follow op-0123456789abcdef0 --output name');
    expect([code, stdout, stderr]).toEqual([0, 'op-0123456789abcdef0\n', `+100ms   ${I}  prepare the disk\n`]);
    const watched = await run(cloud, 'op follow op-0123456789abcdef0', { columns: 80 });
    expect(watched.stderr).toMatch(/prepare the disk +\[#+-+\] +25 % +1\.0 KiB\/4\.0 KiB/);
    const now = { ...step, progress: { doneBytes: 1024, totalBytes: 4096 } };
    expect(stepLine(now, operation.startedAtMs)).toContain('prepare the disk (1.0 KiB of 4.0 KiB so far)');
  });

  it('is how a reboot is waited for', async () => {
    const cloud = await canned({ WatchOperation: [at(1, 'running'), at(1, 'succeeded')] });
    const { code } = await run(cloud, `instance reboot ${I} --wait`);
    expect(code).toBe(0);
    expect(cloud.calls.map(({ name }) => name)).toEqual(['RebootInstances', 'WatchOperation']);
  });
});
