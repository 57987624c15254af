import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { falseFrames, honestFrames, markerFrame, MARKER_PORT } from './frames.ts';
import { missingForLab, NetLab, type Guest } from './lab.ts';
import { red, red1, red2 } from './specs.ts';

/** Sends frames, given in hexadecimal, as they are; from one processor, since each has a queue of its own. */
const SEND = [
  'import os,socket,sys',
  'os.sched_setaffinity(0,{min(os.sched_getaffinity(0))})',
  's=socket.socket(17,3);s.bind(("eth0",0))',
  'for frame in sys.argv[1:]: s.send(bytes.fromhex(frame))',
].join('\n');

const missing =
  missingForLab() ?? (spawnSync('python3', ['-c', 'pass']).status === 0 ? undefined : 'needs python3 for raw frames');

const sender = { mac: red1.mac, address: red1.address, peer: red2.address, gateway: red.gateway };
const honest = honestFrames(sender);
const lies = falseFrames(sender);

/** Frame by frame, with a neighbour that counts what arrives. Frames keep their order, so that one that follows tells when to stop. */
describe('[real] Linux network: the guard of a tap', () => {
  let lab: NetLab;
  let web1: Guest;
  let web2: Guest;

  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = new NetLab();
    await lab.start();
    const driver = lab.driver();
    await driver.ensureNetwork(red);
    web1 = await lab.plug(red, red1);
    web2 = await lab.plug(red, red2);
    // What the kernels of guests and host say by themselves would be counted too; the common rules have tests of their own.
    await lab.must(web1.ns, 'sysctl -q -w net.ipv6.conf.all.disable_ipv6=1');
    await lab.must(web2.ns, 'sysctl -q -w net.ipv6.conf.all.disable_ipv6=1');
    await lab.exec(lab.host, 'sysctl -q -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0');
    await lab.nft(
      web2.ns,
      `table netdev watch {
         counter marker { }
         counter seen { }
         chain c {
           type filter hook ingress device "eth0" priority 0;
           udp dport ${MARKER_PORT} counter name marker accept
           ether saddr { ${red1.mac}, 02:16:3e:00:00:99 } counter name seen
         }
       }`,
    );
  });
  afterAll(() => lab?.close());

  const count = async (name: string): Promise<number> =>
    Number(/packets (\d+)/.exec(await lab.must(web2.ns, `nft list counter netdev watch ${name}`))?.[1]);
  /** How many of them come through. */
  const arrivals = async (frames: readonly Buffer[]): Promise<number> => {
    await lab.must(web2.ns, 'nft reset counters netdev');
    const words = [...frames, markerFrame(sender)].map((bytes) => bytes.toString('hex'));
    const { exitCode, stderr } = await lab.argv(web1.ns, ['python3', '-c', SEND, ...words]);
    expect(exitCode, stderr).toBe(0);
    await until(async () => (await count('marker')) === 1, { what: 'the good frame that follows arrives' });
    return count('seen');
  };

  const real = (name: string, body: () => Promise<void>): void =>
    it(name, { timeout: 60_000 }, async (ctx) => {
      if (missing !== undefined) ctx.skip(missing);
      await body();
    });
  /** The names of those that come through: all at once, and one by one only when it was some. */
  const passed = async (frames: Record<string, Buffer>): Promise<string[]> => {
    const together = await arrivals(Object.values(frames));
    if (together === 0) return [];
    if (together === Object.keys(frames).length) return Object.keys(frames);
    const names: string[] = [];
    for (const [name, frame] of Object.entries(frames)) if ((await arrivals([frame])) === 1) names.push(name);
    return names;
  };

  real('without it everything passes', async () => {
    expect(await passed({ ...honest, ...lies })).toEqual([...Object.keys(honest), ...Object.keys(lies)]);
  });

  real('with it a guest says what is true and nothing else', async () => {
    await lab.driver().guardPort(red, red1);
    expect(await passed(honest)).toEqual(Object.keys(honest));
    expect(await passed(lies)).toEqual([]);
  });
});
