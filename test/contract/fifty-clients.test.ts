import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, PREFIX } from '../../src/domain/keys.ts';
import type { InstanceRecord } from '../../src/domain/instance.ts';
import type { QuotaKind, UsageRecord } from '../../src/domain/quota.ts';
import type { KeyPairRecord, TokenRecord } from '../../src/domain/records.ts';
import type { PublicAddressRecord } from '../../src/domain/address.ts';
import type { SecurityGroupRecord } from '../../src/domain/security-groups.ts';
import type { VolumeRecord } from '../../src/domain/volume.ts';
import { watchFor } from '../support/canaries.ts';
import { TwoApis, type TwoApisReply } from '../support/two-apis.ts';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';

const PROJECTS = ['alpha', 'beta', 'gamma', 'delta', 'omega'];
const CLIENTS = 50;
/** Limits of each project; each of them is asked for several times over. */
const LIMITS = { instances: 9, volumes: 7, gigabytes: 11, addresses: 4, groups: 5 } as const;
/** Of the second user of each project. */
const USER_LIMITS = { instances: 4, addresses: 1 } as const;
/** 14 addresses, where the projects together may have 20. */
const PUBLIC_RANGE = '198.51.100.0/28';
const POOL = 14;

interface Client {
  readonly at: number;
  readonly project: string;
  readonly key: AccessKey;
}

interface Told {
  readonly client: Client;
  readonly action: string;
  readonly token: string | undefined;
  readonly reply: TwoApisReply;
}

let cloud: TwoApis;
const told: Told[] = [];

const range = <T>(prefix: string): { key: string; value: T }[] => cloud.store.range<T>(prefix);
const values = <T>(prefix: string): T[] => range<T>(prefix).map(({ value }) => value);

/** Half of a project's clients are its manager, the others one user of it. */
async function makeClients(): Promise<Client[]> {
  const keys = new Map<string, AccessKey>();
  for (const project of PROJECTS) {
    for (const user of [`${project}-boss`, `${project}-hand`]) {
      await cloud.call('CreateUser', { UserName: user });
    }
    const [boss, hand] = [`${project}-boss`, `${project}-hand`];
    await cloud.call('CreateProject', { ProjectId: project, Manager: boss, Members: [hand] });
    for (const Role of ['sysadmin', 'netadmin'] as const)
      await cloud.call('AddRole', { UserName: hand, ProjectId: project, Role });
    await cloud.call('SetQuota', { ProjectId: project, Limits: LIMITS });
    await cloud.call('SetQuota', { ProjectId: project, UserName: hand, Limits: USER_LIMITS });
    for (const user of [boss, hand]) {
      const made = await cloud.call('CreateAccessKey', { UserName: user, ProjectId: project });
      keys.set(user, {
        accessKeyId: made.accessKey.accessKeyId,
        secretAccessKey: watchFor('secret access key', made.secretAccessKey),
      });
    }
  }
  return Array.from({ length: CLIENTS }, (_, at) => {
    const project = PROJECTS[at % PROJECTS.length] ?? '';
    const key = keys.get(`${project}-${at < CLIENTS / 2 ? 'boss' : 'hand'}`);
    if (key === undefined) throw new Error(`no key for client ${at}`);
    return { at, project, key };
  });
}

async function ask(client: Client, api: number, action: string, parameters: Record<string, string>): Promise<void> {
  const reply = await cloud.ask(api, client.key, { Action: action, Version: '2016-11-15', ...parameters });
  told.push({ client, action, token: parameters['ClientToken'], reply });
}

const runInstances = (token: string, count: number): Record<string, string> => ({
  ...{ ImageId: cloud.imageId, InstanceType: 'm1.nano', ClientToken: token },
  ...{ MinCount: String(count), MaxCount: String(count) },
});

