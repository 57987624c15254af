import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type LoadedConfig } from '../../../src/launch/config/load-config.ts';

const EXAMPLE = join(import.meta.dirname, '../../../packaging/examples/three-controllers');
const MACHINES = ['m1', 'm2', 'm3'];

/** By the loader of the program, as on a machine that has this file and sets nothing. */
function load(name: string): LoadedConfig {
  const path = join(EXAMPLE, name);
  return loadConfig({
    env: { HOME: '/nonexistent' },
    configPath: path,
    readFile: (asked) => (asked === path ? readFileSync(path, 'utf8') : undefined),
    uid: 0,
  });
}

/** What a shell reads in it. */
function variables(name: string): Record<string, string> {
  const lines = readFileSync(join(EXAMPLE, name), 'utf8').split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value ?? '']];
    }),
  );
}

describe('the example of three controllers', () => {
  it('has a configuration for each kind of machine, and every one is taken', () => {
    const files = readdirSync(EXAMPLE).filter((name) => name.endsWith('.yaml'));
    expect(files.toSorted()).toEqual(['m1.yaml', 'm2.yaml', 'm3.yaml', 'worker.yaml']);
    for (const file of files) expect([file, load(file).warnings]).toEqual([file, []]);
  });

  it('differs between controllers in name and address alone', () => {
    const configs = MACHINES.map((name) => load(`${name}.yaml`).config);
    expect(configs.map(({ node }) => node.name)).toEqual(MACHINES);
    const [first, ...others] = configs.map(({ node, api, ...rest }) => ({
      ...rest,
      port: api.port,
      kind: typeof node,
    }));
    for (const other of others) expect(other).toEqual(first);
    expect(first?.roles).toEqual(['api', 'controller']);
    expect([first?.store.engine, first?.bus.engine]).toEqual(['etcd', 'rabbitmq']);
  });

  it('gives all machines the same secrets, blobs and bus', () => {
    const [controller, worker] = [load('m1.yaml').config, load('worker.yaml').config];
    expect(worker.roles).toEqual(['worker']);
    expect([worker.secretsDir, worker.blobs, worker.bus]).toEqual([
      controller.secretsDir,
      controller.blobs,
      controller.bus,
    ]);
    expect([worker.metadata.listen, controller.metadata.listen]).toEqual(['none', 'none']);
  });

  it('speaks to etcd by the names and with the files that etcd is given', () => {
    const etcd = variables('etcd.default');
    const { store, api } = load('m1.yaml').config;
    const members = MACHINES.map((name) => `${name}=https://${name}:2380`).join(',');
    expect([etcd['ETCD_NAME'], etcd['ETCD_INITIAL_CLUSTER']]).toEqual(['m1', members]);
    expect(store.etcd.endpoints).toEqual(MACHINES.map((name) => `https://${name}:2379`));
    expect(etcd['ETCD_ADVERTISE_CLIENT_URLS']).toBe(store.etcd.endpoints[0]);
    expect(etcd['ETCD_LISTEN_CLIENT_URLS']).toBe(`https://${api.listen[0]?.split(':')[0] ?? ''}:2379`);
    expect([etcd['ETCD_CLIENT_CERT_AUTH'], etcd['ETCD_PEER_CLIENT_CERT_AUTH']]).toEqual(['true', 'true']);
    expect([etcd['ETCD_AUTO_COMPACTION_MODE'], etcd['ETCD_AUTO_COMPACTION_RETENTION']]).toEqual(['periodic', '1h']);
  });
});

describe('make-certificates', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'novactl-certificates-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const make = (...words: string[]): string =>
    execFileSync(join(EXAMPLE, 'make-certificates'), [join(dir, 'tls'), ...words], { encoding: 'utf8' });
  const certificate = (name: string): X509Certificate =>
    new X509Certificate(readFileSync(join(dir, 'tls', `${name}.pem`)));

  it('makes an authority, a server for each machine and one client [real]', (ctx) => {
    if (spawnSync('openssl', ['version']).status !== 0) {
      ctx.skip('openssl is not installed');
      return;
    }
    make('m1=10.0.0.11', 'm2=10.0.0.12');
    const authority = certificate('ca');
    expect(authority.ca).toBe(true);
    for (const name of ['m1', 'm2', 'novactl']) {
      expect(certificate(name).verify(authority.publicKey)).toBe(true);
      expect(statSync(join(dir, 'tls', `${name}.key`)).mode & 0o777).toBe(0o600);
    }
    expect([certificate('m1').checkHost('m1'), certificate('m1').checkIP('10.0.0.11')]).toEqual(['m1', '10.0.0.11']);
    expect(certificate('m1').checkIP('10.0.0.12')).toBe(undefined);
    expect(certificate('novactl').keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });

  it('adds a machine to what is there [real]', (ctx) => {
    if (spawnSync('openssl', ['version']).status !== 0) {
      ctx.skip('openssl is not installed');
      return;
    }
    make('m1=10.0.0.11');
    const [authority, first] = [certificate('ca').fingerprint256, certificate('m1').fingerprint256];
    expect(make('m1=10.0.0.11', 'm4=10.0.0.14')).toBe(`made ${join(dir, 'tls', 'm4.pem')}\n`);
    expect([certificate('ca').fingerprint256, certificate('m1').fingerprint256]).toEqual([authority, first]);
    expect(certificate('m4').verify(certificate('ca').publicKey)).toBe(true);
  });
});
