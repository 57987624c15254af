import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  bootLine,
  DIGEST_DIFFERS,
  execSteps,
  fileSteps,
  readArgv,
  scriptFor,
  type RemoteScript,
} from '../../../../src/adapters/host-shell/remote-script.ts';
import { expectGolden } from '../../../support/golden.ts';
import { until } from '../../../support/until.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';
const watched = { kind: 'watched', backstopSeconds: 65 } as const;
const odd = ["it's", '$HOME `id`', 'a\nb', '', '-n'];

const examples: Record<string, RemoteScript> = {
  command: { token: TOKEN, steps: execSteps(['virsh', 'list', ...odd], { LANG: 'C', NOTE: "a 'b'" }), input: watched },
  'command-with-input': {
    token: TOKEN,
    steps: execSteps(['nft', '-f', '-']),
    input: { ...watched, stdin: Buffer.from('flush ruleset\n') },
  },
  read: { token: TOKEN, steps: execSteps(readArgv('/var/log/x', 10, 4096)), input: watched },
  write: {
    token: TOKEN,
    steps: fileSteps({
      path: "/var/lib/it's a file",
      tmpPath: "/var/lib/.novactl-it's.tmp",
      folder: '/var/lib',
      sha256: 'f'.repeat(64),
      mode: 0o4640,
      uid: 64055,
    }),
    input: { kind: 'fed' },
  },
};

describe('scripts for hosts', () => {
  it.each(Object.entries(examples))('%s is as it was', (name, example) => {
    const script = scriptFor(example);
    expect(script.endsWith('\n')).toBe(false);
    expectGolden(`ssh/${name}.sh`, `${script}\n`);
  });

  it('the command line has no word of ours, and nothing that a shell of another kind would read', () => {
    expect(bootLine(1234, false)).toMatchInlineSnapshot(
      `"sh -c 'LC_ALL=C;nv_s=$(head -c 1234);[ \${#nv_s} -eq 1234 ]&&eval "$nv_s"'"`,
    );
    expect(bootLine(7, true).startsWith('sudo -n -- sh -c ')).toBe(true);
    expect(bootLine(1234, true)).not.toMatch(/[\\!\n]/);
  });

  it('refuses what no argv and no environment can carry', () => {
    expect(() => execSteps([])).toThrow(/needs a name/);
    expect(() => execSteps([''])).toThrow(/needs a name/);
    expect(() => execSteps(['a', 'b\0'])).toThrow(/NUL/);
    expect(() => execSteps(['a'], { 'A B': '' })).toThrow(/"A B" cannot be set/);
    expect(() => execSteps(['a'], { A: '\0' })).toThrow(/cannot be set/);
  });
});

const SHELLS = [
  ['dash', ['dash']],
  ['bash', ['bash']],
] as const;

/** Runs a script as a host does: by the boot line, in a session of its own, `more` on standard input behind it. */
function runBy(shell: readonly string[], script: string, more: string | Buffer, cutAt?: number) {
  const line = bootLine(Buffer.byteLength(script), false).replace(/^sh /, `${shell.join(' ')} `);
  const input = Buffer.concat([Buffer.from(script).subarray(0, cutAt), Buffer.from(more)]);
  const { status, signal, stdout, stderr } = spawnSync('setsid', ['-w', 'sh', '-c', line], { input });
  return { status, signal, stdout: stdout.toString(), stderr: stderr.toString() };
}

describe.each(SHELLS)('scripts under %s [real]', (_name, shell) => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'nv-script-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  it('a fed script passes words, input and exit code through', () => {
    const steps = execSteps(['sh', '-c', 'cat; printf "%s|" "$@"; echo "$NOTE" >&2; exit 3', 'sh', ...odd], {
      NOTE: "a 'b'",
    });
    const script = scriptFor({ token: TOKEN, steps, input: { kind: 'fed' } });
    const { status, stdout, stderr } = runBy(shell, script, 'body,');
    expect(stdout).toBe(`${TOKEN}<body,${odd.map((word) => `${word}|`).join('')}${TOKEN}>3.`);
    expect(stderr).toBe(`${TOKEN}<a 'b'\n${TOKEN}>3.`);
    expect(status).toBe(3);
  });

  it('a builtin of the shell is not what is meant', () => {
    const script = scriptFor({ token: TOKEN, steps: execSteps(['echo', '\\n']), input: { kind: 'fed' } });
    expect(runBy(shell, script, '').stdout).toBe(`${TOKEN}<\\n\n${TOKEN}>0.`);
  });

  it('a cut script is not run', () => {
    const script = scriptFor({ token: TOKEN, steps: execSteps(['touch', join(dir, 'ran')]), input: { kind: 'fed' } });
    for (const cutAt of [0, 1, script.length - 1]) expect(runBy(shell, script, '', cutAt).stdout).toBe('');
    expect(readdirSync(dir)).toEqual([]);
    runBy(shell, script, '');
    expect(readdirSync(dir)).toEqual(['ran']);
  });

  it('a watched one dies with its lifeline, children and all', async () => {
    const script = scriptFor({
      token: TOKEN,
      steps: execSteps(['sh', '-c', 'sleep 4711 & sleep 4712']),
      input: { ...watched, stdin: Buffer.alloc(200_000) },
    });
    const line = bootLine(Buffer.byteLength(script), false).replace(/^sh /, `${shell.join(' ')} `);
    const child = spawn('sh', ['-c', line], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    child.stdin.write(script);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdin.end();
    expect(await ended).toBe('SIGKILL');
    // Dead ones stay listed where process 1 reaps slowly.
    const alive = (): string => spawnSync('pgrep', ['-r', 'R,S,D', '-g', String(child.pid)]).stdout.toString();
    expect(await until(() => alive() === '', { what: 'the group is dead' })).toBe(true);
  });

  it('writes a file only when all of it came', () => {
    const body = Buffer.from('hello');
    const sha256 = createHash('sha256').update(body).digest('hex');
    const file = { path: join(dir, "it's"), tmpPath: join(dir, ".t'mp"), folder: dir, sha256, mode: 0o640 };
    const script = scriptFor({ token: TOKEN, steps: fileSteps(file), input: { kind: 'fed' } });
    expect(runBy(shell, script, 'hell').status).toBe(DIGEST_DIFFERS);
    expect(readdirSync(dir)).toEqual([]);
    expect(runBy(shell, script, 'hello').status).toBe(0);
    expect(readdirSync(dir)).toEqual(["it's"]);
    expect(readFileSync(file.path, 'utf8')).toBe('hello');
    writeFileSync(file.tmpPath, 'of somebody else');
    expect(runBy(shell, script, 'hello').status).toBe(73);
    expect(readFileSync(file.tmpPath, 'utf8')).toBe('of somebody else');
  });
});
