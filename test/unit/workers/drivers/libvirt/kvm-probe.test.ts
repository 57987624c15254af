import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { ExecResult, HostShell, WriteOptions } from '../../../../../src/ports/host-shell.ts';
import {
  kvmBootsGuest,
  kvmProbeArgv,
  kvmProbeSector,
  kvmVerdict,
} from '../../../../../src/workers/drivers/libvirt/kvm-probe.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '..', '..', '..', '..', '..', 'packaging', 'libvirtd-start');
const hasQemu = spawnSync('qemu-system-x86_64', ['--version']).status === 0;

/** A shell that answers by the first word of the command and remembers what it was told. */
class ScriptedShell implements HostShell {
  readonly name = 'scripted';
  readonly ran: string[][] = [];
  readonly written: { path: string; options: WriteOptions | undefined }[] = [];
  readonly #answers: Readonly<Record<string, Partial<ExecResult>>>;

  constructor(answers: Readonly<Record<string, Partial<ExecResult>>>) {
    this.#answers = answers;
  }

  exec(argv: readonly string[]): Promise<ExecResult> {
    this.ran.push([...argv]);
    return Promise.resolve({ exitCode: 0, stdout: '', stderr: '', ...this.#answers[argv[0] ?? ''] });
  }

  writeFile(path: string, _body: string | Buffer, options?: WriteOptions): Promise<void> {
    this.written.push({ path, options });
    return Promise.resolve();
  }

  readFile = (): Promise<Buffer> => Promise.reject(new Error('not asked for'));
  download = (): never => {
    throw new Error('not asked for');
  };

  upload = (): Promise<void> => Promise.reject(new Error('not asked for'));
  connectUnix = (): Promise<never> => Promise.reject(new Error('not asked for'));
  close = (): Promise<void> => Promise.resolve();
}

describe('kvmBootsGuest', () => {
  const options = { random: new SeededRandom(1) };

  it('believes the exit status of the guest alone, and cleans up', async () => {
    const shell = new ScriptedShell({ timeout: { exitCode: 33 } });
    expect(await kvmBootsGuest(shell, options)).toEqual({ works: true, why: 'a guest ran under KVM' });
    const path = shell.written[0]?.path ?? '';
    expect(shell.ran).toEqual([['test', '-c', '/dev/kvm'], kvmProbeArgv(path, 'kvm'), ['rm', '-f', path]]);
    expect(shell.written[0]?.options?.mode).toBe(0o644);
  });

  it('starts nothing where there is no /dev/kvm', async () => {
    const shell = new ScriptedShell({ test: { exitCode: 1 } });
    expect((await kvmBootsGuest(shell, options)).works).toBe(false);
    expect(shell.ran).toHaveLength(1);
  });

  it('runs QEMU as the owner when one is named', async () => {
    const shell = new ScriptedShell({ setpriv: { exitCode: 33 } });
    await kvmBootsGuest(shell, { ...options, owner: { uid: 64055, gid: 108 } });
    expect(shell.ran[1]?.slice(0, 4)).toEqual(['setpriv', '--reuid=64055', '--regid=108', '--init-groups']);
  });

  it.each([
    [137, '', /did not end in 10 s/],
    [127, '', /not installed/],
    [134, 'x: warning: y\nqemu: failed to set MSR 0x10a\n', /status 134: qemu: failed to set MSR/],
    [1, '', /status 1: nothing/],
  ])('takes exit status %i as a no', (exitCode, stderr, why) => {
    const verdict = kvmVerdict(exitCode, stderr);
    expect(verdict.works).toBe(false);
    expect(verdict.why).toMatch(why);
  });
});

describe('the probe sector', () => {
  it('is the same in packaging/libvirtd-start', () => {
    const octal = /printf '((?:\\[0-7]{3})+)'/.exec(readFileSync(SCRIPT, 'utf8'))?.[1] ?? '';
    const code = Buffer.from([...octal.matchAll(/\\([0-7]{3})/g)].map((match) => Number.parseInt(match[1] ?? '', 8)));
    const sector = kvmProbeSector();
    expect(code.length).toBeGreaterThan(100);
    expect(sector.subarray(0, code.length).equals(code)).toBe(true);
    expect(sector.subarray(code.length, 510).every((byte) => byte === 0)).toBe(true);
  });

  it('[real] is a program that a CPU runs to its end in 64-bit mode: under TCG QEMU exits with 33', async (ctx) => {
    if (!hasQemu) ctx.skip('qemu-system-x86_64 is not installed');
    const dir = mkdtempSync(join(tmpdir(), 'nv-probe-'));
    try {
      const path = join(dir, 'sector.img');
      writeFileSync(path, kvmProbeSector());
      const [program = '', ...args] = kvmProbeArgv(path, 'tcg');
      const status = await run(program, args).then(
        () => 0,
        (error: unknown) => (error as { code: number }).code,
      );
      expect(status).toBe(33);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
