import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkBackend } from '../../../src/ports/network-backend.ts';
import { until } from '../../support/until.ts';
import { missingForLab, NetLab, type Guest } from './lab.ts';
import { blue, blue1, red, red1, red2 } from './specs.ts';

const missing = missingForLab();

/** Somebody else's table, as nft lists it. */
const THEIRS =
  'table inet theirs {\n\tchain c {\n\t\ttype filter hook forward priority filter; policy accept;\n\t}\n}\n';

/** The same host over its life: begun twice, broken by others, mended, left. The tests go in order and build on each other. */
describe('[real] Linux network: ensure, repair and removal', () => {
  let lab: NetLab;
  let driver: NetworkBackend;
  let web1: Guest;

  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = new NetLab();
    await lab.start();
    driver = lab.driver();
    await lab.serve(lab.outside, NetLab.OUTSIDE, 80);
  });
  afterAll(() => lab?.close());

  const real = (name: string, body: () => Promise<void>): void =>
    it(name, async (ctx) => {
      if (missing !== undefined) ctx.skip(missing);
      await body();
    });
  const rules = (): Promise<string> => lab.must(lab.host, 'nft list ruleset');
  const forwarding = async (): Promise<string> => (await lab.must(lab.host, 'sysctl -n net.ipv4.ip_forward')).trim();
  const serves = async (): Promise<void> => {
    expect(await lab.lease(web1)).toMatchObject({ ip: red1.address });
    expect(await lab.get(web1.ns, `http://${NetLab.OUTSIDE}/`)).toBe(NetLab.UPLINK);
  };

  real('a host without networks has nothing of ours', async () => {
    expect(await driver.inventory()).toEqual({ bridges: [], leases: [] });
    await driver.removeNetwork(red.networkId, red.bridge);
    await driver.removePort(red, red1);
    expect(await rules()).toBe('');
    expect(await forwarding()).toBe('0');
  });

  real('twice is as good as once', async () => {
    await lab.nft(lab.host, THEIRS);
    await driver.ensureNetwork(red);
    await driver.ensureNetwork(blue);
    await driver.ensurePort(red, red1);
    web1 = await lab.plug(red, red1);
    await driver.guardPort(red, red1);
    const before = { rules: await rules(), servers: await lab.servers() };
    expect(before.servers.length).toBe(2);
    // A process that just started knows nothing of what the first one did.
    for (const again of [driver, lab.driver()]) {
      await Promise.all([again.ensureNetwork(red), again.ensureNetwork(blue)]);
      await again.ensurePort(red, red1);
      await again.guardPort(red, red1);
    }
    expect({ rules: await rules(), servers: await lab.servers() }).toEqual(before);
    expect(await forwarding()).toBe('1');
    const [bridge] = JSON.parse(await lab.must(lab.host, `ip -j addr show dev ${red.bridge}`)) as [
      { address: string; mtu: number; addr_info: { local: string }[] },
    ];
    expect(bridge).toMatchObject({ address: red.bridgeMac, mtu: red.mtu });
    expect(bridge.addr_info.map((address) => address.local)).toEqual([red.gateway]);
    await serves();
  });

  real('a new instance gets its lease from the server that was already running', async () => {
    const before = await lab.servers();
    await driver.ensurePort(red, red2);
    const web2 = await lab.plug(red, red2);
    await until(async () => (await lab.lease(web2, 1))?.ip === red2.address, {
      what: 'the second guest has its lease',
    });
    expect(await lab.servers()).toEqual(before);
    expect((await driver.inventory()).leases).toContainEqual({
      bridge: red.bridge,
      mac: red2.mac,
      address: red2.address,
    });
    await driver.removePort(red, red2);
    expect((await driver.inventory()).leases.map((lease) => lease.mac)).toEqual([red1.mac]);
    await lab.unplug(web2);
  });

  real('an address given to a new instance is not kept for the old one', async () => {
    const heir = { ...red2, mac: '02:16:3e:00:02:08', tap: 'nvt00000000008', hostname: 'heir' };
    await driver.ensurePort(red, heir);
    const guest = await lab.plug(red, heir);
    expect(await lab.lease(guest)).toMatchObject({ ip: red2.address, hostname: 'heir' });
    await driver.guardPort(red, heir);
    // The tap goes first, as when its guest stops; what is left of the guard goes with the port.
    await lab.unplug(guest);
    await driver.removePort(red, heir);
    expect(await rules()).not.toContain(heir.tap);
    await serves();
  });

  real('a guest whose MAC is not known gets no answer, and none from a guest that plays DHCP server', async () => {
    const rogueConfig = join(lab.dir, 'udhcpd.conf');
    const leases = join(lab.dir, 'udhcpd.leases');
    writeFileSync(leases, '');
    writeFileSync(
      rogueConfig,
      `start 10.200.3.90\nend 10.200.3.99\ninterface eth0\nlease_file ${leases}\npidfile ${lab.dir}/udhcpd.pid\n`,
    );
    const stranger = { ...red2, mac: '02:16:3e:00:02:07', tap: 'nvt00000000007' };
    const guest = await lab.plug(red, stranger);
    expect(await lab.lease(guest, 1)).toBeUndefined();
    const rogue = lab.spawn(web1.ns, ['busybox', 'udhcpd', '-f', '-a', '100', rogueConfig]);
    expect(await lab.lease(guest, 2)).toBeUndefined();
    // Without its guard it would be believed.
    await lab.must(lab.host, `nft delete chain netdev novactl port_${red1.tap}`);
    await until(async () => (await lab.lease(guest, 1))?.ip?.startsWith('10.200.3.9'), {
      what: 'the rogue server answers',
    });
    await driver.guardPort(red, red1);
    rogue.kill('SIGKILL');
    await lab.unplug(guest);
  });

  real('a flushed table is mended by the next ensure', async () => {
    const before = await rules();
    await lab.must(lab.host, 'nft flush ruleset');
    expect(await lab.get(web1.ns, `http://${NetLab.OUTSIDE}/`, 1)).toBeUndefined();
    await driver.ensureNetwork(red);
    await driver.guardPort(red, red1);
    await serves();
    await driver.ensureNetwork(blue);
    await lab.nft(lab.host, THEIRS);
    const sorted = (text: string): string[] => text.split('\n').sort();
    expect(sorted(await rules())).toEqual(sorted(before));
  });

  real('a killed DHCP server comes back, with ensureNetwork and with ensurePort', async () => {
    const mend: (() => Promise<void>)[] = [() => driver.ensureNetwork(red), () => driver.ensurePort(red, red1)];
    for (const ensure of mend) {
      const [pid = 0] = await lab.servers(red.bridge);
      process.kill(pid, 'SIGKILL');
      await until(async () => (await lab.servers(red.bridge)).length === 0, { what: 'dnsmasq is dead' });
      await ensure();
      await serves();
    }
  });

  real('a pid file that names a stranger hurts nobody, and the server it should name is found', async () => {
    const pidFile = join(lab.runDir, `net-${red.bridge}`, 'dnsmasq.pid');
    const stranger = lab.spawn(lab.host, ['sleep', '600']);
    const [old] = await lab.servers(red.bridge);
    writeFileSync(pidFile, `${stranger.pid}\n`);
    await driver.ensureNetwork(red);
    const after = await lab.servers(red.bridge);
    expect(after.length).toBe(1);
    expect(after).not.toContain(old);
    expect(readFileSync(pidFile, 'utf8').trim()).toBe(String(after[0]));
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill('SIGKILL');
    await serves();
  });

  real('a bridge that somebody deleted stands again, and its DHCP server answers on it', async () => {
    await lab.must(lab.host, `ip link del ${red.bridge}`);
    await driver.ensureNetwork(red);
    await lab.must(lab.host, `ip link set ${red1.tap} master ${red.bridge}`);
    await serves();
  });

  real('a changed network is served as changed, and its other server is left alone', async () => {
    const other = await lab.servers(blue.bridge);
    const changed = { ...red, mtu: 1400, domain: 'other.example', dns: [] };
    await driver.ensureNetwork(changed);
    expect(await lab.lease(web1)).toMatchObject({ mtu: '1400', domain: 'other.example' });
    expect(await lab.servers(blue.bridge)).toEqual(other);
    expect(readdirSync(join(lab.runDir, `net-${red.bridge}`)).length).toBe(2);
    await driver.ensureNetwork(red);
  });

  real('a bridge with a guest or of another network is not removed', async () => {
    await expect(driver.removeNetwork(red.networkId, red.bridge)).rejects.toMatchObject({ code: 'Busy' });
    await expect(driver.removeNetwork(blue.networkId, red.bridge)).rejects.toMatchObject({ code: 'Conflict' });
    await expect(driver.ensureNetwork({ ...blue, bridge: red.bridge })).rejects.toMatchObject({ code: 'Conflict' });
    await serves();
  });

  real('removing one network leaves the other as it was', async () => {
    await driver.ensurePort(blue, blue1);
    const db1 = await lab.plug(blue, blue1);
    await driver.guardPort(blue, blue1);
    await lab.unplug(db1);
    await driver.removePort(blue, blue1);
    await driver.removeNetwork(blue.networkId, blue.bridge);
    await driver.removeNetwork(blue.networkId, blue.bridge);
    expect(await rules()).not.toContain(blue.bridge);
    expect((await driver.inventory()).bridges).toEqual([red.bridge]);
    await serves();
  });

  real('the last network leaves nothing behind', async () => {
    await lab.unplug(web1);
    await driver.removePort(red, red1);
    await driver.removeNetwork(red.networkId, red.bridge);
    expect(await lab.servers()).toEqual([]);
    expect(await rules()).toBe(THEIRS);
    expect(await lab.must(lab.host, 'ip -j link show type bridge')).toBe('[]\n');
    expect(await forwarding()).toBe('0');
    expect([existsSync(lab.stateDir), existsSync(lab.runDir)]).toEqual([false, false]);
    await driver.removePort(red, red1);
    expect(await rules()).not.toContain('novactl');
  });

  real('ip_forward that was on before stays on', async () => {
    await lab.must(lab.host, 'sysctl -q -w net.ipv4.ip_forward=1');
    await driver.ensurePort(blue, blue1);
    expect((await driver.inventory()).leases).toEqual([
      { bridge: blue.bridge, mac: blue1.mac, address: blue1.address },
    ]);
    await driver.removeNetwork(blue.networkId, blue.bridge);
    expect(await forwarding()).toBe('1');
    expect(await lab.servers()).toEqual([]);
  });

  real('the DHCP server outlives the shell that started it', async () => {
    const shell = lab.hostShell();
    await lab.driver(shell).ensureNetwork(red);
    await shell.close();
    const [pid = 0] = await lab.servers(red.bridge);
    expect(() => process.kill(pid, 0)).not.toThrow();
    await driver.removeNetwork(red.networkId, red.bridge);
    expect(await lab.servers()).toEqual([]);
  });
});
