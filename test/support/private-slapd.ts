import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'ldapts';
import { type LdifEntry, SCHEMA_ENTRY } from '../../src/adapters/directory/ldap-schema.ts';
import type { LdapPlaces, LdapSettings } from '../../src/adapters/directory/ldap-settings.ts';
import {
  accessRules,
  indexesFor,
  limitFor,
  overlayEntries,
  treeEntries,
} from '../../src/adapters/directory/ldap-setup.ts';
import { renderLdif } from '../../src/adapters/directory/ldif.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { canary, searchRemains } from './canaries.ts';
import { freePorts } from './free-ports.ts';
import { TestAuthority } from './test-authority.ts';
import { until } from './until.ts';

const SLAPD = '/usr/sbin/slapd';
const SLAPADD = '/usr/sbin/slapadd';
const MODULES = '/usr/lib/ldap';
const SCHEMAS = ['core', 'cosine', 'inetorgperson'].map((name) => `/etc/ldap/schema/${name}.ldif`);
const START_MS = 20_000;

/** Why no slapd of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function slapdMissing(): string | undefined {
  const missing = [SLAPD, SLAPADD, ...SCHEMAS].filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `${missing.join(', ')}: not installed (slapd)`;
}

export interface PrivateSlapdOptions {
  /** Without our schema, indexes, rules and overlays: a directory as others have it. */
  readonly bare?: boolean;
  /** Users are the people whom others have put into ou=people, and novactl puts its own beside them. */
  readonly othersPeople?: boolean;
}

/**
 * An OpenLDAP server of one test file on free loopback ports, with its data in a folder of its own. Its configuration is what novactl renders.
 * Dies with this process, whatever ends that.
 */
export class PrivateSlapd {
  readonly suffix = 'dc=example,dc=org';
  readonly rootDn = `cn=root,${this.suffix}`;
  readonly rootPassword = canary('password of the LDAP root');
  readonly configDn = 'cn=admin,cn=config';
  readonly bindDn = `cn=novactl,ou=novactl,${this.suffix}`;
  readonly bindPassword = canary('LDAP bind password');
  /** People whom others have put here. */
  readonly peopleDn = `ou=people,${this.suffix}`;
  readonly places: LdapPlaces;
  readonly dir = mkdtempSync(join(tmpdir(), 'nv-slapd-'));
  readonly authority: TestAuthority;
  readonly port: number;
  readonly tlsPort: number;
  #child: ChildProcess | undefined;

  private constructor([port = 0, tlsPort = 0]: readonly number[], { othersPeople = false }: PrivateSlapdOptions) {
    const baseDn = `ou=novactl,${this.suffix}`;
    this.places = {
      baseDn,
      userBase: othersPeople ? this.peopleDn : `ou=users,${baseDn}`,
      userFilter: '(objectClass=inetOrgPerson)',
      attributes: { name: 'uid', displayName: 'displayName', email: 'mail' },
    };
    this.port = port;
    this.tlsPort = tlsPort;
    this.authority = new TestAuthority(join(this.dir, 'tls'));
  }

  static async start(options: PrivateSlapdOptions = {}): Promise<PrivateSlapd> {
    const slapd = new PrivateSlapd(await freePorts(2), options);
    try {
      slapd.#install(options);
      await slapd.run();
      if (options.bare !== true) await slapd.setPassword(slapd.bindDn, slapd.bindPassword);
    } catch (error) {
      await slapd.destroy();
      throw error;
    }
    return slapd;
  }

  get url(): string {
    return `ldap://127.0.0.1:${this.port}`;
  }

  /** By name: the certificate is for localhost. */
  get tlsUrl(): string {
    return `ldaps://localhost:${this.tlsPort}`;
  }

  /** The ldapi:// socket. */
  get socket(): string {
    return join(this.dir, 'ldapi');
  }

