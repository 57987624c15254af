import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isCode } from '../../../src/base/errors.ts';
import type { CallMeta, Principal } from '../../../src/controller/operations/handler.ts';
import { ACCESS_RULES, passesRule, ROLE_NAMES } from '../../../src/domain/access-rules.ts';
import { OPERATIONS } from '../../../src/messages/operations/index.ts';
import { expectGolden } from '../../support/golden.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';

const STANDINGS = [...ROLE_NAMES, 'manager', 'member', 'nothing'] as const;
const rolesOf = (standing: string): string[] => (standing === 'nothing' ? [] : [standing]);

const definitions = Object.values(OPERATIONS).toSorted((a, b) => (a.name < b.name ? -1 : 1));
const byRule = Object.keys(ACCESS_RULES).map((rule) => ({
  rule,
  names: definitions.filter(({ access }) => access === rule).map(({ name }) => name),
}));

/** One line an operation: its rule, and a mark under each standing that may call it. */
function table(): string {
  const head = ['operation'.padEnd(44), 'rule'.padEnd(11), ...STANDINGS].join(' ').trimEnd();
  const rows = definitions.map(({ name, access }) => {
    const marks = STANDINGS.map((one) => (passesRule(access, rolesOf(one)) ? 'yes' : '.').padEnd(one.length));
    return [name.padEnd(44), access.padEnd(11), ...marks].join(' ').trimEnd();
  });
  return `${[head, ...rows].join('\n')}\n`;
}

describe('who may call what', () => {
  it('is what the table says, for every operation and every standing', () => {
    expectGolden('access.txt', table());
  });

  it('only reads are for who is a member and nothing more, but for what concerns oneself', () => {
    const changes = definitions.filter(({ changes, access }) => changes && access === 'member').map(({ name }) => name);
    // Each looks itself whether the key is the caller's own.
    expect(changes).toEqual([
      'CreateAccessKey',
      'CreateUserCertificate',
      'DeleteAccessKey',
      'DeleteUserCertificate',
      'RotateAccessKey',
      'UpdateAccessKey',
    ]);
  });

  it('hosts, processes, jobs and the state are for cloudadmins alone', () => {
    const ours = /Host|Service|Maintenance|State|Cloud|Placement|PlanInstances/;
    const open = definitions.filter(({ name, access }) => ours.test(name) && access !== 'cloudadmin');
    // It sends each caller what they may see.
    expect(open.map(({ name }) => name)).toEqual(['WatchCloud']);
  });
});

describe('[sim] the executor', () => {
  let sim: SimCloud;
  beforeAll(async () => {
    sim = await startSimCloud({ hosts: [] });
  });
  afterAll(() => sim.close());

  const meta = (roles: readonly string[]): CallMeta => {
    const principal: Principal = { name: 'eve', projectId: 'other', roles, from: 'test' };
    return { requestId: 'req-test', principal, dryRun: true };
  };

  /** True when the rule refused; anything else that is said comes after it. */
  async function refused(name: string, roles: readonly string[]): Promise<boolean> {
    const { gateway } = sim.cloud;
    const { kind, changes } = OPERATIONS[name as keyof typeof OPERATIONS];
    const abort = new AbortController();
    try {
      // What is no input is refused before anybody is asked who they are; then nothing can be said of the rule.
      const input = SAMPLES[name] ?? {};
      if (kind === 'stream')
        await gateway.stream(name, input, meta(roles), abort.signal)[Symbol.asyncIterator]().next();
      else if (kind === 'duplex') await gateway.duplex(name, input, meta(roles));
      else if (changes) await gateway.unary(name, input, meta(roles));
      else await gateway.unary(name, input, meta(roles));
      return false;
    } catch (error) {
      return isCode(error, 'UnauthorizedOperation') && error.details?.['rule'] !== undefined;
    } finally {
      abort.abort();
    }
  }

  it.each(byRule)('goes by the rule $rule', async ({ rule, names }) => {
    const asked = names.filter((name) => parses(name));
    for (const name of asked) {
      for (const standing of STANDINGS) {
        const wanted = !passesRule(rule as keyof typeof ACCESS_RULES, rolesOf(standing));
        expect(await refused(name, rolesOf(standing)), `${name} by ${standing}`).toBe(wanted);
      }
    }
    expect(names.length === 0 || asked.length > 0, `an operation of the rule ${rule} was asked for`).toBe(true);
  });
});

const INSTANCE = 'i-0123456789abcdef0';
const HOST = { Host: 'node1' };

/** An input that the schema takes, for operations that need one. */
const SAMPLES: Readonly<Record<string, object>> = {
  AddProjectMember: { UserName: 'anna' },
  AddRole: { Role: 'developer', UserName: 'anna', ProjectId: 'other' },
  CheckRole: { Role: 'developer', UserName: 'anna' },
  CreateKeyPair: { KeyName: 'k' },
  CreateProject: { ProjectId: 'lab' },
  CreateUser: { UserName: 'anna' },
  DeleteProject: { ProjectId: 'lab' },
  DeleteUser: { UserName: 'anna' },
  DeregisterImage: { ImageId: 'still' },
  DisableService: { Service: 'node1' },
  ExplainAccess: { Operation: 'RunInstances' },
  ExplainInstance: { InstanceId: INSTANCE },
  ExplainPlacement: { InstanceType: 'm1.nano' },
  GetConsoleOutput: { InstanceId: INSTANCE },
  ModifyProject: { ProjectId: 'other', Description: 'x' },
  ModifyUser: { UserName: 'anna', Enabled: true },
  OpenConsole: { InstanceId: INSTANCE },
  PlanInstances: { ImageId: 'still' },
  RemoveHost: HOST,
  RemoveProjectMember: { UserName: 'anna' },
  RemoveRole: { Role: 'developer', UserName: 'anna', ProjectId: 'other' },
  RunInstances: { ImageId: 'still' },
  SetHostState: { ...HOST, State: 'up' },
  SetQuota: { Limits: { instances: 1 } },
  StartInstances: { InstanceIds: [INSTANCE] },
  StopInstances: { InstanceIds: [INSTANCE] },
  TerminateInstances: { InstanceIds: [INSTANCE] },
  RebootInstances: { InstanceIds: [INSTANCE] },
  WatchConsole: { InstanceId: INSTANCE },
  WatchInstances: { InstanceIds: [INSTANCE] },
};

function parses(name: string): boolean {
  return OPERATIONS[name as keyof typeof OPERATIONS].input.safeParse(SAMPLES[name] ?? {}).success;
}
