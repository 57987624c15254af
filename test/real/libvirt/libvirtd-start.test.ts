import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { renderDomainXml } from '../../../src/workers/drivers/libvirt/domain-xml.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import { writeStillImage } from '../../support/still-image.ts';
import { stillSpec } from '../../support/still-spec.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '..', '..', '..', 'packaging', 'libvirtd-start');
const missing = libvirtdMissing();
let dir: string;

/** A view of the machine with its own /run and its own folders of libvirt, for the script to start daemons in; it leaves none behind. */
const SANDBOX = `
set -eu
D=$1 SCRIPT=$2
mount -t tmpfs tmpfs /run
mkdir -p "$D/lib/qemu" "$D/log" "$D/etc"
cp -a /etc/libvirt/. "$D/etc/"
rm -rf "$D"/etc/qemu/*.xml "$D"/etc/qemu/autostart "$D"/etc/qemu/networks/autostart
chown --reference=/var/lib/libvirt/qemu "$D/lib/qemu"
mount --bind "$D/lib" /var/lib/libvirt
mount --bind "$D/log" /var/log/libvirt
mount --bind "$D/etc" /etc/libvirt
if [ -e "$D/kvm" ]; then mount --bind "$D/kvm" /dev/kvm; fi
trap 'for p in /run/libvirt/qemu/*.pid /run/libvirtd.pid /run/virtlogd.pid; do [ -e "$p" ] && kill -9 "$(cat "$p")" 2>/dev/null; done; true' EXIT
`;

async function inSandbox(steps: string): Promise<string[]> {
  const script = `${SANDBOX}\n${steps}`;
  const argv = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', dir, SCRIPT];
  const { stdout } = await run('unshare', argv, { timeout: 120_000 });
  return stdout.trim().split('\n');
}

const VIRSH = 'virsh -q -c qemu:///system';
/** Numbers of processes differ. */
const plain = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/pid \d+/, 'pid N'));

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'nv-start-'));
  chmodSync(dir, 0o711);
  mkdirSync(join(dir, 'files'), { mode: 0o711 });
});

afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

beforeEach((ctx: TestContext) => {
  if (missing !== undefined) ctx.skip(missing);
  if (existsSync('/run/systemd/system')) ctx.skip('process 1 is systemd here: the script would start its units');
});

describe('packaging/libvirtd-start', { timeout: 120_000 }, () => {
  it('[real] starts what is missing, once, and stops what it started', async () => {
    const lines = await inSandbox(`
      "$SCRIPT"; echo --; "$SCRIPT"; echo --
      kill -9 "$(cat /run/libvirtd.pid)"; "$SCRIPT" | grep -v kvm: ; echo --
      "$SCRIPT" --stop; echo --; "$SCRIPT" --stop`);
    const [first, ...rest] = plain(lines).join('\n').split('\n--\n');
    expect(first?.split('\n')).toEqual([
      'virtlogd: started (pid N)',
      expect.stringMatching(/^kvm: /) as string,
      'libvirtd: started (pid N)',
      'libvirt: answers at qemu:///system',
    ]);
    expect(rest).toEqual([
      'libvirt: answers at qemu:///system already, nothing started',
      'virtlogd: runs already (pid N)\nlibvirtd: started (pid N)\nlibvirt: answers at qemu:///system',
      'libvirtd: ended before\nlibvirtd: stopped\nvirtlogd: stopped',
      'libvirt: not started by this script, left alone',
    ]);
  });

  it('[real] hides a /dev/kvm that QEMU could open and that boots no guest, and guests start all the same', async (ctx) => {
    if (!existsSync('/dev/kvm')) ctx.skip('there is no /dev/kvm to hide');
    const probe = execFileSync(SCRIPT, ['--probe-kvm'], { encoding: 'utf8' });
    if (probe.includes('kvm: works')) ctx.skip('KVM works on this machine');
    execFileSync('mknod', ['-m', '666', join(dir, 'kvm'), 'c', '10', '232']);
    const spec = stillSpec(1, join(dir, 'files'));
    const disk = spec.disks[0]?.source.path ?? '';
    writeStillImage(disk, 0o666);
    chmodSync(disk, 0o666);
    writeFileSync(join(dir, 'domain.xml'), renderDomainXml(spec));
    const lines = plain(
      await inSandbox(`
        "$SCRIPT"; echo --
        ${VIRSH} create "$D/domain.xml"; ${VIRSH} domstate ${spec.name}; echo --
        "$SCRIPT" --stop; echo --
        "$SCRIPT" | grep -v kvm: ; ${VIRSH} destroy ${spec.name}; "$SCRIPT" --stop; ls /run/libvirt/qemu`),
    );
    rmSync(join(dir, 'kvm'));
    const text = lines.filter((line) => line !== '').join('\n');
    expect(text).toMatch(/^kvm: does not work \(.*\): hidden from libvirtd, guests run under TCG$/m);
    expect(text).toMatch(/\nrunning\n--\nlibvirtd: stopped\nvirtlogd: kept, 1 guests still write their consoles/);
    expect(text).toMatch(/virtlogd: runs already \(pid N\)\nlibvirtd: started/);
    expect(text).toMatch(/libvirtd: stopped\nvirtlogd: stopped/);
    expect(text).not.toMatch(/\.kvm$/m);
  });

  it('[real] hides one that QEMU’s user may not open, too: libvirt probes QEMU once, not at every define', async (ctx) => {
    if (!existsSync('/dev/kvm')) ctx.skip('there is no /dev/kvm to hide');
    const probe = execFileSync(SCRIPT, ['--probe-kvm'], { encoding: 'utf8' });
    if (probe.includes('kvm: works')) ctx.skip('KVM works on this machine');
    execFileSync('mknod', ['-m', '600', join(dir, 'kvm'), 'c', '10', '232']);
    const spec = stillSpec(2, join(dir, 'files'));
    writeFileSync(join(dir, 'domain.xml'), renderDomainXml(spec));
    const lines = await inSandbox(`
      mount -t tmpfs tmpfs /var/cache/libvirt
      "$SCRIPT"
      ${VIRSH} define "$D/domain.xml"
      first=$(stat -c %Y.%i /var/cache/libvirt/qemu/capabilities/*)
      sleep 1.1
      ${VIRSH} define "$D/domain.xml"
      if [ "$first" = "$(stat -c %Y.%i /var/cache/libvirt/qemu/capabilities/*)" ]; then echo 'probed once'; fi
      ${VIRSH} undefine ${spec.name}
      "$SCRIPT" --stop`);
    rmSync(join(dir, 'kvm'));
    const text = lines.join('\n');
    expect(text).toMatch(/^kvm: does not work \(.*\): hidden from libvirtd/m);
    expect(text).toContain('probed once');
  });

  it('[real] refuses what it does not know with status 2', async () => {
    await expect(run(SCRIPT, ['--restart'])).rejects.toMatchObject({ code: 2, stderr: /^usage: / });
    await expect(run(SCRIPT, ['--stop', '--stop'])).rejects.toMatchObject({ code: 2 });
  });
});
