import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  readAlarms,
  readRange,
  readTxn,
  readWatch,
  wholeNumber,
} from '../../../../src/adapters/store/etcd/etcd-wire.ts';
import { EtcdServers } from '../../../../src/adapters/store/etcd/grpc-endpoints.ts';
import { grpcProblem } from '../../../../src/adapters/store/etcd/grpc-problems.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger, type Logger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';

describe('what etcd answers', () => {
  it.each(['9007199254740992', '18446744073709551615', '', 'x', '1.5'])(
    '%j is no number that can be counted with',
    (text) => {
      expect(() => wholeNumber(text)).toThrow(/does not speak as etcd does/);
    },
  );

  it('numbers stay exact, and ids that are larger stay text', () => {
    const header = { clusterId: '18446744073709551615', memberId: '1', revision: '9007199254740991' };
    const answer = readRange({ header, kvs: [], more: false, count: '0' });
    expect(answer.header).toEqual({ ...header, revision: Number.MAX_SAFE_INTEGER });
  });

  it('without a header, and events of unknown kinds, are refused', () => {
    expect(() => readTxn({ header: null, succeeded: true, responses: [] })).toThrow(/no header/);
    const header = { clusterId: '1', memberId: '1', revision: '1' };
    const kv = { key: Buffer.from('a'), value: Buffer.of(), createRevision: '1', modRevision: '1', lease: '0' };
    const raw = { header, created: false, canceled: false, compactRevision: '0', cancelReason: '' };
    expect(() => readWatch({ ...raw, events: [{ type: 2, kv }] })).toThrow(/type 2/);
  });

  it('alarms are named once each', () => {
    expect(readAlarms({ alarms: [1, 2, 1, 7].map((alarm) => ({ alarm })) })).toEqual(['noSpace', 'corrupt']);
  });
});

describe('what a failed call means', () => {
  const { RESOURCE_EXHAUSTED, UNAVAILABLE, OUT_OF_RANGE } = status;
  it.each([
    [RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'Unavailable', 'noSpace', false],
    [RESOURCE_EXHAUSTED, 'etcdserver: too many requests', 'Unavailable', undefined, true],
    [RESOURCE_EXHAUSTED, 'Received message larger than max (9 vs 8)', 'Unavailable', 'answerTooLarge', false],
    [RESOURCE_EXHAUSTED, 'grpc: received message larger than max (9 vs. 8)', 'InvalidParameterValue', undefined, false],
    [
      status.INVALID_ARGUMENT,
      'etcdserver: too many operations in txn request',
      'InvalidParameterValue',
      undefined,
      false,
    ],
    [status.NOT_FOUND, 'etcdserver: requested lease not found', 'Unavailable', 'leaseGone', false],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'Unavailable', 'denied', false],
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', 'Unavailable', 'denied', false],
    [
      UNAVAILABLE,
      'No connection established. Last error: Error: self-signed certificate',
      'Unavailable',
      'denied',
      true,
    ],
    [UNAVAILABLE, 'etcdserver: no leader', 'Unavailable', undefined, true],
    [UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED', 'Unavailable', undefined, true],
    [status.CANCELLED, 'Call cancelled', 'Unavailable', undefined, true],
    [status.UNKNOWN, 'anything', 'Unavailable', undefined, true],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded', 'Unavailable', undefined, true],
    [status.INTERNAL, 'Received RST_STREAM', 'Unavailable', undefined, true],
    [OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision', 'Unavailable', 'futureRevision', false],
    [status.DATA_LOSS, 'etcdserver: corrupt cluster', 'Unavailable', 'corrupt', false],
    [status.ABORTED, 'anything', 'Unavailable', undefined, false],
  ])('%i %s', (code, details, expected, reason, elsewhere) => {
    const problem = grpcProblem({ code, details }, 'https://etcd1:2379');
    expect([problem.error.code, problem.error.details?.['reason'], problem.elsewhere]).toEqual([
      expected,
      reason,
      elsewhere,
    ]);
    expect(problem.error.message).toContain(details);
    expect(problem.error.details?.['compacted']).toBeUndefined();
  });

  it('a forgotten revision is told apart', () => {
    const details = 'etcdserver: mvcc: required revision has been compacted';
    const { error } = grpcProblem({ code: OUT_OF_RANGE, details }, 'x');
    expect(error.details).toMatchObject({ compacted: true });
  });
});

describe('the servers', () => {
  const open: EtcdServers[] = [];
  afterEach(() => {
    for (const servers of open.splice(0)) servers.close();
  });
  const endpoints = ['http://localhost:1', 'http://localhost:2', 'http://localhost:3'];
  const serversOf = (seed: number, logger: Logger = silentLogger): EtcdServers => {
    const servers = new EtcdServers({ endpoints, random: new SeededRandom(seed), logger });
    open.push(servers);
    return servers;
  };
  const failure = new CloudError('Unavailable', 'gone');

  it('take their turn, and many failures of one are one step', () => {
    const servers = serversOf(1);
    const first = servers.current;
    for (let call = 0; call < 32; call += 1) servers.failed(first, failure);
    const second = servers.current;
    expect(second).not.toBe(first);
    servers.failed(second, failure);
    expect([first, second]).not.toContain(servers.current);
    servers.failed(servers.current, failure);
    expect(servers.current).toBe(first);
  });

  it('are begun with at another one by another process', () => {
    const begun = new Set(Array.from({ length: 30 }, (_, seed) => serversOf(seed).current.url));
    expect([...begun].toSorted()).toEqual(endpoints);
  });

  it('are told of in the log once until one answers again', () => {
    const warned: string[] = [];
    const servers = serversOf(1, { ...silentLogger, warn: (message) => void warned.push(message) });
    for (let turn = 0; turn < 9; turn += 1) servers.failed(servers.current, failure);
    expect(warned).toHaveLength(1);
    servers.answered();
    servers.failed(servers.current, failure);
    expect(warned).toHaveLength(2);
  });
});
