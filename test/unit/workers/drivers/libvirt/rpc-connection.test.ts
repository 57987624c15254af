import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isCode, type CloudError } from '../../../../../src/base/errors.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import { openSession } from '../../../../../src/workers/drivers/libvirt/open-session.ts';
import { byUuid, PROCEDURES, type LifecycleMessage } from '../../../../../src/workers/drivers/libvirt/procedures.ts';
import { RPC_LIMITS, RpcConnection } from '../../../../../src/workers/drivers/libvirt/rpc-connection.ts';
import { dialUnix } from '../../../../support/dial-unix.ts';
import { ManualClock } from '../../../../support/manual-clock.ts';
import { until } from '../../../../support/until.ts';
import { FakeLibvirtd, type HeldCall } from './fake-libvirtd.ts';

const UUID = '00000000-0000-5000-8000-000000000001';
const SHORT_MS = 1000;

let fake: FakeLibvirtd;
let clock: ManualClock;
let events: LifecycleMessage[];
let lost: string[];

async function connect(options: { open?: boolean } = {}): Promise<RpcConnection> {
  // This test's own lists: a connection of the test before may notice its end only now.
  const [ownEvents, ownLost] = [events, lost];
  const rpc = new RpcConnection({
    stream: await dialUnix(fake.socketPath)(),
    clock,
    logger: silentLogger,
    onLifecycle: (message) => ownEvents.push(message),
    onLost: (problem) => ownLost.push(problem),
  });
  if (options.open !== false) await openSession(rpc, { events: true });
  return rpc;
}

const hostname = (rpc: RpcConnection): Promise<{ value: string }> => rpc.call(PROCEDURES.hostname, undefined, SHORT_MS);
const failure = (call: Promise<unknown>): Promise<CloudError> =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error as CloudError,
  );
/** Takes over all calls of that name. */
function hold(name: string): HeldCall[] {
  const held: HeldCall[] = [];
  fake.hold(name, (call) => held.push(call));
  return held;
}

beforeEach(async () => {
  fake = new FakeLibvirtd();
  clock = new ManualClock();
  events = [];
  lost = [];
  await fake.listen();
});

afterEach(async () => {
  await fake.remove();
});

describe('calls', () => {
  it('are matched by serial when the answers come in another order', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const version = hold('CONNECT_GET_LIB_VERSION');
    const first = hostname(rpc);
    const second = rpc.call(PROCEDURES.libVersion, undefined, SHORT_MS);
    await until(() => held.length + version.length === 2, { what: 'both calls arrived' });
    version[0]?.reply();
    expect(await second).toEqual({ value: 9_000_000n });
    held[0]?.reply();
    expect(await first).toEqual({ value: 'fake-host' });
  });

  it('are never answered by an event, though events carry serial 1', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const call = hostname(rpc);
    await until(() => held.length === 1, { what: 'the call arrived' });
    fake.pushLifecycle({ dom: { name: 'other', uuid: UUID, id: 7 }, event: 2, detail: 0 });
    await until(() => events.length === 1, { what: 'the event arrived' });
    held[0]?.reply();
    expect(await call).toEqual({ value: 'fake-host' });
    expect(events[0]).toMatchObject({ event: 2, dom: { name: 'other' } });
  });

  it('run at most four at a time on a connection, the rest in the order they were made', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const answers = Array.from({ length: 9 }, () => hostname(rpc));
    await until(() => held.length === RPC_LIMITS.inFlight, { what: 'four calls arrived' });
    fake.ping();
    await until(() => fake.keepalives.pongs === 1, { what: 'a PING is answered meanwhile' });
    for (let at = 0; at < answers.length; at += 1) {
      await until(() => held.length > at, { what: `call ${at} arrived` });
      held[at]?.reply();
    }
    expect(await Promise.all(answers)).toHaveLength(9);
    expect(fake.mostRunning).toBe(RPC_LIMITS.inFlight);
  });

  it('are refused as Busy when too many wait', async () => {
    const rpc = await connect();
    hold('CONNECT_GET_HOSTNAME');
    const all = Array.from({ length: RPC_LIMITS.inFlight + RPC_LIMITS.queued + 1 }, () => failure(hostname(rpc)));
    const last = await all.at(-1);
    expect(last?.code).toBe('Busy');
    rpc.close();
    expect(new Set((await Promise.all(all)).map((error) => error.code))).toEqual(new Set(['Unavailable', 'Busy']));
  });

  it('carry libvirt’s code, domain and text in their errors', async () => {
    const rpc = await connect();
    const error = await failure(rpc.call(PROCEDURES.state, { dom: byUuid(UUID), flags: 0 }, SHORT_MS));
    expect(error.code).toBe('NotFound');
    expect(error.details).toMatchObject({ libvirtCode: 42, libvirtDomain: 10, procedure: 'DOMAIN_GET_STATE' });
    expect(error.message).toContain('no domain with matching uuid');
  });

  it('fail alone when their answer can not be decoded', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const call = failure(hostname(rpc));
    await until(() => held.length === 1, { what: 'the call arrived' });
    held[0]?.replyRaw(Buffer.from('00ffffff', 'hex'));
    expect((await call).code).toBe('HypervisorError');
    expect(await rpc.call(PROCEDURES.libVersion, undefined, SHORT_MS)).toEqual({ value: 9_000_000n });
  });

  it('are refused without being sent when the arguments are impossible', async () => {
    const rpc = await connect();
    const xml = 'x'.repeat(4_194_305);
    const error = await failure(rpc.call(PROCEDURES.defineXml, { xml, flags: 0 }, SHORT_MS));
    expect(error.code).toBe('InvalidParameterValue');
    expect(fake.calls).not.toContain('DOMAIN_DEFINE_XML_FLAGS');
  });
});

