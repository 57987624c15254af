import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../src/base/errors.ts';
import { SHELL_LIMITS, type HostShell } from '../../src/ports/host-shell.ts';
import { until } from '../support/until.ts';

export interface HostShellSubject {
  readonly shell: HostShell;
  /** An empty folder on the host that the test may fill. */
  readonly dir: string;
  /** A socket on the host that sends back what it gets. */
  readonly echoSocket: string;
  /** True when commands run as root, so that owners can be changed. */
  readonly root: boolean;
  close(): Promise<void>;
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return error instanceof CloudError ? error.code : String(error);
  }
  return 'resolved';
};

/** What every HostShell must do; run over each adapter. */
export function hostShellContract(name: string, open: () => Promise<HostShellSubject>): void {
  describe(`HostShell contract: ${name}`, () => {
    let subject: HostShellSubject;
    let shell: HostShell;
    const at = (file: string): string => `${subject.dir}/${file}`;
    const lines = async (argv: string[]): Promise<string[]> => {
      const { stdout } = await shell.exec(argv);
      return stdout.split('\n').filter((line) => line !== '');
    };
    beforeEach(async () => {
      subject = await open();
      shell = subject.shell;
    });
    afterEach(async () => {
      await shell.close();
      await subject.close();
    });
    execTests(() => subject, lines);
    fileTests(() => subject, at, lines);
    uploadTests(() => subject, at, lines);
    connectionTests(() => subject);
  });
}

type Get = () => HostShellSubject;
type At = (file: string) => string;
type Lines = (argv: string[]) => Promise<string[]>;

function execTests(subject: Get, lines: Lines): void {
  it('exec: keeps stdout, stderr and the exit code apart', async () => {
    const result = await subject().shell.exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  it('exec: hands every word over as it is', async () => {
    const words = [
      '',
      ' ',
      "it's",
      '"',
      '$HOME',
      '`id`',
      '\\',
      'a\nb',
      '*',
      '~',
      '-n',
      'ünï',
      ';',
      '&&',
      '!x',
      '=b',
      '{a,b}',
    ];
    const result = await subject().shell.exec(['printf', '%s\\0', ...words]);
    expect(result.stdout.split('\0').slice(0, -1)).toEqual(words);
  });

  it('exec: gives stdin, and an empty one when there is none', async () => {
    const body = `${'x'.repeat(300_000)}é`;
    expect((await subject().shell.exec(['cat'], { stdin: body })).stdout).toBe(body);
    expect((await subject().shell.exec(['cat'])).stdout).toBe('');
  });

  it('exec: a command that does not read its input is no failure', async () => {
    const result = await subject().shell.exec(['true'], { stdin: Buffer.alloc(1024 * 1024) });
    expect(result.exitCode).toBe(0);
  });

  it('exec: sets LC_ALL=C and the environment asked for', async () => {
    const argv = ['sh', '-c', 'printf "%s|%s" "$LC_ALL" "$NOVACTL_PROBE"'];
    expect((await subject().shell.exec(argv, { env: { NOVACTL_PROBE: "a 'b'" } })).stdout).toBe("C|a 'b'");
  });

  it('exec: an absent program is 127, death by a signal 128 and its number', async () => {
    const absent = await subject().shell.exec(['novactl-no-such-program']);
    expect(absent.exitCode).toBe(127);
    expect(absent.stderr).toContain('novactl-no-such-program');
    expect((await subject().shell.exec(['sh', '-c', 'kill -TERM $$'])).exitCode).toBe(143);
  });

  it('exec: refuses words that no argv can carry', async () => {
    expect(await codeOf(subject().shell.exec(['echo', 'a\0b']))).toBe('InvalidParameterValue');
    expect(await codeOf(subject().shell.exec([]))).toBe('InvalidParameterValue');
  });

  it('exec: at the deadline the command and its children are killed', async () => {
    const marker = `31${process.pid}.${randomBytes(3).readUIntBE(0, 3)}`;
    const argv = ['sh', '-c', `sleep ${marker} & sleep ${marker}`];
    expect(await codeOf(subject().shell.exec(argv, { timeoutMs: 400 }))).toBe('Timeout');
    await until(async () => (await lines(['pgrep', '-fx', `sleep ${marker}`])).length === 0, {
      what: 'the children died',
    });
  });

  it('exec: an abort kills the command and rejects with the reason', async () => {
    const controller = new AbortController();
    const marker = `32${process.pid}.${randomBytes(3).readUIntBE(0, 3)}`;
    const running = subject().shell.exec(['sleep', marker], { signal: controller.signal });
    const settled = running.then(
      () => 'resolved',
      (error: unknown) => error,
    );
    await until(async () => (await lines(['pgrep', '-fx', `sleep ${marker}`])).length === 1, { what: 'it runs' });
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await settled).toBe(reason);
    await until(async () => (await lines(['pgrep', '-fx', `sleep ${marker}`])).length === 0, { what: 'it died' });
    await expect(subject().shell.exec(['true'], { signal: controller.signal })).rejects.toBe(reason);
  });

  it('exec: output has a limit, and all below it arrives', async () => {
    const most = SHELL_LIMITS.outputBytes;
    const whole = await subject().shell.exec(['sh', '-c', `head -c ${most} /dev/zero | tr '\\0' x`]);
    expect(whole.stdout.length).toBe(most);
    expect(await codeOf(subject().shell.exec(['sh', '-c', `head -c ${most + 1} /dev/zero; sleep 60`]))).toBe(
      'HostError',
    );
  });

  it('exec: ends with the command, not with what it left running', async () => {
    const marker = `33${process.pid}.${randomBytes(3).readUIntBE(0, 3)}`;
    const result = await subject().shell.exec(['sh', '-c', `sleep ${marker} & echo started`], { timeoutMs: 20_000 });
    expect(result).toEqual({ exitCode: 0, stdout: 'started\n', stderr: '' });
    await subject().shell.exec(['pkill', '-fx', `sleep ${marker}`]);
  });

  it('exec: many commands side by side', async () => {
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, index) => subject().shell.exec(['sh', '-c', `echo ${index}; exit ${index}`])),
    );
    expect(all.map((result) => [result.stdout.trim(), result.exitCode])).toEqual(all.map((_, i) => [String(i), i]));
  });
}