/** All that one client asks for, at once, over both apis; by turns another begins. */
async function createAll(client: Client): Promise<void> {
  const here = client.at % 2;
  const size = String(1 + (client.at % 3));
  await Promise.all([
    // One token of all clients of the user, one that only this client has and says at both apis.
    ask(client, here, 'RunInstances', runInstances('of-all', 1)),
    ask(client, 0, 'RunInstances', runInstances(`own-${client.at}`, 2)),
    ask(client, 1, 'RunInstances', runInstances(`own-${client.at}`, 2)),
    ask(client, here, 'CreateVolume', { AvailabilityZone: 'nova', Size: size }),
    ask(client, here, 'AllocateAddress', { Domain: 'vpc' }),
    ask(client, 1 - here, 'AllocateAddress', { Domain: 'vpc' }),
    ask(client, here, 'CreateSecurityGroup', { GroupName: `g${client.at}`, GroupDescription: 'of one client' }),
    ask(client, here, 'CreateSecurityGroup', { GroupName: 'of-all', GroupDescription: 'of all' }),
    ask(client, here, 'CreateKeyPair', { KeyName: 'of-all', KeyType: 'ed25519' }),
  ]);
}

beforeAll(async () => {
  cloud = await TwoApis.start({ network: { publicRange: PUBLIC_RANGE } });
  const clients = await makeClients();
  await Promise.all(clients.map(createAll));
}, 60_000);
afterAll(() => cloud.close());

const ids = (text: string, tag: string): string[] =>
  [...text.matchAll(new RegExp(`<${tag}>([^<]+)</${tag}>`, 'g'))].map(([, id = '']) => id);

interface Owned {
  readonly projectId: string;
  readonly user?: string;
}

/** What the records say, counted here and not by the product. */
function counted(projectId: string, user?: string): Partial<Record<QuotaKind, number>> {
  const of = <T extends Owned>(prefix: string): T[] =>
    values<T>(prefix).filter((one) => one.projectId === projectId && (user === undefined || one.user === user));
  const volumes = of<VolumeRecord>(PREFIX.volume);
  return {
    instances: of<InstanceRecord>(PREFIX.instance).filter(({ state }) => state !== 'terminated').length,
    volumes: volumes.length,
    gigabytes: volumes.reduce((sum, { sizeGib }) => sum + sizeGib, 0),
    addresses: of<PublicAddressRecord>(PREFIX.publicAddress).length,
    groups: of<SecurityGroupRecord>(PREFIX.securityGroup).filter(({ isDefault }) => isDefault !== true).length,
  };
}

const usageOf = (projectId: string, user?: string) =>
  cloud.store.get<UsageRecord>(KEYS.usage(projectId, user))?.value.used ?? {};

/** In the state, by what an answer names it. */
const MADE: Readonly<Record<string, { readonly tag: string; readonly ids: () => [id: string, projectId: string][] }>> =
  {
    RunInstances: {
      tag: 'instanceId',
      ids: () => values<InstanceRecord>(PREFIX.instance).map(({ id, projectId }) => [id, projectId]),
    },
    CreateVolume: {
      tag: 'volumeId',
      ids: () => values<VolumeRecord>(PREFIX.volume).map(({ id, projectId }) => [id, projectId]),
    },
    AllocateAddress: {
      tag: 'publicIp',
      ids: () =>
        values<PublicAddressRecord>(PREFIX.publicAddress).map(({ publicIp, projectId }) => [publicIp, projectId]),
    },
    CreateSecurityGroup: {
      tag: 'groupId',
      ids: () =>
        values<SecurityGroupRecord>(PREFIX.securityGroup)
          .filter(({ isDefault }) => isDefault !== true)
          .map(({ id, projectId }) => [id, projectId]),
    },
    CreateKeyPair: {
      tag: 'keyFingerprint',
      ids: () => values<KeyPairRecord>(PREFIX.keyPair).map(({ fingerprint, projectId }) => [fingerprint, projectId]),
    },
  };

