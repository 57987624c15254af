import { describe, expect, it } from 'vitest';
import { NO_STATE, runCli } from '../../support/run-cli.ts';

const RUN_DIR = '/nowhere/run';
const run = (line: string) => runCli(line.split(' '), { runDir: RUN_DIR });

describe('bad usage', () => {
  it.each([
    ['instance run --imge tiny', 'unknown flag --imge; did you mean --image?'],
    ['instance run --image tiny --frobnicate', 'unknown flag --frobnicate; novactl instance run --help lists them'],
    ['run-instance --imge=tiny', 'unknown flag --imge; did you mean --image?'],
    ['instance run', 'missing --image (image id or name)'],
    ['instance show', 'missing ID: instance to show'],
    ['instance show i-1 i-2', 'unexpected word "i-2"'],
    ['instance run --image tiny --count 0', '--count must be a whole number, 1 to 100, not "0"'],
    ['instance run --image tiny --count x', '--count must be a whole number, 1 to 100, not "x"'],
    ['instance run --image tiny --timeout soon', '--timeout must be a time like 500ms, 30s, 5m or 2h, not "soon"'],
    ['instance run --image', 'flag --image expects a value'],
    ['instance list --output xml', 'expected --output=xml to be one of: table, wide, json, yaml, csv, name'],
    ['instance wait i-1 --for broken', 'expected --for=broken to be one of: running, stopped, terminated'],
    ['instance wait i-1', 'missing --for (state to wait for)'],
    ['config show --set nothing', '--set must be KEY=VALUE, not "nothing"'],
    ['config show --set regoin=x', '--set: unknown key regoin; did you mean region?'],
    ['instnce list', 'unknown command instnce list; did you mean instance list?'],
    ['instance lst', 'unknown command instance lst; did you mean instance list?'],
    ['frobnicate', 'unknown command frobnicate; novactl --help lists all'],
    [
      'keypair create ../x',
      'NAME must be 1 to 128 letters, digits, ".", "_" or "-", starting with a letter or digit, not "../x"',
    ],
    ['instance run --image tiny --user-data @/nowhere/file', /^--user-data: ENOENT: .*\/nowhere\/file'$/],
    ['image import /nowhere/file --name x', 'FILE: /nowhere/file is not there'],
  ])('%s: one line and exit code 2', async (line, wanted) => {
    const { code, stdout, stderr } = await run(line);
    expect(stdout).toBe('');
    const [said = '', ...more] = stderr.trimEnd().split('\n');
    expect(more).toEqual([]);
    const text = said.replace(/^novactl: /, '');
    if (wanted instanceof RegExp) expect(text).toMatch(wanted);
    else expect(text).toBe(wanted);
    expect(code).toBe(2);
  });

  it('is JSON on stderr for who asked for JSON', async () => {
    const { code, stdout, stderr } = await run('instance run --imge tiny --json');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'InvalidParameterValue', message: 'unknown flag --imge; did you mean --image?' },
    });
  });
});

describe('no cloud', () => {
  it('is exit code 7, and the way out is said', async () => {
    const { code, stderr } = await run('instance list');
    expect(code).toBe(7);
    expect(stderr).toBe(
      `novactl: no cloud is running here, and ${NO_STATE} holds none yet; make one by: novactl up, or novactl host add --local (Unavailable)\n`,
    );
  });

  it('is no failure for down and version', async () => {
    expect(await run('down')).toEqual({ code: 0, stdout: '', stderr: 'no cloud is running here\n' });
    const version = await run('version --json');
    expect(version.code).toBe(0);
    expect(JSON.parse(version.stdout)).toMatchObject({ novactl: '0.1.0', node: process.versions.node });
  });
});

describe('help', () => {
  it('lists every command with its other name', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^instance run +run-instance +start new instances of an image$/m);
    expect(await runCli([])).toEqual(await run('help'));
  });

  it('of a topic lists its commands, asked for or not', async () => {
    const { code, stdout } = await run('instance');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^instance ssh +ssh-instance +log in/m);
    expect(stdout).not.toContain('image import');
    expect(await run('help instance')).toEqual({ code, stdout, stderr: '' });
  });

  it.each(['instance run --help', 'help instance run', 'run-instance -h'])('of a command: %s', async (line) => {
    const { code, stdout, stderr } = await run(line);
    expect([code, stderr]).toEqual([0, '']);
    for (const part of ['USAGE', '--image=IMAGE', 'EXAMPLES', 'run-instance', 'GLOBAL FLAGS']) {
      expect(stdout).toContain(part);
    }
  });

  it('after -- belongs to the other program', async () => {
    const { code } = await run('instance ssh i-0123456789abcdef0 -- ls --help');
    expect(code).toBe(7);
  });
});
