import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { claimPlaces, guardOf } from '../../../src/workers/drivers/host-claim/claim-script.ts';
import { sshShellTo } from '../../support/ssh-subject.ts';
import { until } from '../../support/until.ts';
import { importStillImage } from '../support/closing-checks.ts';
import { atRest, exactChecks } from '../support/exact-checks.ts';
import { lookAtHost } from '../support/host-view.ts';
import { daemonVictim, embeddedVictim, kill9, startCommand, type Victim } from '../support/killed-process.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { type NamespaceHost, namespaceHostsMissing } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();

/** On the host's disk, so that it can be read from outside: `PROGRAM TAG PROCESSES-OF-THE-FIRST` a line. */
const LOG = '/var/lib/novactl-host/seen-by-tools';
const LATE = '/var/lib/novactl-host/late-effect';
/** It and its child. */
const FIRST = 2;
const OWN = ['qemu-img', 'ip', 'nft', 'sysctl', 'dnsmasq', 'install', 'mkdir', 'rm', 'mv', 'ln', 'chown'];

/**
 * Stands before the real programs: notes under whose mark it was called, and whether the first qemu-img still runs. That one hangs with every polite
 * signal ignored, and so does a child of it in a session of its own, which dies with no connection; let go on, each would leave a late effect.
 */
const TOOL = `#!/bin/sh
name=\${0##*/}
PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ "$name" = qemu-img ] && mkdir /run/first 2>/dev/null; then
  trap '' HUP INT TERM PIPE
  hang='echo $$ >>/run/first/pids; while [ ! -e /run/let-go ]; do sleep 0.1; done; echo late >>${LATE}'
  setsid sh -c "$hang" </dev/null >/dev/null 2>&1 &
  echo "$name \${NOVACTL_SESSION:-none} first" >>${LOG}
  eval "$hang"
fi
if [ -e /run/first/pids ] && [ -n "\${NOVACTL_SESSION:-}" ]; then
  runs=0
  while read -r first; do
    if grep -qs '^State:.[RSDT]' "/proc/$first/status"; then runs=$((runs + 1)); fi
  done </run/first/pids
  echo "$name $NOVACTL_SESSION $runs" >>${LOG}
fi
exec "$name" "$@"
`;

interface ToolCall {
  readonly program: string;
  readonly tag: string;
  readonly first: string;
}

/** One of the hosts, with tools that tell. */
class WatchedHost {
  readonly host: NamespaceHost;

  constructor(host: NamespaceHost) {
    this.host = host;
  }

  async install(): Promise<void> {
    const tool = this.host.onDisk('var/lib/novactl-host/tool');
    writeFileSync(tool, TOOL, { mode: 0o755 });
    chmodSync(tool, 0o755);
    const copies = OWN.map((name) => `cp /var/lib/novactl-host/tool /usr/local/bin/${name}`);
    await this.host.ok('sh', '-ec', [`rm -f ${LOG} ${LATE}`, ...copies].join('\n'));
  }

  /** The programs are the real ones again. */
  async remove(): Promise<void> {
    const names = OWN.map((name) => `/usr/local/bin/${name}`).join(' ');
    await this.host.ok(
      'sh',
      '-c',
      `/usr/bin/rm -rf ${names} /run/first /run/let-go ${LOG} ${LATE} /var/lib/novactl-host/tool`,
    );
  }

  calls(): ToolCall[] {
    const path = this.host.onDisk(LOG.slice(1));
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
    return lines.map((line) => {
      const [program = '', tag = '', first = ''] = line.split(' ');
      return { program, tag, first };
    });
  }

  /** How many processes of the first qemu-img are alive. */
  async firstRuns(): Promise<number> {
    const script = 'sed "s,.*,/proc/&/status," /run/first/pids | xargs grep -lsx "State:.[RSDT] .*"';
    return (await this.host.exec('sh', '-c', script)).stdout.split('\n').filter(Boolean).length;
  }

  /** SSH server processes that serve somebody, as the host counts them. */
  async sessions(): Promise<number> {
    const lines = await this.host.ok('ss', '-Htn', 'state', 'established', 'sport', '=', ':22');
    return lines.split('\n').filter(Boolean).length;
  }

  /** From now on the host hears nothing more of the connections that stand, not even that they end; others are as ever. */
  async deafen(): Promise<void> {
    await this.host.ok(
      'sh',
      '-ec',
      `nft add table inet deaf
nft add chain inet deaf in '{ type filter hook input priority -300; }'
ss -Htn state established sport = :22 | while read -r _ _ _ peer; do
  nft add rule inet deaf in tcp dport 22 tcp sport "\${peer##*:}" drop
done`,
    );
  }

  async hearAgain(): Promise<void> {
    await this.host.exec('nft', 'delete', 'table', 'inet', 'deaf');
  }
}