  /** How novactl is told of this server. */
  settings(other: Partial<LdapSettings> = {}): LdapSettings {
    return {
      ...this.places,
      ...{ url: this.url, startTls: false, ca: this.authority.ca },
      ...{ bindDn: this.bindDn, bindPassword: this.bindPassword },
      ...{ connectTimeoutMs: 2000, timeoutMs: 2000, clock: new SystemClock(), logger: silentLogger },
      ...other,
    };
  }

  /** Starts it on the data it has; resolves when it answers. */
  async run(): Promise<void> {
    const log = openSync(join(this.dir, 'log'), 'a');
    const listen = [
      `ldap://127.0.0.1:${this.port}/`,
      `ldaps://127.0.0.1:${this.tlsPort}/`,
      `ldapi://${encodeURIComponent(this.socket)}/`,
    ];
    const argv = ['--pdeathsig', 'KILL', SLAPD, '-d', '0', '-F', join(this.dir, 'slapd.d'), '-h', listen.join(' ')];
    const child = spawn('setpriv', argv, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`slapd ended: ${this.#log()}`);
        return this.asRoot(async () => true).catch(() => false);
      },
      { what: `slapd answers at ${this.url}`, timeoutMs: START_MS },
    );
  }

  /** Ends it and waits for that. Its data stay. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  /** SIGSTOP: it keeps its connections, takes new ones and answers nothing. */
  async freeze(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('slapd does not run');
    process.kill(pid, 'SIGSTOP');
    const state = (): string => readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/, '');
    await until(() => / [Tt] /.test(state()), { what: 'slapd stands still' });
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** As the database's own administrator, whom no rule binds. */
  async asRoot<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.as(this.rootDn, this.rootPassword, work);
  }

  async as<T>(dn: string, password: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ url: this.url, timeout: 5000, connectTimeout: 5000 });
    try {
      await client.bind(dn, password);
      return await work(client);
    } finally {
      await client.unbind();
    }
  }

  async setPassword(dn: string, password: string): Promise<void> {
    const file = (name: string, text: string): string => {
      writeFileSync(join(this.dir, name), text, { mode: 0o600 });
      return join(this.dir, name);
    };
    const argv = ['-x', '-H', this.url, '-D', this.rootDn];
    argv.push('-y', file('root.password', this.rootPassword), '-T', file('new.password', password), dn);
    execFileSync('ldappasswd', argv, { stdio: 'pipe' });
    return Promise.resolve();
  }

  /** A person as others put them here. */
  async addPerson(rdn: string, more: Record<string, string | string[]>): Promise<string> {
    const dn = `${rdn},${this.peopleDn}`;
    const base = {
      objectClass: ['top', 'person', 'organizationalPerson', 'inetOrgPerson'],
      cn: 'Person',
      sn: 'Person',
    };
    await this.asRoot((client) => client.add(dn, { ...base, ...more }));
    return dn;
  }

  /** Removes users, projects and people. */
  async empty(): Promise<void> {
    await this.asRoot(async (client) => {
      for (const base of new Set([this.places.userBase, `ou=projects,${this.places.baseDn}`, this.peopleDn])) {
        const { searchEntries } = await client.search(base, { scope: 'children', attributes: ['1.1'] });
        const dns = searchEntries.map(({ dn }) => dn).toSorted((a, b) => b.split(',').length - a.split(',').length);
        for (const dn of dns) await client.del(dn);
      }
    });
  }

  async destroy(): Promise<void> {
    await this.stop('SIGKILL');
    searchRemains(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #log(): string {
    return readFileSync(join(this.dir, 'log'), 'utf8').slice(-2000);
  }

  #install({ bare = false }: PrivateSlapdOptions): void {
    for (const name of ['slapd.d', 'data']) mkdirSync(join(this.dir, name), { mode: 0o700 });
    this.#load(0, `${this.#global(bare)}\n${renderLdif([...(bare ? [] : [SCHEMA_ENTRY]), ...this.#databases(bare)])}`);
    this.#load(1, renderLdif(this.#data(bare)));
  }

  #load(database: number, ldif: string): void {
    const file = join(this.dir, `load-${database}.ldif`);
    writeFileSync(file, ldif, { mode: 0o600 });
    execFileSync(SLAPADD, ['-n', String(database), '-F', join(this.dir, 'slapd.d'), '-l', file], { stdio: 'pipe' });
  }

  #global(bare: boolean): string {
    const { certFile, keyFile } = this.authority.issue('localhost');
    const entries: LdifEntry[] = [
      {
        dn: 'cn=config',
        attributes: {
          ...{ objectClass: 'olcGlobal', cn: 'config', olcPidFile: join(this.dir, 'pid') },
          ...{ olcArgsFile: join(this.dir, 'args'), olcThreads: '4' },
          ...{ olcTLSCACertificateFile: this.authority.caFile, olcTLSVerifyClient: 'never' },
          ...{ olcTLSCertificateFile: certFile, olcTLSCertificateKeyFile: keyFile },
        },
      },
      {
        dn: 'cn=module{0},cn=config',
        attributes: {
          ...{ objectClass: 'olcModuleList', cn: 'module{0}', olcModulePath: MODULES },
          olcModuleLoad: bare ? ['back_mdb'] : ['back_mdb', 'ppolicy', 'unique'],
        },
      },
      { dn: 'cn=schema,cn=config', attributes: { objectClass: 'olcSchemaConfig', cn: 'schema' } },
    ];
    return `${renderLdif(entries)}\n${SCHEMAS.map((file) => readFileSync(file, 'utf8')).join('\n')}`;
  }

  #databases(bare: boolean): LdifEntry[] {
    const database = 'olcDatabase={1}mdb,cn=config';
    const ours = { ...this.places, bindDn: this.bindDn };
    const rules = [
      ...(bare ? [] : accessRules(ours)),
      'to attrs=userPassword by anonymous auth by * none',
      'to * by * read',
    ];
    return [
      {
        dn: 'olcDatabase={-1}frontend,cn=config',
        attributes: {
          objectClass: ['olcDatabaseConfig', 'olcFrontendConfig'],
          ...{ olcDatabase: '{-1}frontend', olcSizeLimit: '500' },
        },
      },
      {
        dn: 'olcDatabase={0}config,cn=config',
        attributes: {
          ...{ objectClass: 'olcDatabaseConfig', olcDatabase: '{0}config' },
          ...{ olcRootDN: this.configDn, olcRootPW: this.rootPassword },
        },
      },
      {
        dn: database,
        attributes: {
          objectClass: ['olcDatabaseConfig', 'olcMdbConfig'],
          ...{ olcDatabase: '{1}mdb', olcSuffix: this.suffix, olcDbDirectory: join(this.dir, 'data') },
          ...{ olcDbMaxSize: '67108864', olcRootDN: this.rootDn, olcRootPW: this.rootPassword },
          // Of what the disk holds nothing must outlive the test.
          olcDbEnvFlags: 'nosync',
          olcDbIndex: bare ? ['objectClass eq'] : indexesFor(ours),
          ...(bare ? {} : { olcLimits: limitFor(this.bindDn) }),
          olcAccess: rules.map((rule, index) => `{${index}}${rule}`),
        },
      },
      ...(bare ? [] : overlayEntries(database, ours)),
    ];
  }

  #data(bare: boolean): LdifEntry[] {
    return [
      {
        dn: this.suffix,
        attributes: { objectClass: ['top', 'dcObject', 'organization'], dc: 'example', o: 'Example' },
      },
      { dn: this.peopleDn, attributes: { objectClass: ['top', 'organizationalUnit'], ou: 'people' } },
      ...(bare ? [] : treeEntries({ ...this.places, bindDn: this.bindDn })),
    ];
  }
}
