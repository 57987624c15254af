import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { canary } from '../support/canaries.ts';
import { NOVACTL, TestCloud } from '../support/test-cloud.ts';
import { Tmux } from '../support/tmux.ts';

function missing(): string | undefined {
  try {
    execFileSync('tmux', ['-V']);
    return undefined;
  } catch {
    return 'tmux is not installed';
  }
}
const absent = missing();

const SECRET = canary('typed password');
let cloud: TestCloud;
let terminal: Tmux;

beforeAll(async () => {
  if (absent !== undefined) return;
  cloud = new TestCloud({ NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_LISTEN: 'none' });
  await cloud.start();
  terminal = new Tmux({ env: cloud.env, columns: 110, rows: 40, cwd: cloud.dir, name: 'prompts' });
}, 60_000);

afterAll(async () => {
  if (absent !== undefined) return;
  terminal.close();
  await cloud.destroy();
});

/** Waits for a question, answers it. */
async function answer(question: string | RegExp, text: string): Promise<void> {
  await terminal.see(question);
  if (text === SECRET) terminal.secret(text);
  else terminal.command(text);
}

describe.skipIf(absent !== undefined)(
  `user create, project create and bucket delete at a terminal (${absent ?? 'tmux'})`,
  () => {
    it('[sim] ask for what is missing, and show no password', async () => {
      terminal.command(`${NOVACTL} user create`);
      await answer('name of the user:', 'anna');
      await answer('name as people write it', 'Anna A.');
      await answer('e-mail address', 'anna@example.org');
      await answer('password (empty: none):', SECRET);
      await answer('the same again:', SECRET);
      const screen = await terminal.see('made the user anna');
      expect(screen).not.toContain(SECRET);
      expect(JSON.parse(await cloud.ok('user', 'show', 'anna', '--json'))).toMatchObject({
        ...{ userName: 'anna', displayName: 'Anna A.', email: 'anna@example.org', enabled: true },
      });
      terminal.command(`clear; ${NOVACTL} project create`);
      await answer('name of the project:', 'lab');
      await answer('who manages it', 'anna');
      await answer('what it is for', '');
      await terminal.see('made the project lab');
      expect(JSON.parse(await cloud.ok('project', 'show', 'lab', '--json'))).toMatchObject({ manager: 'anna' });
    });

    it('[sim] bucket delete --force asks there as project delete does, and takes no for an answer', async () => {
      await cloud.ok('bucket', 'create', 'box');
      const deleting = [
        ['project delete nosuch', 'delete the project nosuch?'],
        ['bucket delete box --force', 'delete the bucket box and all that is in it?'],
      ] as const;
      for (const [command, question] of deleting) {
        terminal.command(`clear; ${NOVACTL} ${command}; echo "code $?"`);
        await answer(question, 'n');
        await terminal.see(/not confirmed, nothing was done .*\ncode 4/);
      }
      expect(await cloud.json('bucket', 'list')).toMatchObject({ buckets: [{ name: 'box' }] });
    });

    it('[sim] ctrl-c ends it with 130, and nothing is made', async () => {
      terminal.command(`clear; ${NOVACTL} user create; echo "code $?"`);
      await answer('name of the user:', 'bob');
      await terminal.see('name as people write it');
      terminal.keys('C-c');
      // On a line of its own.
      await terminal.see(/\nnovactl: interrupted\ncode 130/);
      expect((await cloud.cli('user', 'show', 'bob')).code).toBe(3);
    });

    it('[sim] what was typed hidden does not come back by the arrow keys', async () => {
      terminal.command(`clear; ${NOVACTL} user create carl --password; echo "code $?"`);
      await answer('password (empty: none):', SECRET);
      await answer('the same again:', 'another');
      await terminal.see('press Enter to try again');
      terminal.keys('Up', 'Up', 'C-c');
      expect(await terminal.see('code 130')).not.toMatch(/Canary|another/);
      expect((await cloud.cli('user', 'show', 'carl')).code).toBe(3);
    });

    it('[sim] without a terminal nothing is asked', async () => {
      expect(await cloud.cli('user', 'create')).toMatchObject({
        code: 2,
        stderr: 'novactl: missing USER: name of the user\n',
      });
      expect((await cloud.cli('user', 'modify', 'anna', '--password')).stderr).toContain('give --password-file');
      expect(await cloud.cli('quota', 'set')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^novactl: missing LIMIT: KIND=N, .*instances, vcpus/),
      });
      terminal.command(`clear; ${NOVACTL} user create --json; ${NOVACTL} quota set -o yaml; echo "code $?"`);
      expect(await terminal.see('code 2')).toMatch(/missing USER[^]*missing LIMIT/);
    });
  },
);

