import { describe, expect, it } from 'vitest';
import { CloudError } from '../../../../src/base/errors.ts';
import { CONFIG_KEYS } from '../../../../src/launch/config/keys.ts';
import { loadConfig, type LoadConfigOptions } from '../../../../src/launch/config/load-config.ts';

const FILE = '/etc/novactl/novactl.yaml';
const CONTEXTS = '/home/ann/.config/novactl/contexts.yaml';

function load(files: Record<string, string>, rest: Partial<LoadConfigOptions> = {}) {
  const { env = {}, ...others } = rest;
  return loadConfig({ env: { HOME: '/home/ann', ...env }, uid: 0, readFile: (path) => files[path], ...others });
}

function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CloudError);
    expect((error as CloudError).code).toBe('InvalidParameterValue');
    return (error as CloudError).message.split('\n');
  }
  throw new Error('nothing was refused');
}

describe('precedence', () => {
  const files = {
    [FILE]: 'region: file\nzone: file\nstateDir: /file\nrunDir: /file\n',
    [CONTEXTS]:
      'current: here\ncontexts:\n  here: {zone: context, stateDir: /context, runDir: /context}\n  other: {}\n',
  };
  const { config, origins } = load(files, {
    env: { NOVACTL_STATE_DIR: '/environment', NOVACTL_RUN_DIR: '/environment' },
    flags: { runDir: '/flag', hostDir: undefined },
  });

  it.each([
    ['hostDir', '/var/lib/novactl-host', 'default'],
    ['region', 'file', `file ${FILE}`],
    ['zone', 'context', 'context here'],
    ['stateDir', '/environment', 'environment NOVACTL_STATE_DIR'],
    ['runDir', '/flag', 'flag --set'],
  ] as const)('%s is %s, from %s', (key, value, origin) => {
    expect(config[key]).toBe(value);
    expect(origins[key]).toBe(origin);
  });

  it('lets --context and NOVACTL_CONTEXT name another context, the flag first', () => {
    expect(load(files, { env: { NOVACTL_CONTEXT: 'other' } }).config.zone).toBe('file');
    expect(load(files, { env: { NOVACTL_CONTEXT: 'other' }, context: 'here' }).config.zone).toBe('context');
    expect(problemsOf(() => load(files, { context: 'prod' }))).toEqual([
      `${CONTEXTS}: no context prod; there is here, other`,
    ]);
  });

  it('lets --config and NOVACTL_CONFIG name another file, which must be there', () => {
    const two = { '/a.yaml': 'zone: a', '/b.yaml': 'zone: b' };
    expect(load(two, { env: { NOVACTL_CONFIG: '/a.yaml' } }).config.zone).toBe('a');
    expect(load(two, { env: { NOVACTL_CONFIG: '/a.yaml' }, configPath: '/b.yaml' }).config.zone).toBe('b');
    expect(problemsOf(() => load({}, { configPath: '/b.yaml' }))).toEqual([
      '/b.yaml: no such file (named by --config)',
    ]);
  });
});

describe('defaults', () => {
  it('has an origin, a description and a variable of its own for every key', () => {
    const { origins } = load({});
    expect(Object.keys(origins)).toEqual(CONFIG_KEYS.map(({ path }) => path));
    expect(new Set(CONFIG_KEYS.map(({ env }) => env)).size).toBe(CONFIG_KEYS.length);
    for (const key of CONFIG_KEYS) expect(key.description, key.path).toMatch(/^[a-zA-Z].*[^.]$/);
  });

  it("puts a user's folders into that user's own", () => {
    const own = load({}, { uid: 1000, env: { XDG_RUNTIME_DIR: '/run/user/1000' } }).config;
    expect([own.stateDir, own.runDir]).toEqual(['/home/ann/.local/state/novactl', '/run/user/1000/novactl']);
    const bare = load({}, { uid: 1000 }).config;
    expect(bare.runDir).toBe('/home/ann/.local/state/novactl/run');
  });
});

describe('what is refused', () => {
  it('an unknown key, with the nearest known one', () => {
    const text = 'regoin: x\nnetwork: {mut: 1}\nfrobnicate: 1\nlog: loud\n';
    expect(problemsOf(() => load({ [FILE]: text }))).toEqual([
      `${FILE}: unknown key regoin; did you mean region?`,
      `${FILE}: unknown key network.mut; did you mean network.mtu?`,
      `${FILE}: unknown key frobnicate; novactl config show lists all keys`,
      `${FILE}: log must be a mapping`,
    ]);
  });

  it('every bad value at once, each with its origin and what is allowed', () => {
    const lines = problemsOf(() =>
      load(
        { [FILE]: 'network: {fixedRange: 10.0.0.1/8, dns: [one]}' },
        { env: { NOVACTL_METADATA_PORT: 'many' }, flags: { drivers: 'fake' } },
      ),
    );
    expect(lines).toEqual([
      `network.fixedRange must be an IPv4 network with a prefix of 8 to 28 and no host bits, like 10.200.0.0/13, not "10.0.0.1/8" (file ${FILE})`,
      `network.dns must be an IPv4 address, not ["one"] (file ${FILE})`,
      'metadata.port must be a whole number, 1 to 65535, not "many" (environment NOVACTL_METADATA_PORT)',
      'drivers must be real or simulated, not "fake" (flag --set)',
    ]);
  });

  it('a subnet that is larger than the range it is cut from', () => {
    const text = 'network: {fixedRange: 10.1.0.0/24, subnetPrefix: 22}';
    expect(problemsOf(() => load({ [FILE]: text }))).toEqual([
      `network.subnetPrefix must be larger than the prefix of network.fixedRange (24), not 22 (file ${FILE})`,
    ]);
  });

  it('what is not YAML, by line', () => {
    expect(problemsOf(() => load({ [FILE]: 'a: [1\nb: 2' }))[0]).toMatch(/novactl\.yaml: .* at line 2/);
    expect(problemsOf(() => load({ [FILE]: '- 1' }))).toEqual([`${FILE}: must be a mapping of keys to values`]);
  });
});

describe('text of variables', () => {
  it('becomes numbers and lists', () => {
    const env = { NOVACTL_NETWORK_DNS: '10.0.0.1, 10.0.0.2', NOVACTL_SCHEDULER_CPU_ALLOCATION_RATIO: '1.5' };
    const { config } = load({}, { env });
    expect(config.network.dns).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(config.scheduler.cpuAllocationRatio).toBe(1.5);
  });

  it('warns of a variable that sets nothing', () => {
    expect(load({}, { env: { NOVACTL_NETWROK_MTU: '1', NOVACTL_NODE: '/node' } }).warnings).toEqual([
      'environment NOVACTL_NETWROK_MTU sets nothing; did you mean NOVACTL_NETWORK_MTU?',
    ]);
  });
});
