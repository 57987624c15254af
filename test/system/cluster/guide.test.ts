import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStillImage } from '../../support/still-image.ts';
import { NOVACTL } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { clusterMissing } from '../support/lab-cluster.ts';
import { HostLab, type NamespaceHost } from '../support/namespace-host.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** The machines run the program of this clone, so they must see it: of these folders each has its own. */
const unseen = /^\/(tmp|run|root)\//.test(ROOT)
  ? `its machines can't see a clone in ${ROOT}, since they have such a folder of their own`
  : undefined;
const missing = clusterMissing() ?? unseen;
const SHIM = join(import.meta.dirname, '../support/systemctl-shim');
const MACHINES = ['m1', 'm2', 'm3'];
const HOSTS = ['h1', 'h2'];
const BLOCK_MS = 240_000;

interface Block {
  readonly name: string;
  readonly text: string;
}

/** What the page tells its reader to type. */
const blocks: readonly Block[] = [
  ...readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8').matchAll(/^```sh run (\S+)\n([\s\S]*?)^```$/gm),
].map(([, name = '', text = '']) => ({ name, text }));

/** The reader's shell: one for all blocks, so that what a block defines is there for the next. */
class Reader {
  readonly dir = mkdtempSync(join(tmpdir(), 'novactl-guide-'));
  readonly #shell: ChildProcess;

  constructor(env: Record<string, string>) {
    const path = `${join(this.dir, 'bin')}:${process.env['PATH'] ?? ''}`;
    this.#shell = spawn('sh', [], {
      ...{ cwd: this.dir, env: { ...process.env, ...env, PATH: path }, stdio: ['pipe', 'ignore', 'inherit'] },
      detached: true,
    });
    cpSync(join(ROOT, 'packaging'), join(this.dir, 'packaging'), { recursive: true });
  }

  /** Types a block; what it printed. Throws when a command of it failed. */
  async type({ name, text }: Block): Promise<string> {
    const [script, output, done] = ['sh', 'out', 'done'].map((end) => join(this.dir, `${name}.${end}`)) as [
      string,
      string,
      string,
    ];
    // Definitions have to outlive the block, so that it is no process of its own; `set -e` ends the shell at what fails.
    writeFileSync(script, `set -e\n${text}\n`);
    this.#shell.stdin?.write(`. ${script} </dev/null >${output} 2>&1; echo >${done}\n`);
    const said = (): string => (existsSync(output) ? readFileSync(output, 'utf8') : '');
    await until(
      () => {
        if (this.#shell.exitCode !== null) throw new Error(`block ${name} failed:\n${said().slice(-4000)}`);
        return existsSync(done);
      },
      { what: `block ${name} has ended`, timeoutMs: BLOCK_MS, everyMs: 50 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${said().slice(-4000)}`);
    });
    return said();
  }

  close(): void {
    // With what it waits for: an ssh whose machine is gone would stay for minutes. Its group may have ended by itself.
    spawnSync('kill', ['-9', '--', `-${String(this.#shell.pid)}`]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

describe.skipIf(missing !== undefined)(
  `docs/OPERATIONS.md from one machine to three controllers, as it is printed [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let lab: HostLab;
    let reader: Reader;
    let unknown = '';

    const machine = (name: string): NamespaceHost => {
      const found = lab.hosts.find((host) => host.name === name);
      if (found === undefined) throw new Error(`there is no machine ${name}`);
      return found;
    };

    /** What comes before the page: novactl is installed, and the reader's SSH key is let in. */
    async function prepare(): Promise<Record<string, string>> {
      const addresses = new Map<string, string>();
      const known: string[] = [];
      let identity = '';
      for (const host of lab.hosts) {
        const login = await host.login();
        addresses.set(host.name, login.host);
        known.push(login.knownHosts);
        ({ identity } = login);
        await host.ok('ln', '-sfn', NOVACTL, '/usr/bin/novactl');
        await host.ok('cp', SHIM, '/usr/local/bin/systemctl');
      }
      const of = (name: string): string => addresses.get(name) ?? '';
      const dir = mkdtempSync(join(tmpdir(), 'novactl-guide-ssh-'));
      writeFileSync(join(dir, 'known_hosts'), `${known.join('\n')}\n`);
      writeFileSync(
        join(dir, 'config'),
        `Host *\n  IdentityFile ${identity}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${join(dir, 'known_hosts')}\n  BatchMode yes\n  LogLevel ERROR\n`,
      );
      const hosts = HOSTS.map((name) => `${name}=${of(name)}`).join(' ');
      return { M1: of('m1'), M2: of('m2'), M3: of('m3'), HOSTS: hosts, SSH_DIR: dir };
    }

    beforeAll(async () => {
      lab = await HostLab.start([...MACHINES, ...HOSTS]);
      const env = await prepare();
      reader = new Reader(env);
      const { SSH_DIR: dir = '' } = env;
      cpSync(dir, join(reader.dir, 'bin'), { recursive: true });
      rmSync(dir, { recursive: true, force: true });
      // The reader's own ~/.ssh is not this machine's.
      const ssh = join(reader.dir, 'bin', 'ssh');
      writeFileSync(ssh, `#!/bin/sh\nexec /usr/bin/ssh -F "${join(reader.dir, 'bin', 'config')}" "$@"\n`);
      writeFileSync(
        join(reader.dir, 'bin', 'config'),
        readFileSync(join(reader.dir, 'bin', 'config'), 'utf8').replaceAll(dir, join(reader.dir, 'bin')),
      );
      chmodSync(ssh, 0o755);
    });
    afterAll(async () => {
      reader?.close();
      await lab?.destroy();
    });

    it('has blocks to run, each with a name of its own', () => {
      expect(blocks.length).toBeGreaterThan(15);
      expect(new Set(blocks.map(({ name }) => name)).size).toBe(blocks.length);
    });

    /** What must be seen after a block, besides that all its commands succeed. */
    const seen: Readonly<Record<string, RegExp>> = {
      'first-host': /h1 .*up/,
      'first-instance': /running/,
      etcd: /is healthy/,
      start: /m1[\s\S]*m2[\s\S]*m2-worker[\s\S]*m3/,
      hosts: /h2 .*up[\s\S]*running/,
      'controller-dies': /running/,
      'etcd-restore': /restored from an older copy/,
      adopt: /the store is adopted[\s\S]*running/,
    };

    it.each(blocks)('$name', { timeout: BLOCK_MS + 10_000 }, async (block) => {
      // What the copy of etcd does not know, so that going back to it has something to say.
      const extra = ['run-instance', '--image', 'tiny', '--type', 'm1.nano', '--wait', '--output', 'name'];
      if (block.name === 'etcd-restore') unknown = (await machine('m3').ok('novactl', ...extra)).trim();
      const said = await reader.type(block);
      if (block.name === 'adopt') expect(said).toMatch(new RegExp(`unknown +${unknown}`));
      expect(said).toMatch(seen[block.name] ?? /^/);
      if (block.name !== 'first-host') return;
      // Building the image of the page needs a kernel package; a guest that only halts is enough for its commands.
      const image = machine('m1').onDisk('root/tiny.raw');
      writeStillImage(image);
      await machine('m1').ok('novactl', 'image', 'import', '/root/tiny.raw', '--name', 'tiny');
    });
  },
);
