import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { DomainSpec, Hypervisor, HypervisorEvent } from '../../../src/ports/hypervisor.ts';
import { renderDomainXml } from '../../../src/workers/drivers/libvirt/domain-xml.ts';
import { libvirtCode } from '../../../src/workers/drivers/libvirt/libvirt-errors.ts';
import { openSession } from '../../../src/workers/drivers/libvirt/open-session.ts';
import { byUuid, PROCEDURES } from '../../../src/workers/drivers/libvirt/procedures.ts';
import { RpcConnection } from '../../../src/workers/drivers/libvirt/rpc-connection.ts';
import { dialUnix } from '../../support/dial-unix.ts';
import { hypervisorOn, libvirtdMissing, PrivateLibvirtd } from '../../support/private-libvirtd.ts';
import { writeStillImage } from '../../support/still-image.ts';
import { until } from '../../support/until.ts';
import { DOMAIN_XML_CASES } from '../../unit/workers/drivers/libvirt/domain-xml-cases.ts';
import { detailsOf, giveToQemu, guestDir, kernelGuest, stillGuest } from './guests.ts';

const missing = libvirtdMissing();
let daemon: PrivateLibvirtd;
let hypervisor: Hypervisor;
const events: HypervisorEvent[] = [];

beforeAll(async () => {
  if (missing !== undefined) return;
  daemon = await PrivateLibvirtd.start();
  hypervisor = hypervisorOn(daemon.socket);
  hypervisor.watch((event) => events.push(event));
}, 120_000);

afterAll(async () => {
  if (missing !== undefined) return;
  await hypervisor.close();
  await daemon.stop();
});

beforeEach((ctx: TestContext) => {
  if (missing !== undefined) ctx.skip(missing);
});

async function remove(spec: DomainSpec): Promise<void> {
  await hypervisor.destroy(spec.uuid);
  await hypervisor.undefine(spec.uuid);
}