describe('fifty clients who create at once over two apis and two controllers [sim]', () => {
  it('are refused for what they may be refused for, and for nothing else', () => {
    const refusals = new Set(told.map(({ action, reply }) => `${action} ${reply.status} ${reply.code}`));
    expect([...refusals].toSorted()).toEqual([
      'AllocateAddress 200 ',
      'AllocateAddress 400 AddressLimitExceeded',
      'AllocateAddress 503 InsufficientAddressCapacity',
      'CreateKeyPair 200 ',
      'CreateKeyPair 400 InvalidKeyPair.Duplicate',
      'CreateSecurityGroup 200 ',
      'CreateSecurityGroup 400 InvalidGroup.Duplicate',
      'CreateSecurityGroup 400 SecurityGroupLimitExceeded',
      'CreateVolume 200 ',
      'CreateVolume 400 VolumeLimitExceeded',
      'RunInstances 200 ',
      'RunInstances 400 InstanceLimitExceeded',
    ]);
  });

  it.each(PROJECTS)('never exceed a quota, and come to it: %s', (project) => {
    const used = counted(project);
    for (const [kind, limit] of Object.entries(LIMITS))
      expect(used[kind as QuotaKind], `${kind} of ${project}`).toBeLessThanOrEqual(limit);
    expect(usageOf(project)).toMatchObject(used);
    expect(used.instances).toBeGreaterThanOrEqual(LIMITS.instances - 1);
    expect(used.groups).toBe(LIMITS.groups);
    const hand = counted(project, `${project}-hand`);
    for (const [kind, limit] of Object.entries(USER_LIMITS))
      expect(hand[kind as QuotaKind], `${kind} of ${project}-hand`).toBeLessThanOrEqual(limit);
    expect(usageOf(project, `${project}-hand`)).toMatchObject(hand);
  });

  it('never share an address, and of few addresses each is given', () => {
    const nics = values<InstanceRecord>(PREFIX.instance).map(({ nic }) => nic);
    expect(nics.length).toBeGreaterThan(PROJECTS.length * 5);
    for (const what of ['address', 'mac'] as const) {
      const each = nics.map((nic) => nic[what]);
      expect(new Set(each).size, what).toBe(each.length);
    }
    const elastic = values<PublicAddressRecord>(PREFIX.publicAddress).map(({ publicIp }) => publicIp);
    expect(elastic).toHaveLength(POOL);
    expect(new Set(elastic).size).toBe(POOL);
    for (const address of elastic) expect(address).toMatch(/^198\.51\.100\.([1-9]|1[0-4])$/);
    // What a record says is what the key of the claim says.
    for (const { key, value } of range<PublicAddressRecord>(PREFIX.publicAddress))
      expect(key).toBe(KEYS.publicAddress(value.publicIp));
  });

  it('never get a second reservation for a token that was said again', () => {
    const byToken = Map.groupBy(
      values<InstanceRecord>(PREFIX.instance),
      ({ projectId, clientToken }) => `${projectId} ${clientToken ?? ''}`,
    );
    for (const [token, records] of byToken) {
      expect(new Set(records.map(({ reservationId }) => reservationId)).size, token).toBe(1);
      expect(records, token).toHaveLength(token.endsWith(' of-all') ? 1 : 2);
    }
    expect([...byToken.keys()].filter((token) => token.endsWith(' of-all'))).toHaveLength(PROJECTS.length);
    expect(range<TokenRecord>(`${PREFIX.token}`).filter(({ key }) => key.includes('/RunInstances/'))).toHaveLength(
      byToken.size,
    );
    // Whoever said a token that took effect was told of it, each the same.
    for (const [token, answers] of Map.groupBy(
      told.filter(({ action }) => action === 'RunInstances'),
      ({ client, token: said }) => `${client.project} ${said ?? ''}`,
    )) {
      const reservations = new Set(answers.flatMap(({ reply }) => ids(reply.text, 'reservationId')));
      const inState = new Set(byToken.get(token)?.map(({ reservationId }) => reservationId));
      expect(reservations, token).toEqual(inState);
    }
  });

  it.each(Object.keys(MADE))(
    'were told what is in the state, and nothing is there that nobody was told of: %s',
    (action) => {
      const { tag, ids: inState } = MADE[action] ?? { tag: '', ids: () => [] };
      const answers = told.filter((one) => one.action === action && one.reply.status === 200);
      const said = answers.flatMap(({ client, reply }) => ids(reply.text, tag).map((id) => `${id} ${client.project}`));
      expect(new Set(said)).toEqual(new Set(inState().map(([id, project]) => `${id} ${project}`)));
      // What is no repeated token is one answer a thing.
      if (action !== 'RunInstances') expect(said).toHaveLength(new Set(said).size);
    },
  );
});