describe('deadlines', () => {
  it('run from the sending, not from the queueing', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const calls = Array.from({ length: 5 }, () => hostname(rpc));
    await until(() => held.length === 4, { what: 'four calls arrived' });
    await clock.advance(SHORT_MS - 1);
    for (const call of held.slice(0, 4)) call.reply();
    await until(() => held.length === 5, { what: 'the fifth arrived' });
    await clock.advance(SHORT_MS - 1);
    held[4]?.reply();
    expect(await Promise.all(calls)).toHaveLength(5);
  });

  it('end a call as Timeout with its outcome unknown, and a late answer harms nobody', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const call = failure(hostname(rpc));
    await until(() => held.length === 1, { what: 'the call arrived' });
    await clock.advance(SHORT_MS);
    expect(await call).toMatchObject({ code: 'Timeout', details: { outcome: 'unknown' } });
    held[0]?.reply();
    fake.letGo('CONNECT_GET_HOSTNAME');
    expect(await hostname(rpc)).toEqual({ value: 'fake-host' });
    expect(lost).toEqual([]);
  });

  it('end a call that never got a turn as not sent', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const long = 10 * RPC_LIMITS.queueWaitMs;
    const running = Array.from({ length: 4 }, () => failure(rpc.call(PROCEDURES.hostname, undefined, long)));
    const queued = failure(hostname(rpc));
    await until(() => held.length === 4, { what: 'four calls arrived' });
    // The daemon still answers PINGs, or the silence would end the connection first.
    for (let passed = 0; passed < RPC_LIMITS.queueWaitMs; passed += RPC_LIMITS.keepaliveMs) {
      const before = fake.keepalives.pings;
      await clock.advance(RPC_LIMITS.keepaliveMs);
      await until(() => fake.keepalives.pings > before, { what: 'the next PING', everyMs: 1 });
    }
    expect(await queued).toMatchObject({ code: 'Timeout', details: { outcome: 'not-sent' } });
    rpc.close();
    await Promise.all(running);
  });

  it('give the connection up when calls nobody waits for hold every place', async () => {
    const rpc = await connect();
    const held = hold('CONNECT_GET_HOSTNAME');
    const calls = Array.from({ length: 5 }, () => failure(hostname(rpc)));
    await until(() => held.length === 4, { what: 'four calls arrived' });
    await clock.advance(SHORT_MS);
    expect((await Promise.all(calls)).map((error) => error.code)).toEqual([
      ...['Timeout', 'Timeout', 'Timeout', 'Timeout'],
      'Unavailable',
    ]);
    expect(lost).toEqual(['the daemon does not answer']);
  });
});

describe('loss', () => {
  it.each(['dropAll', 'endAll'] as const)(
    'by %s fails what runs as unknown and what waits as not sent',
    async (how) => {
      const rpc = await connect();
      const held = hold('CONNECT_GET_HOSTNAME');
      const calls = Array.from({ length: 6 }, () => failure(hostname(rpc)));
      await until(() => held.length === 4, { what: 'four calls arrived' });
      fake[how]();
      const outcomes = (await Promise.all(calls)).map((error) => [error.code, error.details?.['outcome']]);
      expect(outcomes.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => ['Unavailable', 'unknown']));
      expect(outcomes.slice(4)).toEqual(Array.from({ length: 2 }, () => ['Unavailable', 'not-sent']));
      expect(lost).toHaveLength(1);
      expect(isCode(await failure(hostname(rpc)), 'Unavailable')).toBe(true);
    },
  );

  it('is what a stream of nonsense means', async () => {
    const rpc = await connect();
    fake.sendRaw(Buffer.from('00000003', 'hex'));
    await until(() => lost.length === 1, { what: 'the connection is given up' });
    expect(rpc.problem).toMatch(/packet length 3/);
  });

  it('is what an event means that can not be decoded: it is not dropped in silence', async () => {
    await connect();
    fake.pushLifecycle({ dom: { name: 'x', uuid: UUID, id: 1 }, event: 2, detail: 0 });
    await until(() => events.length === 1, { what: 'a good event arrives' });
    const broken = Buffer.from('00000020200080860000000100000' + '13e00000002000000010000000000000000', 'hex');
    fake.sendRaw(broken);
    await until(() => lost.length === 1, { what: 'the connection is given up' });
    expect(lost[0]).toMatch(/bytes wanted/);
  });

  it('is what a daemon means that gives no sign of life', async () => {
    fake.answersPings = false;
    await connect();
    for (let period = 0; period < RPC_LIMITS.keepaliveMisses; period += 1) await clock.advance(RPC_LIMITS.keepaliveMs);
    expect(lost).toEqual([]);
    await clock.advance(RPC_LIMITS.keepaliveMs);
    expect(lost).toEqual(['no sign of life from the daemon']);
  });
});

describe('openSession', () => {
  it('authenticates first, opens once and registers for events', async () => {
    await connect();
    expect(fake.calls).toEqual([
      'AUTH_LIST',
      'CONNECT_SUPPORTS_FEATURE',
      'CONNECT_OPEN',
      'CONNECT_SUPPORTS_FEATURE',
      'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
    ]);
  });

  it('goes through polkit when the daemon asks for it', async () => {
    fake.authTypes = [2];
    const rpc = await connect();
    expect(fake.calls.slice(0, 2)).toEqual(['AUTH_LIST', 'AUTH_POLKIT']);
    expect(await hostname(rpc)).toEqual({ value: 'fake-host' });
  });

  it('says what to do when only SASL is offered', async () => {
    fake.authTypes = [1];
    const rpc = await connect({ open: false });
    const error = await failure(openSession(rpc, { events: false }));
    expect(error.code).toBe('OperationNotPermitted');
    expect(error.message).toContain('auth_unix_rw');
  });
});
