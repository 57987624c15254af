import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureLibvirtd } from '../support/libvirtd.ts';
import type { InstanceRow } from '../support/test-cloud.ts';
import { run, TestCloud } from '../support/test-cloud.ts';
import { until } from '../support/until.ts';
import type { Bench } from './bench-row.ts';
import { benchRow } from './bench-row.ts';
import { median } from './spread.ts';

const PAIRS = 7;
const URI = ['-q', '-c', 'qemu:///system'];
/** The kernel's own first line on the serial console. */
const FIRST_LINE = 'Linux version';

async function firstKernelLine(path: string): Promise<void> {
  await until(() => existsSync(path) && readFileSync(path, 'latin1').includes(FIRST_LINE), {
    what: `${path} has the kernel's first line`,
    timeoutMs: 60_000,
    everyMs: 2,
  });
}

/** Milliseconds from the command to the guest's first kernel line; the instance stays. */
async function byNovactl(cloud: TestCloud): Promise<{ ms: number; id: string }> {
  const began = performance.now();
  const answer = await cloud.json<{ instances: InstanceRow[] }>('run-instance', '--image', 'loud', '--type', 'm1.nano');
  const id = answer.instances[0]?.instanceId ?? '';
  await firstKernelLine(join(cloud.dir, 'host', 'instances', id, 'console.log'));
  return { ms: performance.now() - began, id };
}

/** The same domain (its own XML with other names, an overlay that is there already) by virsh alone. */
async function byVirsh(cloud: TestCloud, id: string, turn: number): Promise<number> {
  const folder = join(cloud.dir, 'host', 'instances', id);
  const disk = join(folder, 'bare.qcow2');
  const log = join(folder, 'bare.log');
  const name = `bare-${turn}`;
  const { stdout } = await run('virsh', [...URI, 'dumpxml', '--inactive', id]);
  const xml = stdout
    .replaceAll(id, (text, at: number) => (stdout.slice(at - 6, at) === '<name>' ? name : text))
    .replace(/<uuid>[^<]*<\/uuid>\s*/, '')
    .replace(/<metadata>.*?<\/metadata>/s, '')
    .replace('disk.qcow2', 'bare.qcow2')
    .replaceAll('console.log', 'bare.log')
    .replace(/<target dev='nvt[^']*'\/>/, "<target dev='nvtbare'/>")
    .replace(/<mac address='[^']*'\/>/, "<mac address='02:16:3e:00:00:01'/>");
  const file = join(cloud.dir, 'bare.xml');
  writeFileSync(file, xml);
  await run('cp', ['--preserve=all', join(folder, 'disk.qcow2'), disk]);
  const began = performance.now();
  const { code, stderr } = await run('sh', [
    '-c',
    `virsh -q -c qemu:///system define ${file} && virsh -q -c qemu:///system start ${name}`,
  ]);
  if (code !== 0) throw new Error(`virsh: ${stderr}`);
  await firstKernelLine(log);
  const ms = performance.now() - began;
  await run('virsh', [...URI, 'destroy', name]);
  await run('virsh', [...URI, 'undefine', name]);
  rmSync(log, { force: true });
  return ms;
}

/** run-instance to the first kernel line over bare virsh define + start of the same domain, in pairs. */
export const bench: Bench = async ({ progress }) => {
  await ensureLibvirtd();
  const cloud = new TestCloud();
  try {
    await cloud.start();
    await cloud.ok('host', 'add', 'here', '--local');
    await cloud.ok('image', 'build-tiny');
    // The same kernel, ramdisk and disk, but with the kernel's own messages on the console.
    const tiny = await cloud.json<{ images: { name: string; sha256: string }[] }>('image', 'list');
    if (!tiny.images.some((image) => image.name === 'tiny')) throw new Error('no tiny image');
    const disk = join(cloud.dir, 'blank.raw');
    writeFileSync(disk, Buffer.alloc(1024 * 1024));
    await cloud.ok(
      ...['image', 'import', disk, '--name', 'loud', '--kernel', 'tiny-kernel', '--ramdisk', 'tiny-ramdisk'],
      ...['--kernel-args', 'console=ttyS0 earlyprintk=serial'],
    );
    const ours: number[] = [];
    const bare: number[] = [];
    // A first instance stays, so that the network is there, as it is on a host that is in use.
    await byNovactl(cloud);
    for (let turn = 0; turn < PAIRS; turn += 1) {
      const { ms, id } = await byNovactl(cloud);
      await cloud.ok('instance', 'stop', '--force', '--wait', id);
      const alone = await byVirsh(cloud, id, turn);
      ours.push(ms);
      bare.push(alone);
      progress(`pair ${turn + 1}: ${ms.toFixed(0)} ms, by virsh ${alone.toFixed(0)} ms`);
      await cloud.ok('instance', 'terminate', '--yes', '--wait', id);
    }
    return [
      benchRow({
        name: 'boot.first-kernel-line',
        value: median(ours),
        unit: 'ms',
        baseline: median(bare),
        goal: { of: 'ratio', atMost: 1.15 },
        note: `median of ${PAIRS} pairs; baseline: virsh define && virsh start of the same domain, its disk made before`,
      }),
    ];
  } finally {
    await cloud.destroy();
  }
};
