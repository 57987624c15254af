import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asCloudError } from '../../../../src/base/errors.ts';
import type { CallMeta } from '../../../../src/controller/operations/handler.ts';
import { principalOf } from '../../../../src/controller/users/principal.ts';
import type { ConsoleItem } from '../../../../src/messages/console.ts';
import type { SimCloud } from '../../../support/sim-cloud.ts';
import { ADMIN, startSimCloud } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

/** A developer of a project of their own, with an instance that runs there. */
interface Who {
  readonly user: string;
  readonly project: string;
  readonly key: string;
  readonly instanceId: string;
  readonly meta: CallMeta;
}

let sim: SimCloud;
const end = new AbortController();
beforeAll(async () => {
  sim = await startSimCloud();
});
afterAll(async () => {
  end.abort();
  await sim.close();
});

let made = 0;
async function someone(): Promise<Who> {
  made += 1;
  const [user, project] = [`dev${made}`, `lab${made}`];
  await sim.call('CreateUser', { UserName: user });
  await sim.call('CreateProject', { ProjectId: project, Members: [user] });
  await sim.call('AddRole', { Role: 'developer', UserName: user, ProjectId: project });
  const { accessKey } = await sim.call('CreateAccessKey', { UserName: user, ProjectId: project });
  const key = accessKey.accessKeyId;
  const ask = { userName: user, projectId: project, from: 'https test', accessKeyId: key };
  const meta = { requestId: 'req-test', principal: await principalOf(sim.cloud.context, ask) };
  // The image is another project's.
  const { instances } = await sim.run({}, { principal: { ...ADMIN.principal, projectId: project } });
  const instanceId = instances[0]?.instanceId ?? '';
  await sim.settled('running', [instanceId]);
  return { user, project, key, instanceId, meta };
}

/** How a stream that was left open ended. */
async function endOf(name: 'WatchCloud' | 'WatchConsole', input: object, meta: CallMeta): Promise<[string, string]> {
  try {
    for await (const _ of sim.cloud.gateway.stream(name, input, meta, end.signal)) continue;
    return ['ended', ''];
  } catch (error) {
    const { code, message } = asCloudError(error);
    return [code, message];
  }
}

async function consoleEnd({ instanceId, meta }: Who): Promise<{ last: ConsoleItem | undefined; echoed: string }> {
  const channel = await sim.cloud.gateway.duplex('OpenConsole', { InstanceId: instanceId, Force: false }, meta);
  await channel.write(Buffer.from('hello\r'));
  let last: ConsoleItem | undefined;
  let echoed = '';
  for await (const item of channel.read()) {
    last = item;
    if (item.kind === 'output') echoed += Buffer.from(item.bytes).toString();
  }
  await channel.write(Buffer.from('too late\r'));
  await channel.close();
  return { last, echoed };
}

type Act = (who: Who) => Promise<unknown>;

const LOST: readonly (readonly [string, Act, string, RegExp])[] = [
  [
    'a key that is disabled',
    ({ key }) => sim.call('UpdateAccessKey', { AccessKeyId: key, Status: 'Inactive' }),
    'AuthFailure',
    /access key AKIA\w+ is disabled since this was opened/,
  ],
  [
    'a key that is deleted',
    ({ key }) => sim.call('DeleteAccessKey', { AccessKeyId: key }),
    'AuthFailure',
    /access key AKIA\w+ was deleted since/,
  ],
  [
    'a user who is disabled',
    ({ user }) => sim.call('ModifyUser', { UserName: user, Enabled: false }),
    'AuthFailure',
    /the user dev\d+ is disabled/,
  ],
  [
    'a user who is deleted',
    ({ user }) => sim.call('DeleteUser', { UserName: user, Purge: true }),
    'AuthFailure',
    /was deleted since|is not there any more/,
  ],
  [
    'a user who left the project',
    ({ user, project }) => sim.call('RemoveProjectMember', { UserName: user, ProjectId: project }),
    'UnauthorizedOperation',
    /dev\d+ is no member of project lab\d+/,
  ],
];

describe('[sim] what is open ends within seconds', { timeout: 30_000 }, () => {
  it.concurrent.each(LOST)('for %s: the watch of the cloud, the log and the console', async (_, lose, code, text) => {
    const who = await someone();
    const input = { InstanceId: who.instanceId, TailBytes: 100, Follow: true };
    const cloud = endOf('WatchCloud', {}, who.meta);
    const log = endOf('WatchConsole', input, who.meta);
    const console = consoleEnd(who);
    await lose(who);
    for (const how of [await cloud, await log]) expect(how).toEqual([code, expect.stringMatching(text)]);
    const { last, echoed } = await console;
    expect(last).toEqual({ kind: 'ended', reason: 'denied', message: expect.stringMatching(text) as string });
    expect(echoed).toBe('hello\r\n');
  });

  it.concurrent('for a role that was taken away: only what needs the role', async () => {
    const who = await someone();
    const watch = sim.cloud.gateway.stream('WatchCloud', {}, who.meta, end.signal)[Symbol.asyncIterator]();
    await watch.next();
    const console = consoleEnd(who);
    await sim.call('RemoveRole', { Role: 'developer', UserName: who.user, ProjectId: who.project });
    const why: unknown = expect.stringMatching(/OpenConsole is for .*rule "use"/);
    expect((await console).last).toEqual({ kind: 'ended', reason: 'denied', message: why });
    // The next one has the console at once.
    await sim.call('AddRole', { Role: 'developer', UserName: who.user, ProjectId: who.project });
    const again = await sim.cloud.gateway.duplex('OpenConsole', { InstanceId: who.instanceId, Force: false }, who.meta);
    await again.close();
    expect((await watch.next()).done).toBe(false);
    await watch.return?.();
  });

  it.concurrent('for who was a cloudadmin, and saw every project', async () => {
    const who = await someone();
    await sim.call('AddRole', { Role: 'cloudadmin', UserName: who.user });
    const { accessKeyId, userName = '', projectId, from } = who.meta.principal;
    const principal = await principalOf(sim.cloud.context, {
      ...{ userName, projectId, from },
      ...(accessKeyId === undefined ? {} : { accessKeyId }),
    });
    const watch = endOf('WatchCloud', {}, { ...who.meta, principal });
    await sim.call('RemoveRole', { Role: 'cloudadmin', UserName: who.user });
    expect(await watch).toEqual(['UnauthorizedOperation', expect.stringContaining('was a cloudadmin')]);
  });

  it.concurrent('a rotated key when its time is over, and not before', async () => {
    const who = await someone();
    const watch = endOf('WatchCloud', {}, who.meta);
    await sim.call('RotateAccessKey', { AccessKeyId: who.key, OverlapSeconds: 1 });
    expect(await watch).toEqual(['AuthFailure', expect.stringContaining('is over')]);
  });

  it.concurrent('and nothing of it goes on looking once the reader is gone', async () => {
    const who = await someone();
    const gone = new AbortController();
    const watch = sim.cloud.gateway.stream('WatchCloud', {}, who.meta, gone.signal)[Symbol.asyncIterator]();
    await watch.next();
    gone.abort();
    await until(async () => (await watch.next()).done === true, { what: 'the stream ends without an error' });
  });
});
