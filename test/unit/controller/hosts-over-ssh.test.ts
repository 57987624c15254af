import { afterEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../src/base/errors.ts';
import { sshFingerprint } from '../../../src/base/openssh-key.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { HostRecord, HostTransport } from '../../../src/domain/records.ts';
import type { HostCheckRow, HostKeyQuery, HostReach, SshHostKey } from '../../../src/ports/host-reach.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

const keyOf = (name: string): SshHostKey => {
  const base64 = Buffer.from(`key of ${name}`).toString('base64');
  return { type: 'ssh-ed25519', base64, fingerprint: sshFingerprint(base64) };
};

/** Machines by name: the key that each answers with, and what was asked. */
class FakeReach implements HostReach {
  readonly keys = new Map<string, SshHostKey>();
  readonly asked: HostKeyQuery[] = [];
  rows: HostCheckRow[] = [{ check: 'ssh', result: 'ok', seen: 'in' }];
  checked: HostTransport | undefined;

  hostKey(query: HostKeyQuery): Promise<SshHostKey> {
    this.asked.push(query);
    const key = this.keys.get(query.host);
    const details = { reason: key === undefined ? 'refused' : 'host-key' };
    if (key === undefined || (query.fingerprint ?? key.fingerprint) !== key.fingerprint) {
      return Promise.reject(new CloudError('Unavailable', `${query.host} has no such key`, { details }));
    }
    return Promise.resolve(key);
  }

  cloudKey(): Promise<string> {
    return Promise.resolve('ssh-ed25519 AAAA novactl');
  }

  check(transport: HostTransport): Promise<HostCheckRow[]> {
    this.checked = transport;
    return Promise.resolve(this.rows);
  }
}

let sim: SimCloud;
let reach: FakeReach;
afterEach(() => sim.close());

async function start(): Promise<void> {
  reach = new FakeReach();
  for (const name of ['far', 'gate']) reach.keys.set(name, keyOf(name));
  sim = await startSimCloud({ hosts: [], reach });
}

const far = { kind: 'ssh', host: 'far', fingerprint: keyOf('far').fingerprint } as const;
const recordOf = (name: string): HostRecord | undefined =>
  sim.store.range<HostRecord>(PREFIX.host).find(({ value }) => value.name === name)?.value;

describe('AddHost over SSH', () => {
  it('[sim] pins the whole key that has the fingerprint, with the defaults filled', async () => {
    await start();
    const { host } = await sim.call('AddHost', { Name: 'far', Transport: far });
    const { type, base64, fingerprint } = keyOf('far');
    expect(host).toMatchObject({ transport: 'ssh://root@far:22', ssh: { fingerprint, sudo: false } });
    expect(recordOf('far')?.transport).toEqual({
      ...{ kind: 'ssh', host: 'far', port: 22, user: 'root', sudo: false },
      ...{ login: { kind: 'cloud' }, hostKey: { type, base64 } },
    });
  });

  it('[sim] asks the jump host first, and the host by way of it', async () => {
    await start();
    const jump = { host: 'gate', user: 'hop', port: 2222, fingerprint: keyOf('gate').fingerprint };
    const { host } = await sim.call('AddHost', {
      Name: 'far',
      Transport: { ...far, user: 'me', sudo: true, login: { kind: 'file', path: '/k' }, jump },
    });
    expect(host.ssh).toMatchObject({ jump: 'hop@gate:2222', sudo: true, login: 'the key /k' });
    expect(reach.asked.map((query) => [query.host, query.jump?.server.host, query.jump?.login.kind])).toEqual([
      ['gate', undefined, undefined],
      ['far', 'gate', 'file'],
    ]);
  });

  it('[sim] records nothing of a machine with another key, or that does not answer', async () => {
    await start();
    const wrong = { ...far, fingerprint: keyOf('other').fingerprint };
    await expect(sim.call('AddHost', { Name: 'far', Transport: wrong })).rejects.toMatchObject({
      code: 'Unavailable',
      details: { reason: 'host-key' },
    });
    await expect(sim.call('AddHost', { Name: 'x', Transport: { ...far, host: 'x' } })).rejects.toThrow('no such key');
    expect(sim.store.count(PREFIX.host)).toBe(0);
  });

  it.each([
    [{ fingerprint: 'SHA256:short' }, 'Transport.fingerprint: must be SHA256: and 43 characters'],
    [{ port: 70_000 }, 'Transport.port: must be a port, 1 to 65535'],
    [{ user: 'a b' }, 'Transport.user: must be a user name'],
    [{ host: '-oProxyCommand=x' }, 'Transport.host: must be a host name or an IP address'],
    [{ login: { kind: 'file', path: 'key' } }, 'Transport.login.path: must be an absolute path'],
    [{ login: { kind: 'password' } }, 'Transport.login.kind: must be cloud, file or agent'],
  ])('[sim] refuses %j by name', async (bad, wanted) => {
    await start();
    await expect(sim.call('AddHost', { Name: 'far', Transport: { ...far, ...bad } as typeof far })).rejects.toThrow(
      wanted,
    );
  });
});

describe('the key of a host', () => {
  it('[sim] is asked of any machine, and of a host beside what is pinned', async () => {
    await start();
    expect(await sim.call('GetHostKey', { Server: { host: 'far' } })).toEqual(keyOf('far'));
    await sim.call('AddHost', { Name: 'far', Transport: far });
    reach.keys.set('far', keyOf('anew'));
    expect(await sim.call('GetHostKey', { Host: 'far' })).toEqual({
      ...keyOf('anew'),
      pinned: keyOf('far').fingerprint,
    });
    await expect(sim.call('GetHostKey', {})).rejects.toThrow('one of Host and Server is needed');
    expect(await sim.call('GetCloudKey', {})).toEqual({ publicKey: 'ssh-ed25519 AAAA novactl' });
  });

  it('[sim] is pinned anew only when the host answers with it; the host is then opened again', async () => {
    await start();
    await sim.call('AddHost', { Name: 'far', Transport: far });
    const { fingerprint } = keyOf('anew');
    await expect(sim.call('SetHostKey', { Host: 'far', Fingerprint: fingerprint })).rejects.toThrow('no such key');
    reach.keys.set('far', keyOf('anew'));
    const { host } = await sim.call('SetHostKey', { Host: 'far', Fingerprint: fingerprint });
    expect(host).toMatchObject({ state: 'up', ssh: { fingerprint } });
  });
});

describe('CheckHost', () => {
  it('[sim] of a host and of a machine; warnings are no failure', async () => {
    await start();
    await sim.call('AddHost', { Name: 'far', Transport: far });
    reach.rows = [{ check: 'time', result: 'warn', seen: 'late', mend: 'chrony' }];
    expect(await sim.call('CheckHost', { Host: 'far' })).toEqual({ checks: reach.rows, ok: true });
    reach.rows = [{ check: 'ssh', result: 'fail', seen: 'no' }];
    expect((await sim.call('CheckHost', { Transport: { ...far, user: 'me' } })).ok).toBe(false);
    expect(reach.checked).toMatchObject({ user: 'me', hostKey: { base64: keyOf('far').base64 } });
    await expect(sim.call('CheckHost', { Host: 'nobody' })).rejects.toThrow('Host: there is no host nobody');
  });
});

describe('SetHostState', () => {
  it('[sim] maintenance keeps new instances off, and what runs goes on', async () => {
    sim = await startSimCloud();
    await sim.run();
    await sim.settled('running');
    const { host } = await sim.call('SetHostState', { Host: 'node1', State: 'maintenance' });
    expect(host.state).toBe('maintenance');
    await expect(sim.run()).rejects.toThrow('node1: the host is in state maintenance');
    await sim.call('StopInstances', { InstanceIds: sim.records().map((record) => record.id) });
    await sim.settled('stopped');
    await sim.call('SetHostState', { Host: 'node1', State: 'up' });
    expect((await sim.run()).instances).toHaveLength(1);
  });
});

describe('RemoveHost of a lost host', () => {
  const lost = (Confirm: string | undefined = 'node1') =>
    sim.call('RemoveHost', { Host: 'node1', Lost: true, ...(Confirm === '' ? {} : { Confirm }) });

  it('[sim] is refused while it answers, and without its name once more', async () => {
    sim = await startSimCloud();
    await sim.run();
    await sim.settled('running');
    await expect(lost()).rejects.toMatchObject({ code: 'IncorrectState' });
    sim.world.host('node1').disconnect('power cut');
    await until(() => sim.cloud.context.observations.host(recordOf('node1')?.id ?? '')?.up === false || undefined, {
      what: 'the host is seen down',
    });
    await expect(lost('')).rejects.toThrow('Confirm: must be the name of the host that is lost, node1');
    await expect(lost('node2')).rejects.toThrow('Confirm: must be the name');
    await expect(sim.call('RemoveHost', { Host: 'node1' })).rejects.toThrow('--lost node1 --confirm=node1');
    expect(sim.records().map((record) => record.state)).toEqual(['running']);
  });

  it('[sim] ends its instances and gives back all they held, and the others live on', async () => {
    sim = await startSimCloud({ hosts: ['node1', 'node2'] });
    const { instances } = await sim.run({ MinCount: 12, MaxCount: 12 });
    await sim.settled('running');
    const gone = recordOf('node1')?.id ?? '';
    const there = instances.filter((row) => sim.record(row.instanceId).hostId === gone).map((row) => row.instanceId);
    expect(there.length).toBeGreaterThan(0);
    sim.world.host('node1').disconnect('burnt');
    await until(() => sim.cloud.context.observations.host(gone)?.up === false || undefined, { what: 'seen down' });
    const answer = await lost();
    expect(answer.instances.toSorted()).toEqual(there.toSorted());
    for (const record of await sim.settled('terminated', there)) {
      expect(record.stateReason).toEqual({
        code: 'Server.HostLost',
        message: `its host was removed as lost (${answer.operationId})`,
      });
    }
    await until(() => recordOf('node1') === undefined || undefined, { what: 'its record is gone' });
    const keys = sim.store.range('').map(({ key }) => key);
    expect(keys.filter((key) => key.includes(gone) || key === KEYS.hostName('node1'))).toEqual([]);
    expect(sim.records().filter((record) => record.state === 'running')).toHaveLength(12 - there.length);
    expectClaimsAddUp(sim.store);
  });

  it('[sim] of what was pending and stopping ends the operation too', async () => {
    sim = await startSimCloud();
    await sim.run();
    await sim.settled('running');
    sim.world.host('node1').disconnect('burnt');
    await until(() => sim.cloud.context.observations.host(recordOf('node1')?.id ?? '')?.up === false || undefined, {
      what: 'seen down',
    });
    const ids = sim.records().map((record) => record.id);
    const { operationId } = await sim.call('StopInstances', { InstanceIds: ids });
    await lost();
    await sim.settled('terminated');
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations).toMatchObject([{ status: 'failed', error: { code: 'Unreachable' } }]);
  });
});
