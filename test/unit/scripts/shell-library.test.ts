import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LIBRARY = ['say', 'machine', 'apt', 'node', 'traces'].map((name) => `. ${ROOT}/scripts/lib/${name}.sh`);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-sh-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** Runs lines of sh behind the library; what they print, on stdout and stderr together, and the exit code. */
function sh(lines: string, env: Record<string, string> = {}): { text: string; code: number } {
  const script = [`ROOT=${ROOT}`, `LOG=${dir}/log`, 'DPKG_ARCH=amd64', 'exec 2>&1', ...LIBRARY, lines].join('\n');
  try {
    const options = { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', ...env }, stdio: 'pipe' } as const;
    return { text: execFileSync('sh', ['-c', script], options), code: 0 };
  } catch (error) {
    const { stdout, status } = error as { stdout: string; status: number };
    return { text: stdout, code: status };
  }
}

describe('scripts/lib', () => {
  it.each([
    [7, '0.0 s'],
    [45, '0.4 s'],
    [999, '9.9 s'],
    [1000, '10 s'],
    [5999, '59 s'],
    [6000, '1 min 00 s'],
    [12_507, '2 min 05 s'],
  ])('took %i hundredths says %s', (hundredths, text) => {
    expect(sh(`took ${String(hundredths)}`).text).toBe(text);
  });

  it('step shows a command, keeps its output in the log and answers its exit code', () => {
    const good = sh("step 'count' echo one two");
    expect(good.code).toBe(0);
    expect(good.text).toMatch(/^count \.\.\.\nok count {2}\d\.\d s\n$/);
    const bad = sh("step 'fall' sh -c 'echo first; echo why it fell; exit 3'; echo code $?");
    expect(bad.text).toMatch(/failed fall .*\n {4}first\n {4}why it fell\ncode 3\n$/);
    expect(readFileSync(join(dir, 'log'), 'utf8')).toContain('why it fell');
  });

  it('a failed step shows its last lines, and before them the first that speaks of an error', () => {
    const { text } = sh("step 'fall' sh -c 'echo start; echo Error: no disk; seq 20 31; exit 1' || :");
    expect(text.split('\n').slice(2, -1)).toEqual(
      ['Error: no disk', '...', '26', '27', '28', '29', '30', '31'].map((line) => `    ${line}`),
    );
  });

  it('step gives its command no input and none of the locks', () => {
    const script = `exec 9>${dir}/lock; step 'look' sh -c 'cat; ls /proc/self/fd | grep -qx 9 && echo has 9; true'; cat ${dir}/log`;
    expect(sh(script).text).not.toContain('has 9');
  });

  it('die says the sentence, the command that helps and the log, and ends with the given code', () => {
    expect(sh("echo x >$LOG; die 'no room' 'df -h /' 4")).toEqual({
      code: 4,
      text: `\nerror: no room\n  try: df -h /\n  log: ${dir}/log\n`,
    });
  });

  it('apt lists leave out comments and other architectures, and know what a package is for', () => {
    const list = join(dir, 'list');
    writeFileSync(list, '# a comment\n\nalpha          first\nbeta [amd64]   second thing\ngamma [arm64]  third\n');
    expect(sh(`apt_listed ${list}`).text).toBe('alpha\nbeta\n');
    expect(sh(`apt_purpose beta ${list}; apt_purpose alpha ${list}`).text).toBe('second thing\nfirst\n');
  });

  it('apt_missing names what is not installed [real]', (ctx) => {
    if (sh('command -v dpkg-query').code !== 0) ctx.skip('this system has no dpkg');
    const list = join(dir, 'list');
    writeFileSync(list, 'dpkg  is there\nno-such-package-as-this  is not\n');
    expect(sh(`apt_missing ${list}`).text).toBe('no-such-package-as-this\n');
  });

  it('port_owner finds who listens on a port [real]', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const found = sh(`port_owner ${String(port)}`);
    await new Promise((resolve) => server.close(resolve));
    expect(found.code).toBe(0);
    expect(found.text).toContain(`(pid ${String(process.pid)})`);
    expect(sh(`port_owner ${String(port)}`).code).toBe(1);
  });

  it('check_disk and check_memory refuse what is not there, with the figures', () => {
    const disk = sh(`check_disk ${dir}/not/there 99999999`);
    expect(disk.code).toBe(1);
    expect(disk.text).toMatch(/error: .* has \d+ MiB of disk free, and this needs 99999999 MiB\n {2}try: df -h/);
    expect(sh(`check_disk ${dir} 1; check_memory 1; echo fine`)).toEqual({ code: 0, text: 'fine\n' });
    expect(sh('check_memory 99999999').text).toMatch(/only \d+ MiB of memory are available/);
  });

  it('traces_since tells what has come', () => {
    const before = sh("traces_now() { printf 'interface a\\n'; }; traces_since 'interface a'");
    const after = sh("traces_now() { printf 'interface a\\ndomain b\\n'; }; traces_since 'interface a'");
    expect([before.text, after.text]).toEqual(['', '  domain b\n']);
  });
});
