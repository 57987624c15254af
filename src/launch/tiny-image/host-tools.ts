import { access, constants } from 'node:fs/promises';
import { CloudError } from '../../base/errors.ts';
import type { HostShell } from '../../ports/host-shell.ts';

/** Debian's name of this machine's processor, and EC2's. */
export const DEBIAN_ARCH: Readonly<Record<string, { debian: 'amd64' | 'arm64'; ec2: 'x86_64' | 'arm64' }>> = {
  x64: { debian: 'amd64', ec2: 'x86_64' },
  arm64: { debian: 'arm64', ec2: 'arm64' },
};

/** What the image is made of or with: file or program, and the Debian package that has it. */
const NEEDED: readonly { readonly find: readonly string[]; readonly package: string }[] = [
  { find: ['/bin/busybox', '/usr/bin/busybox'], package: 'busybox-static' },
  { find: ['/usr/sbin/dropbear'], package: 'dropbear-bin' },
  { find: ['/usr/bin/dropbearkey'], package: 'dropbear-bin' },
  { find: ['/sbin/depmod', '/usr/sbin/depmod'], package: 'kmod' },
  { find: ['/usr/bin/qemu-img'], package: 'qemu-utils' },
  { find: ['/sbin/mke2fs', '/usr/sbin/mke2fs'], package: 'e2fsprogs' },
  { find: ['/usr/bin/apt-get'], package: 'apt' },
  { find: ['/usr/bin/dpkg-deb'], package: 'dpkg' },
  { find: ['/usr/bin/ldd'], package: 'libc-bin' },
];

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Runs a program that must succeed; 'HostError' with its own words otherwise. */
export async function runTool(
  shell: HostShell,
  argv: readonly string[],
  options: { signal?: AbortSignal | undefined; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<string> {
  const { signal, ...rest } = options;
  const result = await shell.exec(argv, { ...rest, ...(signal === undefined ? {} : { signal }) });
  if (result.exitCode === 0) return result.stdout;
  const said = result.stderr.trim().slice(-1500);
  throw new CloudError('HostError', `${argv.join(' ')} failed (exit code ${result.exitCode}): ${said}`, {
    details: { argv: [...argv], exitCode: result.exitCode },
  });
}

/** All packages that are missing are named at once: CloudError 'UnsupportedOperation'. */
export async function requireTools(
  shell: HostShell,
  exists: (path: string) => Promise<boolean> = isProgram,
): Promise<{ busybox: string }> {
  const firstOf = async (paths: readonly string[]): Promise<string | undefined> => {
    for (const path of paths) if (await exists(path)) return path;
    return undefined;
  };
  const found = await Promise.all(NEEDED.map(({ find }) => firstOf(find)));
  const missing = new Set(NEEDED.filter((_, index) => found[index] === undefined).map((tool) => tool.package));
  const busybox = found[0] ?? '';
  // The package busybox has the same file, but one that needs libraries that the guest has not.
  if (busybox !== '' && (await shell.exec(['ldd', busybox])).exitCode === 0) missing.add('busybox-static');
  if (missing.size > 0) {
    const names = [...missing].sort().join(' ');
    throw new CloudError(
      'UnsupportedOperation',
      `the tiny image needs packages that are missing here: apt-get install ${names}`,
      {
        details: { packages: [...missing].sort() },
      },
    );
  }
  return { busybox };
}