function fileTests(subject: Get, at: At, lines: Lines): void {
  it('readFile: the whole, a part, an absent one, one of the kernel', async () => {
    const { shell } = subject();
    await shell.writeFile(at('a'), 'hello world');
    expect((await shell.readFile(at('a'))).toString()).toBe('hello world');
    expect((await shell.readFile(at('a'), { fromByte: 6 })).toString()).toBe('world');
    expect((await shell.readFile(at('a'), { fromByte: 6, maxBytes: 2 })).toString()).toBe('wo');
    expect((await shell.readFile(at('a'), { fromByte: 99 })).length).toBe(0);
    expect(await codeOf(shell.readFile(at('b')))).toBe('NotFound');
    expect(await codeOf(shell.readFile(at('a/b')))).toBe('NotFound');
    expect(await codeOf(shell.readFile(subject().dir))).toBe('HostError');
    expect((await shell.readFile('/proc/self/status')).toString()).toContain('Pid:');
  });

  it('readFile: keeps bytes that are no text, and refuses what is too large to hold', async () => {
    const { shell } = subject();
    const bytes = randomBytes(100_000);
    await shell.writeFile(at('bytes'), bytes);
    expect((await shell.readFile(at('bytes'))).equals(bytes)).toBe(true);
    await shell.exec(['truncate', '-s', String(SHELL_LIMITS.outputBytes + 1), at('large')]);
    expect(await codeOf(shell.readFile(at('large')))).toBe('HostError');
    expect((await shell.readFile(at('large'), { maxBytes: 10 })).length).toBe(10);
  });

  it('writeFile: mode 0600 unless asked, whatever the umask', async () => {
    const { shell } = subject();
    await shell.writeFile(at('a'), 'x');
    await shell.writeFile(at('b'), 'x', { mode: 0o646 });
    await shell.writeFile(at('a'), 'y', { mode: 0o640 });
    expect(await lines(['stat', '-c', '%n %a', at('a'), at('b')])).toEqual([`${at('a')} 640`, `${at('b')} 646`]);
    expect(await lines(['ls', '-A', subject().dir])).toEqual(['a', 'b']);
  });

  it('writeFile: sets the owner', async (context) => {
    if (!subject().root) context.skip('changing the owner of a file needs root');
    await subject().shell.writeFile(at('a'), 'x', { uid: 12345, gid: 54321, mode: 0o4750 });
    expect(await lines(['stat', '-c', '%u:%g %a', at('a')])).toEqual(['12345:54321 4750']);
  });

  it('writeFile: a reader sees the old or the new file, never a part', async () => {
    const { shell } = subject();
    const bodies = ['a', 'b'].map((letter) => letter.repeat(200_000));
    await shell.writeFile(at('f'), bodies[0]!);
    let done = false;
    const writing = (async (): Promise<void> => {
      for (let i = 0; i < 20; i += 1) await shell.writeFile(at('f'), bodies[i % 2]!);
    })().finally(() => (done = true));
    let reads = 0;
    while (!done) {
      expect(bodies).toContain((await shell.readFile(at('f'))).toString());
      reads += 1;
    }
    await writing;
    expect(reads).toBeGreaterThan(0);
  });

  it('writeFile: a failure leaves nothing behind', async () => {
    const { shell } = subject();
    expect(await codeOf(shell.writeFile(at('no/such/folder'), 'x'))).toBe('HostError');
    await shell.exec(['mkdir', at('taken')]);
    expect(await codeOf(shell.writeFile(at('taken'), 'x'))).toBe('HostError');
    expect(await lines(['ls', '-A', subject().dir])).toEqual(['taken']);
  });
}