describe.skipIf(missing !== undefined)(
  `a session that a killed process left on a host [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;

    beforeAll(async () => {
      system = await LabCloud.start('embedded', { hosts: 1, env: { NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '150' } });
      await importStillImage(system);
    });
    afterAll(async () => {
      await system.destroy();
    });

    describe.each([
      ['the daemon', daemonVictim],
      ['an embedded command', embeddedVictim],
    ] as const)('by the death of %s', (_name, makeVictim) => {
      let victim: Victim;
      let watched: WatchedHost;

      beforeEach(async () => {
        victim = makeVictim(system);
        watched = new WatchedHost(system.lab.host(0));
        await victim.prepare();
        await watched.install();
      });
      afterEach(async () => {
        await watched.hearAgain();
        await watched.remove();
        await victim.close();
      });

      it(
        'is ended by the next owner before it acts, and refused when it comes late',
        { timeout: 120_000 },
        async () => {
          const words = ['run-instance', '--image', 'still', '--type', 'm1.nano', '--client-token', victim.name];
          const command = startCommand(system, words);
          await until(() => watched.calls().some(({ first }) => first === 'first'), {
            what: 'the first qemu-img hangs',
            timeoutMs: 30_000,
          });
          const before = await lookAtHost(watched.host);
          const old = before.owner ?? '';
          expect(
            before.marked.filter(({ tag, command: line }) => tag === old && line.includes('qemu-img')),
          ).not.toEqual([]);

          // The process is gone, and the host does not know: the session and its command go on.
          await watched.host.freeze();
          await watched.deafen();
          const standing = await watched.sessions();
          await (victim.name === 'daemon' ? victim.close() : kill9(command.pid));
          await watched.host.thaw();
          expect(await watched.firstRuns()).toBe(FIRST);
          expect(await watched.sessions()).toBe(standing);
          expect((await lookAtHost(watched.host)).owner).toBe(old);

          await victim.goOn(false);
          await command.ended;
          expect((await atRest(system, 60_000)).map(({ state }) => state)).toEqual(['running']);
          const calls = watched.calls();
          const next = (await lookAtHost(watched.host)).owner ?? '';
          expect(next).not.toBe(old);
          const after = calls.slice(calls.findIndex(({ tag }) => tag === next));
          // From its first command on the new owner found the old one's dead, and none of the old session came after.
          expect(after.length).toBeGreaterThan(3);
          expect(after.filter(({ tag, first }) => tag !== next || first !== '0')).toEqual([]);
          expect(after.map(({ program }) => program)).toContain('qemu-img');
          expect(await watched.firstRuns()).toBe(0);
          await watched.host.ok('touch', '/run/let-go');

          await expectRefused(watched, old, next);
          expect(existsSync(watched.host.onDisk(LATE.slice(1)))).toBe(false);
          const live = await exactChecks(system);
          await system.ok('instance', 'terminate', '--yes', '--wait', ...live.map(({ id }) => id));
          expect(await exactChecks(system)).toEqual([]);
        },
      );
    });
  },
);

/** What the former owner would still have sent: by the same guard, over a connection of its own. */
async function expectRefused({ host }: WatchedHost, old: string, next: string): Promise<void> {
  const ownerOf = (mark: string): { hostId: string; epoch: number; session: string } => {
    const [hostId = '', epoch = '', session = ''] = mark.split(':');
    return { hostId, epoch: Number(epoch), session };
  };
  expect(ownerOf(next).epoch).toBeGreaterThan(ownerOf(old).epoch);
  const { host: address, port, user, identity, hostKey } = await host.login();
  const target = { host: address, port, user, hostKey, sudo: false };
  const shell = sshShellTo({ ...target, identity: { kind: 'key', path: identity } });
  const guardFor = (mark: string) => guardOf(claimPlaces('/var/lib/novactl-host'), ownerOf(mark));
  try {
    const late = shell.exec(['touch', LATE], { guard: guardFor(old) });
    await expect(late).rejects.toMatchObject({
      code: 'StaleEpoch',
      details: { holder: expect.stringContaining(`"epoch":${ownerOf(next).epoch},`) as string },
    });
    await expect(shell.writeFile(LATE, 'late', { guard: guardFor(old) })).rejects.toMatchObject({ code: 'StaleEpoch' });
    // The same epoch under another session is refused too, and the owner's own mark is not.
    const forged = next.replace(/:[^:]*$/, ':0123456789abcdef');
    await expect(shell.exec(['touch', LATE], { guard: guardFor(forged) })).rejects.toMatchObject({
      code: 'StaleEpoch',
    });
    expect(existsSync(host.onDisk(LATE.slice(1)))).toBe(false);
    expect(await shell.exec(['true'], { guard: guardFor(next) })).toMatchObject({ exitCode: 0 });
  } finally {
    await shell.close();
  }
}