describe('a domain on libvirt', () => {
  it(
    '[real] lives from define to undefine, each call twice, with its events in order',
    { timeout: 60_000 },
    async () => {
      const spec = await stillGuest(daemon, 1);
      await hypervisor.define(spec);
      await hypervisor.define({ ...spec, memoryMib: 48 });
      expect(await hypervisor.lookup(spec.uuid)).toEqual({ ...fact(spec), power: 'shutoff', reason: 'unknown' });
      await hypervisor.start(spec.uuid);
      await hypervisor.start(spec.uuid);
      expect(await hypervisor.inventory()).toEqual([{ ...fact(spec), power: 'running' }]);
      await hypervisor.shutdown(spec.uuid);
      expect(await hypervisor.lookup(spec.uuid)).toEqual({ ...fact(spec), power: 'running' });
      await hypervisor.reset(spec.uuid);
      for (const [call, power] of [
        ['suspend', 'paused'],
        ['resume', 'running'],
      ] as const) {
        await hypervisor[call](spec.uuid);
        await hypervisor[call](spec.uuid);
        expect(await hypervisor.lookup(spec.uuid)).toEqual({ ...fact(spec), power });
      }
      await hypervisor.destroy(spec.uuid);
      await hypervisor.destroy(spec.uuid);
      expect(await hypervisor.lookup(spec.uuid)).toEqual({ ...fact(spec), power: 'shutoff', reason: 'destroyed' });
      await hypervisor.undefine(spec.uuid);
      await hypervisor.undefine(spec.uuid);
      expect(await hypervisor.lookup(spec.uuid)).toBeUndefined();
      const seen = (): string[] => detailsOf(events, spec.uuid);
      await until(() => seen().includes('undefined/removed'), { what: 'all events', timeoutMs: 30_000 });
      // libvirt tells QEMU's own word of the end only when it read that before the process was gone.
      expect(seen().filter((detail) => detail !== 'shutdown/host')).toEqual([
        ...['defined/added', 'defined/updated', 'resumed/unpaused', 'started/booted'],
        ...['suspended/paused', 'resumed/unpaused'],
        ...['stopped/destroyed', 'undefined/removed'],
      ]);
      expect(events[0]).toEqual({ kind: 'connected' });
    },
  );

  it(
    '[real] leaves every owner as it was, runs QEMU as its user and logs the console',
    { timeout: 60_000 },
    async () => {
      const { spec, files } = await kernelGuest(daemon, 2);
      const { qemuUid, qemuGid } = await hypervisor.facts();
      const owners = (): number[][] =>
        [files.base, files.kernel, files.overlay].map((path) => [statSync(path).uid, statSync(path).gid]);
      const before = owners();
      expect(before).toEqual([
        [0, 0],
        [0, 0],
        [qemuUid, qemuGid],
      ]);
      await hypervisor.define(spec);
      await hypervisor.start(spec.uuid);
      expect(owners()).toEqual(before);
      expect(statSync(`/proc/${daemon.qemuPid(spec.name) ?? 0}`).uid).toBe(qemuUid);
      await until(() => readFileSync(files.console, 'utf8') === 'STILL\n', {
        what: 'the console log',
        timeoutMs: 30_000,
      });
      expect(statSync(files.console).mode & 0o777).toBe(0o600);
      await hypervisor.destroy(spec.uuid);
      expect(owners()).toEqual(before);
      await hypervisor.start(spec.uuid);
      await until(() => readFileSync(files.console, 'utf8') === 'STILL\nSTILL\n', { what: 'the log goes on' });
      await remove(spec);
    },
  );

  it('[real] keeps our metadata in what libvirt stores', async () => {
    const spec = await stillGuest(daemon, 3);
    await hypervisor.define(spec);
    const stored = readFileSync(join(daemon.dir, 'etc', 'qemu', `${spec.name}.xml`), 'utf8');
    expect(stored).toContain(`cloud="cloud-00000000000000001" id="${spec.name}" generation="1"/>`);
    await hypervisor.undefine(spec.uuid);
  });

  it('[real] with many SCSI disks has them all on its one virtio-scsi controller', { timeout: 60_000 }, async () => {
    const spec = await stillGuest(daemon, 7);
    const more = Array.from({ length: 20 }, (_, index) => ({
      source: { kind: 'file', path: join(guestDir(daemon), `volume-${index}.raw`) } as const,
      ...({ format: 'raw', bus: 'scsi', cache: 'none' } as const),
      target: `sd${String.fromCharCode(97 + index)}`,
      serial: `vol${String(index).padStart(17, '0')}`,
    }));
    for (const disk of more) {
      writeStillImage(disk.source.path, 0o600);
      // QEMU refuses a raw disk that does not end at a block of its file system, and some have blocks of 4 KiB.
      truncateSync(disk.source.path, 4096);
      await giveToQemu(daemon, disk.source.path);
    }
    await hypervisor.define({ ...spec, disks: [...spec.disks, ...more] });
    const stored = readFileSync(join(daemon.dir, 'etc', 'qemu', `${spec.name}.xml`), 'utf8');
    expect(stored.match(/<controller type='scsi'[^>]*>/g)).toEqual([
      `<controller type='scsi' index='0' model='virtio-scsi'>`,
    ]);
    await hypervisor.start(spec.uuid);
    await remove(spec);
  });

  it('[real] is refused with the other one named when name or uuid is taken', async () => {
    const spec = await stillGuest(daemon, 4);
    const other = '00000000-0000-5000-8000-00000000ffff';
    await hypervisor.define(spec);
    const clash = { code: 'AlreadyExists', details: { name: spec.name, uuid: spec.uuid } };
    await expect(hypervisor.define({ ...spec, uuid: other })).rejects.toMatchObject(clash);
    await expect(hypervisor.define({ ...spec, name: 'i-other' })).rejects.toMatchObject(clash);
    await hypervisor.undefine(spec.uuid);
    await expect(hypervisor.start(spec.uuid)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(hypervisor.destroy(spec.uuid)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('[real] that can not start says why in QEMU’s words', { timeout: 60_000 }, async () => {
    const spec = await stillGuest(daemon, 5);
    const path = spec.disks[0]?.source.path ?? '';
    execFileSync('chown', ['0:0', path]);
    await hypervisor.define(spec);
    const error = { code: 'HypervisorError', message: expect.stringContaining('Permission denied') as string };
    await expect(hypervisor.start(spec.uuid)).rejects.toMatchObject(error);
    await giveToQemu(daemon, path);
    await hypervisor.start(spec.uuid);
    await remove(spec);
  });

  it('[real] gets its tap put into the bridge, and taken away with it', { timeout: 60_000 }, async () => {
    const bridge = `nvbt${process.pid % 100_000}`;
    const tap = `nvtt${process.pid % 100_000}`;
    execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge']);
    try {
      const spec = { ...(await stillGuest(daemon, 6)), nics: [{ mac: '02:00:00:00:00:06', bridge, tap, mtu: 1400 }] };
      await hypervisor.define(spec);
      await hypervisor.start(spec.uuid);
      expect(existsSync(`/sys/class/net/${bridge}/brif/${tap}`)).toBe(true);
      expect(readFileSync(`/sys/class/net/${tap}/mtu`, 'utf8').trim()).toBe('1400');
      await remove(spec);
      await until(() => !existsSync(`/sys/class/net/${tap}`), { what: 'the tap is gone' });
    } finally {
      execFileSync('ip', ['link', 'del', bridge]);
    }
  });

  it('[real] 20 of them start side by side, and one call sees them all', { timeout: 120_000 }, async () => {
    const specs = await Promise.all(Array.from({ length: 20 }, (_, index) => stillGuest(daemon, 100 + index)));
    await Promise.all(specs.map((spec) => hypervisor.define(spec)));
    await Promise.all(specs.map((spec) => hypervisor.start(spec.uuid)));
    const seen = await hypervisor.inventory();
    expect(seen.map((one) => one.uuid).sort()).toEqual(specs.map((spec) => spec.uuid).sort());
    expect(new Set(seen.map((one) => one.power))).toEqual(new Set(['running']));
    await Promise.all(specs.map((spec) => remove(spec)));
    expect(await hypervisor.inventory()).toEqual([]);
  });
});

describe('rendered XML', () => {
  const VALIDATE = 1;
  const cases = Object.entries(DOMAIN_XML_CASES);

  /** Defines with the schema checked; undefined, or the virErrorNumber of the refusal. */
  async function validate(spec: DomainSpec): Promise<number | undefined> {
    const rpc = new RpcConnection({
      stream: await dialUnix(daemon.socket)(),
      clock: new SystemClock(),
      logger: silentLogger,
      onLifecycle: () => undefined,
      onLost: () => undefined,
    });
    try {
      await openSession(rpc, { events: false });
      const xml = renderDomainXml(spec);
      const { dom } = await rpc.call(PROCEDURES.defineXml, { xml, flags: VALIDATE }, 60_000);
      await rpc.call(PROCEDURES.undefine, { dom: byUuid(dom.uuid), flags: 0 }, 60_000);
      return undefined;
    } catch (error) {
      return libvirtCode(error) ?? -1;
    } finally {
      rpc.close();
    }
  }

  it.each(cases)('[real] of %s satisfies libvirt’s schema', async (_name, spec) => {
    // The schema is checked first. What kvm asks for can then not be had, where it is hidden: 67, CONFIG_UNSUPPORTED.
    expect(await validate(spec)).toBe(spec.virtType === 'kvm' ? 67 : undefined);
  });

  it('[real] that breaks the schema is told so: the check above is one', async () => {
    const spec = DOMAIN_XML_CASES['disk-boot-qemu'];
    if (spec === undefined) expect.unreachable('no such case');
    // 92: XML_INVALID_SCHEMA.
    expect(await validate({ ...spec, memoryMib: -1 })).toBe(92);
  });
});

function fact(spec: DomainSpec): { name: string; uuid: string } {
  return { name: spec.name, uuid: spec.uuid };
}