function uploadTests(subject: Get, at: At, lines: Lines): void {
  it('upload: stores the stream, with mode', async () => {
    const { shell } = subject();
    const chunk = randomBytes(1024 * 1024);
    const body = Buffer.concat(Array.from({ length: 24 }, () => chunk));
    await shell.upload(at('image'), Readable.from([body.subarray(0, 10), body.subarray(10)]), {
      sha256: sha256(body),
      mode: 0o644,
    });
    expect(await lines(['sha256sum', at('image')])).toEqual([`${sha256(body)}  ${at('image')}`]);
    expect(await lines(['stat', '-c', '%a', at('image')])).toEqual(['644']);
    await shell.upload(at('empty'), Readable.from([]), { sha256: sha256(Buffer.alloc(0)) });
    expect(await lines(['stat', '-c', '%s %a', at('empty')])).toEqual(['0 600']);
  });

  it('download: gives back what was written, across its parts, and says that a file is absent', async () => {
    const { shell } = subject();
    const body = randomBytes(2 * SHELL_LIMITS.outputBytes + 12_345);
    for (const [name, bytes] of [
      ['large', body],
      ['part', body.subarray(0, SHELL_LIMITS.outputBytes)],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      await shell.upload(at(name), Readable.from([bytes]), { sha256: sha256(bytes) });
      const parts = await shell.download(at(name)).toArray();
      expect(sha256(Buffer.concat(parts as Buffer[])), name).toBe(sha256(bytes));
    }
    expect(await codeOf(shell.download(at('absent')).toArray())).toBe('NotFound');
  });

  it('download: reads no more than it is asked for, and stops when nobody wants the rest', async () => {
    const { shell } = subject();
    await shell.exec(['truncate', '-s', '1T', at('sparse')]);
    const body = shell.download(at('sparse'));
    const first = (await body.iterator({ destroyOnReturn: true }).next()) as IteratorResult<Buffer>;
    expect((first.value as Buffer).length).toBe(SHELL_LIMITS.outputBytes);
    expect(body.readableLength).toBeLessThanOrEqual(2 * SHELL_LIMITS.outputBytes);
    body.destroy();
    expect((await shell.exec(['echo', 'well'])).stdout).toBe('well\n');
  });

  it('upload: refuses bytes with another digest and keeps the old file', async () => {
    const { shell } = subject();
    await shell.writeFile(at('image'), 'old');
    const upload = shell.upload(at('image'), Readable.from([Buffer.from('new')]), {
      sha256: sha256(Buffer.from('other')),
    });
    expect(await codeOf(upload)).toBe('HostError');
    expect((await shell.readFile(at('image'))).toString()).toBe('old');
    expect(await lines(['ls', '-A', subject().dir])).toEqual(['image']);
  });

  it('upload: a source that fails leaves nothing behind', async () => {
    const broken = Readable.from(
      (async function* (): AsyncGenerator<Buffer> {
        yield Buffer.alloc(100_000);
        await Promise.resolve();
        throw new Error('the disk of the source broke');
      })(),
    );
    expect(await codeOf(subject().shell.upload(at('image'), broken, { sha256: '0'.repeat(64) }))).toBe('HostError');
    const stillborn = new Readable({ read: () => undefined });
    const upload = subject().shell.upload(at('image'), stillborn, { sha256: '0'.repeat(64) });
    stillborn.destroy(new Error('gone at once'));
    expect(await codeOf(upload)).toBe('HostError');
    expect(await lines(['ls', '-A', subject().dir])).toEqual([]);
  });
}

function connectionTests(subject: Get): void {
  it('connectUnix: carries bytes both ways', async () => {
    const socket = await subject().shell.connectUnix(subject().echoSocket);
    socket.write('ping');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toBe('ping');
    socket.destroy();
  });

  it('connectUnix: nobody there is HostError', async () => {
    expect(await codeOf(subject().shell.connectUnix(`${subject().dir}/nobody`))).toBe('HostError');
  });

  it('close: ends what is under way and refuses the rest', async () => {
    const { shell } = subject();
    const running = codeOf(shell.exec(['sleep', '60']));
    const socket = await shell.connectUnix(subject().echoSocket);
    const ended = once(socket, 'close');
    await shell.close();
    expect(await running).toBe('HostError');
    await ended;
    expect(await codeOf(shell.exec(['true']))).toBe('HostError');
    expect(await codeOf(shell.readFile('/etc/hostname'))).toBe('HostError');
    expect(await codeOf(shell.connectUnix(subject().echoSocket))).toBe('HostError');
  });
}
