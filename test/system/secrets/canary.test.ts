import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../support/private-sshd.ts';
import type { CliResult } from '../../support/test-cloud.ts';
import { NOVACTL, run } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { misplaced, searchCloud } from '../support/canary-places.ts';
import { hitsInRecords, namesIn, pemSecret, wordSecret, type Secret } from '../support/canary-search.ts';
import { hostStates, importStillImage } from '../support/closing-checks.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing, type NamespaceHost } from '../support/namespace-host.ts';
import { ProcessSampler, type ProcessSamples } from '../support/process-sampler.ts';

const missing = namespaceHostsMissing();
const LIFE_MS = 400_000;

const word = (name: string): string => `canary-${name}-${randomBytes(12).toString('hex')}`;

describe.skipIf(missing !== undefined)(
  `secrets stay where they belong [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;
    let h1: NamespaceHost;
    let sampler: ProcessSampler;
    let samples: ProcessSamples;
    let stamp = '';
    let tiny = '';
    let still = '';
    const secrets: Secret[] = [];
    /** All that was printed, but for what is a secret on purpose. */
    const printed: string[] = [];

    const mine = (name: string): string => join(system.cloud.dir, 'mine', name);
    const write = (name: string, text: string): string => {
      writeFileSync(mine(name), text, { mode: 0o600 });
      return mine(name);
    };
    const heard = ({ code, stdout, stderr }: CliResult): CliResult => {
      printed.push(stdout, stderr);
      return { code, stdout, stderr };
    };
    const say = async (...words: string[]): Promise<CliResult> => heard(await system.cli(...words, '--verbose'));
    const ok = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await say(...words);
      if (code !== 0) throw new Error(`novactl ${words.join(' ')} ended with ${code}: ${stderr}`);
      return stdout;
    };
    const refused = async (...words: string[]): Promise<string> => {
      const { code, stderr } = await say(...words);
      expect(code, words.join(' ')).not.toBe(0);
      return stderr;
    };
    const fed = async (file: string, ...words: string[]): Promise<CliResult> => {
      const script = 'file=$1; shift; exec "$@" <"$file"';
      return heard(await run('sh', ['-c', script, 'sh', file, NOVACTL, ...words], system.cloud.env));
    };
    const idsOf = (text: string): string[] => [...new Set([...text.matchAll(/\bi-[0-9a-f]{17}\b/g)].map(([id]) => id))];
    const userData = (name: string): string => {
      const canary = word('user-data');
      secrets.push(wordSecret(`user data ${name}`, canary));
      return write(name, `#!/bin/sh\n# ${canary}\n: ${canary}\n`);
    };
    const runStill = async (...words: string[]): Promise<string> =>
      idsOf(await ok('instance', 'run', '--image', 'still', '--type', 'm1.nano', '--wait', ...words))[0] ?? '';

    beforeAll(async () => {
      sampler = new ProcessSampler();
      const listen = `127.0.0.1:${await freePort()}`;
      const env = { NOVACTL_API_LISTEN: listen, NOVACTL_LOG_LEVEL: 'debug', NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '2000' };
      system = await LabCloud.start('daemon', { hosts: 2, env });
      h1 = system.lab.host(0);
      mkdirSync(join(system.cloud.dir, 'mine'), { mode: 0o700 });
      stamp = write('stamp', '');
      // Before the first file of the cloud.
      await run('touch', ['-d', '15 minutes ago', stamp]);
      const state = (path: string): string => join(system.cloud.dir, 'state', path);
      secrets.push(pemSecret("cloud's SSH key", state('ssh/id_ed25519')));
      secrets.push(pemSecret("authority's key", state('tls/ca.key')));
      secrets.push(pemSecret("server's key", state('tls/server.key')));
      secrets.push(wordSecret('seal key', readFileSync(state('seal.key'), 'utf8').trim()));
      secrets.push(pemSecret('login key', (await h1.login()).identity));
      await importStillImage(system);
      await ok('image', 'build-tiny');
    });
    afterAll(async () => {
      await sampler.stop().catch(() => undefined);
      await system.destroy();
    });

    it('through the life of guests, with a daemon', { timeout: LIFE_MS }, async () => {
      await ok('keypair', 'create', 'mine');
      secrets.push(pemSecret('key pair', join(system.cloud.dir, 'config', 'novactl', 'keys', 'mine.pem')));
      const words = ['--image', 'tiny', '--type', 'm1.nano', '--key', 'mine', '--wait', '--json'];
      [tiny = ''] = idsOf(await ok('instance', 'run', ...words, '--user-data', `@${userData('of a file')}`));
      const piped = await fed(
        userData('of stdin'),
        ...['instance', 'run', '--image', 'still', '--type', 'm1.nano', '--user-data', '-', '--wait', '--json'],
      );
      expect(piped.code, piped.stderr).toBe(0);
      [still = ''] = idsOf(piped.stdout);
      await until(async () => (await ok('instance', 'log', tiny)).includes('NOVACTL-READY') || undefined, {
        what: 'the guest has run its user data',
        timeoutMs: 180_000,
        everyMs: 1000,
      });
      const typed = await fed(write('typed', 'true\n'), 'instance', 'console', tiny, '--linger', '1s', '-v');
      expect(typed.code, typed.stderr).toBe(0);
      expect((await say('instance', 'ssh', tiny, '--', 'true')).code).toBe(0);
      for (const line of [
        `instance stop ${still} --wait`,
        `instance start ${still} --wait`,
        `instance reboot ${still}`,
      ])
        await ok(...line.split(' '));
    });

    it('over HTTPS', { timeout: LIFE_MS }, async () => {
      const exported = await system.cli('context', 'export', '--verbose');
      expect(exported.code, exported.stderr).toBe(0);
      printed.push(exported.stderr);
      const secret = /secretAccessKey: (\S+)/.exec(exported.stdout)?.[1] ?? '';
      secrets.push(wordSecret('access key of the context', secret));
      await ok('context', 'add', 'prod', '--from', write('exported', exported.stdout));
      await runStill('--context', 'prod', '--user-data', `@${userData('over HTTPS')}`);
      for (const line of ['status', 'instance list --json', 'context show prod', 'context list', 'host show h1'])
        await ok(...line.split(' '), '--context', 'prod');
      const [id = ''] = /AKIA\w+/.exec(await ok('key', 'create', '--out', mine('second.key'))) ?? [];
      secrets.push(wordSecret('access key in a file', readFileSync(mine('second.key'), 'utf8').trim()));
      const url = /url: (\S+)/.exec(exported.stdout)?.[1] ?? '';
      const ca = join(system.cloud.dir, 'state', 'tls', 'ca.pem');
      await ok(
        'context',
        'add',
        'second',
        '--url',
        url,
        '--access-key',
        id,
        '--secret-file',
        mine('second.key'),
        '--ca',
        ca,
      );

      const wrong = word('wrong-secret');
      secrets.push(wordSecret('access key that is wrong', wrong));
      const altered = write('altered', exported.stdout.replace(secret, wrong));
      expect(await refused('context', 'add', 'wrong', '--from', altered)).toMatch(/SignatureDoesNotMatch/);
      const torn = write('torn', exported.stdout.replace(secret, `"${secret}`));
      await refused('context', 'add', 'torn', '--from', torn);
      await refused('context', 'add', 'torn', '--from', torn, '--json');
      await refused('keypair', 'import', 'private', '--public-key', (await h1.login()).identity);
      await refused('host', 'add', '--from', (await h1.login()).identity);
    });

    it('when things go wrong', { timeout: LIFE_MS }, async () => {
      const big = word('user-data');
      secrets.push(wordSecret('user data that is too long', big));
      await refused('instance', 'run', '--image', 'still', '--user-data', `@${write('big', big.repeat(400))}`);
      const unplaced = userData('of none');
      await refused('instance', 'run', '--image', 'nosuch', '--user-data', `@${unplaced}`);
      await refused(
        'instance',
        'run',
        '--image',
        'still',
        '--type',
        'm1.xlarge',
        '--count',
        '90',
        '--user-data',
        `@${unplaced}`,
      );
      await refused('image', 'import', (await h1.login()).identity, '--name', 'key', '--kind', 'kernel');

      const { host: address, hostKey, identity } = await system.lab.host(1).login();
      const h2 = ['host', 'add', 'root@h2', '--address', address, '--fingerprint', hostKey.fingerprint];
      await ok('host', 'disable', 'h2', '--reason', 'canary');
      const there = await system.instances();
      const onH2 = there.filter((row) => row.hostName === 'h2' && row.state !== 'terminated');
      for (const { instanceId } of onH2) await ok('instance', 'terminate', '--yes', '--wait', instanceId);
      await ok('host', 'remove', 'h2', '--yes');
      await ok(...h2, '--identity', identity);

      const keys = h1.onDisk('root/.ssh/authorized_keys');
      const letIn = readFileSync(keys);
      writeFileSync(keys, '');
      await h1.cutConnections();
      await refused('host', 'check', 'h1');
      await refused('instance', 'reboot', '--wait', '--timeout', '2s', tiny);
      writeFileSync(keys, letIn);
      await h1.powerOff();
      await refused('instance', 'run', '--image', 'nosuch', '--user-data', `@${unplaced}`);
      await say('instance', 'start', '--wait', '--timeout', '2s', tiny);
      await h1.powerOn();
      await until(async () => (await hostStates(system)).get('h1') === 'up' || undefined, {
        what: 'h1 is back',
        timeoutMs: 90_000,
        everyMs: 500,
      });
    });

    it('when another worker has taken a host', { timeout: LIFE_MS }, async () => {
      const claim = h1.onDisk('var/lib/novactl-host/claim/claim.json');
      const ours = readFileSync(claim, 'utf8');
      await ok('host', 'disable', 'h2');
      writeFileSync(claim, ours.replace(/"epoch":\d+,"session":"[^"]*"/, '"epoch":9999,"session":"another"'));
      await say(
        'instance',
        'run',
        ...['--image', 'still', '--type', 'm1.nano', '--wait', '--timeout', '3s'],
        ...['--user-data', `@${userData('of an overtaken worker')}`],
      );
      await until(() => /host lost to another owner/.test(system.cloud.log) || undefined, {
        what: 'the host has refused the old epoch',
        timeoutMs: 60_000,
      });
      writeFileSync(claim, ours);
    });

    it('in backups and all that can be asked', { timeout: LIFE_MS }, async () => {
      await ok('maintain', 'backup', '--to', join(system.cloud.dir, 'b.novactl'));
      for (const line of [
        ...['maintain verify --json', 'maintain status --json', 'maintain reconcile --json', 'status', 'config show'],
        ...['op list --json', 'host list --json', 'host show h1 --json', 'host check h1 --json', 'key list --json'],
        ...[
          'instance list --all --json',
          `instance show ${tiny} --json`,
          `why instance ${tiny}`,
          'keypair list --json',
        ],
        ...[`instance log ${tiny} --all`, 'dashboard --once', 'image list --json', 'host key'],
      ])
        await say(...line.split(' '));
      const { operations } = await system.json<{ operations: { operationId: string }[] }>('op', 'list');
      expect(operations.length).toBeGreaterThan(10);
      for (const { operationId } of operations.slice(0, 40)) await ok('op', 'show', operationId, '--json');
      for (const name of (await h1.domains()).keys()) printed.push(await h1.ok('virsh', 'dumpxml', name));
      printed.push(await h1.ok('nft', 'list', 'ruleset'));
    });

    it('with no daemon', { timeout: LIFE_MS }, async () => {
      await system.cloud.stop();
      const piped = await fed(
        userData('with no daemon'),
        ...['instance', 'run', '--image', 'still', '--type', 'm1.nano', '--user-data', '-', '--wait', '-v'],
      );
      expect(piped.code, piped.stderr).toBe(0);
      const [id = ''] = idsOf(piped.stdout);
      await ok('instance', 'reboot', id, '--wait');
      await ok('instance', 'terminate', '--yes', '--wait', id);
      await ok('maintain', 'backup', '--to', join(system.cloud.dir, 'c.novactl'));
      await refused('instance', 'show', 'i-0123456789abcdef0');
    });

    it('are found by this search where they do not belong', { timeout: LIFE_MS }, async () => {
      const planted = word('planted');
      const plant = wordSecret('user data that was planted', planted);
      secrets.push(plant);
      await run('sh', ['-c', 'sleep 1', 'sh', planted], { ...process.env, NV_PLANTED: planted });
      const files = ['planted.log', 'state/journal-planted', 'state/elsewhere'].map((path) =>
        join(system.cloud.dir, path),
      );
      const [open = '', group = '', unlisted = ''] = files;
      writeFileSync(open, `log: ${Buffer.from(`x${planted}`).toString('base64')}\n`, { mode: 0o644 });
      writeFileSync(group, planted, { mode: 0o640 });
      writeFileSync(unlisted, planted, { mode: 0o600 });
      appendFileSync(h1.onDisk('var/log/libvirt/planted'), planted, { mode: 0o644 });
      const found = misplaced(await searchCloud(system, stamp, secrets)).filter(({ secrets: held }) =>
        held.includes(plant.name),
      );
      expect(found.map(({ path }) => path).toSorted()).toEqual([
        'cloud:planted.log',
        'cloud:state/elsewhere',
        'cloud:state/journal-planted',
        'h1:var/log/libvirt/planted',
      ]);
      expect(namesIn(`{"userData":"${Buffer.from(`#!${planted}\n`).toString('base64')}"}`, secrets)).toEqual([
        plant.name,
      ]);
      samples = await sampler.stop();
      expect(samples.rounds).toBeGreaterThan(100);
      const holding = (texts: readonly string[]): number => texts.filter((text) => text.includes(planted)).length;
      expect([holding(samples.argv) > 0, holding(samples.environ) > 0]).toEqual([true, true]);
      for (const path of [...files, h1.onDisk('var/log/libvirt/planted')]) rmSync(path);
      secrets.pop();
    });

    it('are in no command line and no environment of any process', () => {
      const held = (texts: readonly string[]): string[] => texts.filter((text) => namesIn(text, secrets).length > 0);
      expect(held(samples.argv)).toEqual([]);
      expect(held(samples.environ)).toEqual([]);
    });

    it('are in nothing that was printed or logged', () => {
      expect(printed.length).toBeGreaterThan(100);
      expect(printed.filter((text) => namesIn(text, secrets).length > 0)).toEqual([]);
      expect(system.cloud.log).toContain('"level":"debug"');
      expect(namesIn(system.cloud.log, secrets)).toEqual([]);
    });

    it('are in files of their owner alone, where SECURITY.md says', { timeout: LIFE_MS }, async () => {
      const hits = await searchCloud(system, stamp, secrets);
      expect(misplaced(hits)).toEqual([]);
      const places = hits.map(({ path }) => path);
      for (const path of [
        'state/ssh/id_ed25519',
        'state/seal.key',
        'state/tls/ca.key',
        'b.novactl',
        'config/novactl/contexts.yaml',
      ])
        expect(places).toContain(`cloud:${path}`);
      expect(places.some((path) => path.endsWith('/seed.iso'))).toBe(true);
    });

    it('are in the record of what they are for, and in no operation, token or answer', () => {
      const held = hitsInRecords(join(system.cloud.dir, 'state'), secrets);
      expect(held.length).toBeGreaterThan(3);
      expect(
        held.filter(({ key, name }) => !/^(userdata|reservation)\//.test(key) || !name.startsWith('user data')),
      ).toEqual([]);
    });
  },
);
