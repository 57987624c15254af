import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SshShell } from '../../../src/adapters/host-shell/ssh-shell.ts';
import type { SshLimits } from '../../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { generateSshKeyPair } from '../../../src/base/openssh-key.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import { PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { hostFolder, sshShellTo } from '../../support/ssh-subject.ts';
import { until } from '../../support/until.ts';

const missing = sshdMissing();
const here = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });

let sshd: PrivateSshd;
let folder: Awaited<ReturnType<typeof hostFolder>>;
const shells: SshShell[] = [];

function shellWith(limits: Partial<SshLimits> = {}, endpoint: Partial<PrivateSshd['endpoint']> = {}): SshShell {
  const target = { ...sshd.endpoint, ...endpoint, sudo: false };
  const shell = sshShellTo(target, { backoffMinMs: 50, backoffMaxMs: 200, ...limits });
  shells.push(shell);
  return shell;
}

/** The error of a call that has to fail within the time. */
async function failsWithin(ms: number, call: Promise<unknown>): Promise<CloudError> {
  const start = performance.now();
  const error = await call.then(
    () => new Error('it did not fail'),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(CloudError);
  expect(performance.now() - start).toBeLessThan(ms);
  return error as CloudError;
}

/** A command that can be found again, and is looked for from here, not through the connection under test. */
function marked(): { argv: string[]; runs: () => Promise<boolean> } {
  const seconds = `61${process.pid}.${randomBytes(3).readUIntBE(0, 3)}`;
  const find = ['pgrep', '-r', 'R,S,D', '-fx', `sleep ${seconds}`];
  return { argv: ['sleep', seconds], runs: async () => (await here.exec(find)).exitCode === 0 };
}

const endless = (): Readable =>
  new Readable({
    read(size) {
      this.push(Buffer.alloc(Math.min(size, 65_536)));
    },
  });

describe.skipIf(missing !== undefined)(
  `an sshd that fails [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    beforeEach(async () => {
      sshd = await PrivateSshd.start();
      folder = await hostFolder();
    });
    afterEach(async () => {
      for (const shell of shells.splice(0)) await shell.close();
      await sshd.stop();
      folder.remove();
    });

    it('killed in the middle of a command, an upload and a stream: each fails in seconds, the command dies, all works after its start', async () => {
      const shell = shellWith();
      const command = marked();
      const target = `${folder.dir}/image`;
      await shell.writeFile(target, 'old');
      const exec = shell.exec(command.argv);
      const upload = shell.upload(target, endless(), { sha256: '0'.repeat(64) });
      const stream = await shell.connectUnix(folder.echoSocket);
      const streamError = once(stream, 'error').then(([error]) => error as CloudError);
      await until(command.runs, { what: 'the command runs' });
      const failures = [failsWithin(3000, exec), failsWithin(3000, upload)];
      await sshd.kill();
      for (const failure of failures) {
        expect(await failure).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown', reason: 'lost' } });
      }
      expect((await streamError).code).toBe('Unavailable');
      await until(async () => !(await command.runs()), { what: 'the command died with its session' });
      await until(async () => (await here.exec(['ls', '-A', folder.dir])).stdout === 'image\n', {
        what: 'no half file stays',
      });
      expect((await shell.exec(['true']).catch((error: unknown) => error)) as CloudError).toMatchObject({
        code: 'Unavailable',
        details: { reason: 'refused', outcome: 'not-sent' },
      });
      await sshd.startDaemon();
      const works = (): Promise<boolean> =>
        shell.exec(['true']).then(
          () => true,
          () => false,
        );
      await until(works, { what: 'it works again' });
      expect((await shell.readFile(target)).toString()).toBe('old');
    });

    it('another host key after a restart is refused, with both named', async () => {
      const shell = shellWith();
      await shell.exec(['true']);
      const before = sshd.endpoint.hostKey as { fingerprint: string };
      await sshd.kill();
      const after = sshd.newHostKey();
      await sshd.startDaemon();
      await until(
        () =>
          shell.exec(['true']).then(
            () => undefined,
            (error: CloudError) => error.details?.['reason'] === 'host-key',
          ),
        {
          what: 'the changed key is seen',
        },
      );
      const error = await failsWithin(1000, shell.exec(['true']));
      expect(error.message).toContain(before.fingerprint);
      expect(error.message).toContain(after.fingerprint);
    });

    it('a key that it does not know is refused with the line to add', async () => {
      const stranger = generateSshKeyPair('ed25519', '');
      const error = await failsWithin(
        5000,
        shellWith({}, { identity: { kind: 'key', pem: stranger.privateKey } }).exec(['true']),
      );
      expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'login', outcome: 'not-sent' } });
      expect(error.message).toContain(stranger.publicKey.trim());
      expect(error.message).toContain('~root/.ssh/authorized_keys');
    });

    it('stopped: deadlines hold, another host is not delayed, and it goes on when continued', async () => {
      const shell = shellWith({ killWaitMs: 300, openTimeoutMs: 500, keepaliveMs: 60_000 });
      const command = marked();
      const exec = shell.exec(command.argv, { timeoutMs: 1500 });
      await until(command.runs, { what: 'the command runs' });
      sshd.signal('SIGSTOP');
      const other = await PrivateSshd.start();
      const healthy = sshShellTo({ ...other.endpoint, sudo: false });
      const timeout = failsWithin(4000, exec);
      const opening = failsWithin(2000, shell.connectUnix(folder.echoSocket));
      const start = performance.now();
      expect((await healthy.exec(['echo', 'well'])).stdout).toBe('well\n');
      expect(performance.now() - start).toBeLessThan(3000);
      expect(await timeout).toMatchObject({ code: 'Timeout', details: { killed: false, outcome: 'unknown' } });
      expect(await opening).toMatchObject({ code: 'Timeout', details: { outcome: 'not-sent' } });
      await healthy.close();
      await other.stop();
      sshd.signal('SIGCONT');
      await until(async () => !(await command.runs()), { what: 'the command died when sshd woke up' });
      expect((await shell.exec(['echo', 'again'])).stdout).toBe('again\n');
    });

    it('stopped for good: keepalive ends the connection, the host ends the command by its own clock', async () => {
      const shell = shellWith({ keepaliveMs: 200, keepaliveCount: 2, backstopMs: 500, connectTimeoutMs: 500 });
      const command = marked();
      const exec = failsWithin(4000, shell.exec(command.argv, { timeoutMs: 3000 }));
      await until(command.runs, { what: 'the command runs' });
      sshd.signal('SIGSTOP');
      expect(await exec).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown', reason: 'lost' } });
      expect(await failsWithin(2000, shell.exec(['true']))).toMatchObject({ code: 'Unavailable' });
      await until(async () => !(await command.runs()), { what: 'the command died on a host that hangs' });
    });

    it('cut 50 times under load: every call ends, with its result or a typed error, and the file is whole', async () => {
      const shell = shellWith({ backoffMinMs: 5, backoffMaxMs: 20 });
      const body = randomBytes(300_000);
      const sha256 = createHash('sha256').update(body).digest('hex');
      const tally: Record<string, number> = {};
      let cutting = true;
      const note = (word: string): void => void (tally[word] = (tally[word] ?? 0) + 1);
      const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
      const load = async (call: () => Promise<unknown>): Promise<void> => {
        while (cutting) {
          await turn();
          await call().then(
            () => note('done'),
            (error: unknown) =>
              note(error instanceof CloudError ? `${error.code} ${String(error.details?.['outcome'])}` : String(error)),
          );
        }
      };
      const echoed = async (): Promise<void> => {
        const word = randomBytes(4).toString('hex');
        const { stdout } = await shell.exec(['sh', '-c', 'sleep 0.02; cat'], { stdin: word });
        if (stdout !== word) throw new Error(`wrong answer: ${stdout}`);
      };
      const working = [
        load(echoed),
        load(echoed),
        load(() => shell.upload(`${folder.dir}/f`, Readable.from([body]), { sha256 })),
        load(async () => {
          const socket = await shell.connectUnix(folder.echoSocket);
          socket.on('error', () => undefined);
          const closed = once(socket, 'close').then(() => Promise.reject(new CloudError('Unavailable', 'cut')));
          socket.write('x');
          await Promise.race([once(socket, 'data'), closed]).finally(() => socket.destroy());
          await closed.catch(() => undefined);
        }),
      ];
      for (let cut = 0; cut < 50; cut += 1) {
        const done = tally['done'] ?? 0;
        await until(() => (tally['done'] ?? 0) > done && sshd.pids().length > 1, {
          what: `work goes on after cut ${cut}`,
          everyMs: 5,
        });
        sshd.signal('SIGKILL', 'sessions');
      }
      cutting = false;
      await Promise.all(working);
      expect(
        Object.keys(tally).filter((word) => !/^(done|Unavailable (unknown|not-sent|undefined))$/.test(word)),
      ).toEqual([]);
      expect(tally['done']).toBeGreaterThan(50);
      await shell.upload(`${folder.dir}/f`, Readable.from([body]), { sha256 });
      await until(async () => (await here.exec(['ls', '-A', folder.dir])).stdout === 'f\n', {
        what: 'no half file stays',
      });
      expect((await here.readFile(`${folder.dir}/f`)).equals(body)).toBe(true);
    }, 120_000);
  },
);
