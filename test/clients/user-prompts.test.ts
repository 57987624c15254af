import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const SECRET = 'canary-typed-once';
let cloud: TestCloud;
let terminal: Tmux;

beforeAll(async () => {
  if (absent !== undefined) return;
  cloud = new TestCloud({ NOVACTL_DRIVERS: 'simulated' });
  await cloud.start();
  terminal = new Tmux({ env: cloud.env, columns: 110, rows: 40, cwd: cloud.dir, name: 'prompts' });
}, 60_000);

afterAll(async () => {
  if (absent !== undefined) return;
  terminal.close();
  await cloud.destroy();
});

/** Waits for a question, answers it. */
async function answer(question: string, text: string): Promise<void> {
  await terminal.see(question);
  terminal.command(text);
}

describe.skipIf(absent !== undefined)(`user create and project create at a terminal (${absent ?? 'tmux'})`, () => {
  it('[sim] ask for what is missing, and show no password', async () => {
    terminal.command(`${NOVACTL} user create`);
    await answer('name of the user:', 'anna');
    await answer('name as people write it', 'Anna A.');
    await answer('e-mail address', 'anna@example.org');
    await answer('password (empty: none):', SECRET);
    await answer('the same again:', SECRET);
    const screen = await terminal.see('made the user anna');
    expect(screen).not.toContain('canary');
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

  it('[sim] ctrl-c ends it with 130, and nothing is made', async () => {
    terminal.command(`clear; ${NOVACTL} user create; echo "code $?"`);
    await answer('name of the user:', 'bob');
    await terminal.see('name as people write it');
    terminal.keys('C-c');
    await terminal.see('code 130');
    expect((await cloud.cli('user', 'show', 'bob')).code).toBe(3);
  });

  it('[sim] without a terminal nothing is asked', async () => {
    expect(await cloud.cli('user', 'create')).toMatchObject({
      code: 2,
      stderr: 'novactl: missing USER: name of the user\n',
    });
    expect((await cloud.cli('user', 'modify', 'anna', '--password')).stderr).toContain('give --password-file');
  });
});
