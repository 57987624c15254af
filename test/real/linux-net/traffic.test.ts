import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkBackend } from '../../../src/ports/network-backend.ts';
import { missingForLab, NetLab, type Guest } from './lab.ts';
import { blue, blue1, red, red1, red2 } from './specs.ts';

const missing = missingForLab();

/** One host with two projects and three guests; the tests go in order and build on each other. */
describe('[real] Linux network: what passes and what does not', () => {
  let lab: NetLab;
  let driver: NetworkBackend;
  let web1: Guest;
  let web2: Guest;
  let db1: Guest;

  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = new NetLab();
    await lab.start();
    driver = lab.driver();
    await Promise.all([driver.ensureNetwork(red), driver.ensureNetwork(blue)]);
    await Promise.all([driver.ensurePort(red, red1), driver.ensurePort(red, red2), driver.ensurePort(blue, blue1)]);
    web1 = await lab.plug(red, red1);
    web2 = await lab.plug(red, red2);
    db1 = await lab.plug(blue, blue1);
    await lab.serve(lab.outside, NetLab.OUTSIDE, 80);
    // Services of the host: its own (8080) and the metadata service (8775), which is on loopback alone.
    await lab.serve(lab.host, '0.0.0.0', 8080);
    await lab.serve(lab.host, '127.0.0.1', 8775);
  });
  afterAll(() => lab?.close());

  const real = (name: string, body: () => Promise<void>): void =>
    it(name, async (ctx) => {
      if (missing !== undefined) ctx.skip(missing);
      await body();
    });

  real('guests take their lease from DHCP, with everything that comes with it', async () => {
    const [first, second, third] = await Promise.all([lab.lease(web1), lab.lease(web2), lab.lease(db1)]);
    expect(first).toMatchObject({
      ip: '10.200.3.5',
      mask: '24',
      router: '10.200.3.1',
      dns: '10.200.3.1',
      mtu: '1450',
      domain: 'novalocal',
      hostname: 'web-1',
      lease: '3600',
      staticroutes: '169.254.169.254/32 10.200.3.1 0.0.0.0/0 10.200.3.1',
    });
    expect(second).toMatchObject({ ip: '10.200.3.6' });
    expect(third).toMatchObject({ ip: '10.200.4.5', mtu: '1500', router: '10.200.4.1' });
  });

  real('before the tap is guarded a guest can take a neighbour address; after, it cannot', async () => {
    await lab.must(web1.ns, 'ip addr add 10.200.3.77/24 dev eth0');
    const asStranger = 'curl -sS --max-time 1 --interface 10.200.3.77 http://198.51.100.1/';
    expect((await lab.exec(web1.ns, asStranger)).exitCode).toBe(0);
    await Promise.all([driver.guardPort(red, red1), driver.guardPort(red, red2), driver.guardPort(blue, blue1)]);
    expect((await lab.exec(web1.ns, asStranger)).exitCode).not.toBe(0);
    await lab.must(web1.ns, 'ip addr del 10.200.3.77/24 dev eth0');
    expect(await lab.pings(web1.ns, red.gateway)).toBe(true);
  });

  real('a guarded guest still renews its lease', async () => {
    expect(await lab.lease(web1)).toMatchObject({ ip: '10.200.3.5' });
  });

  real('the outside is reached by NAT and sees the host', async () => {
    expect(await lab.get(web1.ns, 'http://198.51.100.1/')).toBe(NetLab.UPLINK);
    expect(await lab.get(db1.ns, 'http://198.51.100.1/')).toBe(NetLab.UPLINK);
  });

  real('the outside cannot open a connection to a guest, also when it knows the way', async () => {
    await lab.must(lab.outside, `ip route add 10.200.3.0/24 via ${NetLab.UPLINK}`);
    await lab.serve(web1.ns, '0.0.0.0', 80);
    expect(await lab.silent(lab.outside, 'http://10.200.3.5/')).toBe(true);
    expect(await lab.get(lab.host, 'http://10.200.3.5/')).toBe('10.200.3.1');
    await lab.must(lab.outside, 'ip route del 10.200.3.0/24');
  });

  real('the metadata address leads to the service on loopback, which sees the guest itself', async () => {
    expect(await lab.get(web1.ns, 'http://169.254.169.254/')).toBe('10.200.3.5');
    expect(await lab.get(web2.ns, 'http://169.254.169.254/')).toBe('10.200.3.6');
    // The other project's network has none.
    expect(await lab.silent(db1.ns, 'http://169.254.169.254/')).toBe(true);
  });

  real('a guest reaches DNS and ping on its gateway', async () => {
    expect(await lab.pings(web1.ns, '10.200.3.1')).toBe(true);
    const answer = await lab.must(web1.ns, 'busybox nslookup web-2.novalocal 10.200.3.1');
    expect(answer).toContain('10.200.3.6');
    // A stranger's host file is not read out to guests.
    const host = await lab.exec(web1.ns, 'busybox nslookup localhost.novalocal 10.200.3.1');
    expect(host.stdout).not.toContain('Address: 127.0.0.1');
  });

  real('a guest reaches no other service of its host', async () => {
    const urls = [
      'http://10.200.3.1:8080/',
      'http://198.51.100.2:8080/',
      'http://10.200.4.1:8080/',
      'http://10.200.3.1:8775/',
      'http://169.254.169.254:8775/',
    ];
    expect(await Promise.all(urls.map((url) => lab.silent(web1.ns, url)))).toEqual(urls.map(() => true));
    expect(await lab.pings(web1.ns, '10.200.4.1')).toBe(false);
    expect(await lab.get(lab.host, 'http://10.200.3.1:8080/')).toBe('10.200.3.1');
  });

  real("a guest's packets do not reach its host's loopback, though the kernel would route them", async () => {
    await lab.must(web1.ns, 'sysctl -q -w net.ipv4.conf.all.route_localnet=1');
    await lab.must(web1.ns, 'ip route del local 127.0.0.0/8 dev lo table local');
    await lab.must(web1.ns, 'ip route del local 127.0.0.1 dev lo table local');
    await lab.must(web1.ns, 'ip route add 127.0.0.1 via 10.200.3.1 src 10.200.3.5');
    // Counts what is delivered after our rules had their say.
    await lab.nft(
      lab.host,
      `table ip probe {
         counter seen { }
         chain late { type filter hook input priority 100; iifname "nvb101" ip daddr 127.0.0.1 tcp dport 8775 counter name seen; }
       }`,
    );
    const seen = async (url: string): Promise<number> => {
      await lab.must(lab.host, 'nft reset counter ip probe seen');
      await lab.get(web1.ns, url, 1);
      return Number(/packets (\d+)/.exec(await lab.must(lab.host, 'nft list counter ip probe seen'))?.[1]);
    };
    expect(await seen('http://127.0.0.1:8775/')).toBe(0);
    expect(await seen('http://169.254.169.254/')).toBeGreaterThan(0);
    // Without our rules they would, as would what the other tests here see dropped.
    await lab.serve(db1.ns, '0.0.0.0', 80);
    await lab.must(lab.host, 'nft delete table inet novactl');
    expect(await seen('http://127.0.0.1:8775/')).toBeGreaterThan(0);
    expect(await lab.get(web1.ns, 'http://10.200.3.1:8080/')).toBe('10.200.3.5');
    expect(await lab.get(web1.ns, 'http://10.200.4.5/')).toBe('10.200.3.5');
    await Promise.all([driver.ensureNetwork(red), driver.ensureNetwork(blue)]);
    expect(await seen('http://127.0.0.1:8775/')).toBe(0);
    expect(await lab.get(web1.ns, 'http://169.254.169.254/')).toBe('10.200.3.5');
  });

  real('guests of one project reach each other, guests of two do not', async () => {
    for (const bridgeFilter of ['1', '0']) {
      await lab.exec(lab.host, `sysctl -q -w net.bridge.bridge-nf-call-iptables=${bridgeFilter}`);
      expect(await lab.get(web2.ns, 'http://10.200.3.5/')).toBe('10.200.3.6');
      expect(await lab.silent(web2.ns, 'http://10.200.4.5/')).toBe(true);
      expect(await lab.pings(db1.ns, '10.200.3.5')).toBe(false);
      expect(await lab.get(db1.ns, 'http://198.51.100.1/')).toBe(NetLab.UPLINK);
    }
  });

  real('frames with a false source are dropped', async () => {
    await lab.must(web2.ns, 'ip link set eth0 address 02:16:3e:00:02:99');
    expect(await lab.pings(web2.ns, '10.200.3.1')).toBe(false);
    await lab.must(web2.ns, `ip link set eth0 address ${red2.mac}`);
    // ARP that claims the gateway: the neighbour must not believe it.
    await lab.must(web1.ns, `ip neigh replace 10.200.3.1 lladdr ${red.bridgeMac} dev eth0`);
    await lab.exec(web2.ns, 'busybox arping -c 2 -U -I eth0 -s 10.200.3.1 10.200.3.1');
    expect(await lab.must(web1.ns, 'ip neigh show 10.200.3.1')).toContain(red.bridgeMac);
    expect(await lab.pings(web2.ns, '10.200.3.1')).toBe(true);
  });
});