interface Limits {
  readonly quotas: readonly { readonly kind: string; readonly used: number; readonly limit?: number }[];
}

const quotas = async (...words: string[]): Promise<Limits['quotas']> =>
  (await cloud.json<Limits>('quota', 'show', '--project', 'web', ...words)).quotas;

const limits = async (...words: string[]): Promise<Record<string, number | undefined>> =>
  Object.fromEntries((await quotas(...words)).map(({ kind, limit }) => [kind, limit]));

const changes = async (): Promise<number> =>
  (await cloud.json<{ operations: unknown[] }>('op', 'list', '--filter', 'name=SetQuota')).operations.length;

const line = (text: string): string => join(cloud.dir, text);

/** Everything that a terminal can be set to, as stty says it. */
function settings(name: string): void {
  terminal.command(`clear; stty -a >${line(name)}; echo written ${name}`);
}

describe.skipIf(absent !== undefined)(`quota set at a terminal (${absent ?? 'tmux'})`, () => {
  beforeAll(async () => {
    await cloud.ok('project', 'create', 'web');
    await cloud.ok('user', 'create', 'wanda', '--project', 'web');
    settings('before');
    await terminal.see('written before');
  });
  // What a failed test left standing is not what the next one begins with.
  afterEach(() => terminal.keys('C-c'));

  it('[sim] shows each limit and its use, says what is wrong, keeps what is left empty', async () => {
    const [before, rows] = [await limits(), await quotas()];
    const wishes: Readonly<Record<string, { readonly bad: string; readonly good: string }>> = {
      instances: { bad: 'a few', good: '7' },
      memoryMib: { bad: '-1', good: 'unlimited' },
      groups: { bad: '1e3', good: '0' },
    };
    terminal.command(`clear; ${NOVACTL} quota set --project web`);
    for (const { kind, used, limit } of rows) {
      const question = `${kind} (${used} in use, limit ${limit ?? 'unlimited'}):`;
      const wish = wishes[kind];
      if (wish === undefined) {
        await answer(question, '');
        continue;
      }
      await answer(question, wish.bad);
      await answer(
        new RegExp(
          `${kind} must be a whole number, 0 to 1000000000, "unlimited" or "default", not "${wish.bad}"; Enter\\s+keeps\\s+${limit}\n${kind} `,
        ),
        wish.good,
      );
    }
    const screen = await terminal.see('set the limits of web');
    expect(screen).toMatch(/KIND +USED +LIMIT\n/);
    expect(await limits()).toEqual({ ...before, instances: 7, memoryMib: undefined, groups: 0 });
  });

  it('[sim] of a user in the project, and changes nothing when all is kept', async () => {
    const [before, done] = [await limits('--user', 'wanda'), await changes()];
    terminal.command(`clear; ${NOVACTL} quota set --project web --user wanda`);
    for (const kind of Object.keys(before)) await answer(`${kind} (0 in use, limit unlimited):`, '');
    await terminal.see('every limit is kept, nothing was changed');
    expect(await limits('--user', 'wanda')).toEqual(before);
    expect(await changes()).toBe(done);
  });

  it('[sim] ctrl-c and the end of the input leave every limit and the terminal as they were', async () => {
    const [before, done] = [await limits(), await changes()];
    for (const [key, code] of [
      ['C-c', 130],
      ['C-d', 2],
    ] as const) {
      terminal.command(`clear; ${NOVACTL} quota set --project web; echo "code $?"`);
      await answer('instances (0 in use, limit 7):', '1');
      await terminal.see('vcpus (0 in use');
      terminal.keys(key);
      await terminal.see(`code ${code}`);
    }
    expect(await limits()).toEqual(before);
    expect(await changes()).toBe(done);
    settings('after');
    await terminal.see('written after');
    expect(readFileSync(line('after'), 'utf8')).toBe(readFileSync(line('before'), 'utf8'));
  });
});
