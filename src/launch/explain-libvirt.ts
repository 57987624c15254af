import { CloudError, isCode } from '../base/errors.ts';
import type { HostShell } from '../ports/host-shell.ts';
import { libvirtSocketCandidates } from '../workers/drivers/libvirt/libvirt-hypervisor.ts';

/** How the sockets of libvirt look to `ls -ld` (run by sudo where the host says so): one line for each that is there. */
export interface SocketsSeen {
  readonly lines: readonly string[];
}

const INSTALL = 'apt-get install libvirt-daemon-system qemu-system-x86, then: systemctl start libvirtd';

/** What to type on the host, so that its user gets into libvirt. sudo is of no help with a socket: the SSH server opens it as the user. */
export const joinLibvirt = (user: string): string => `usermod -aG libvirt ${user}`;

/** Where no polkit is, the socket's own rights say who may. */
const withoutPolkit = (user: string): string =>
  `printf 'auth_unix_rw = "none"\\nunix_sock_group = "libvirt"\\nunix_sock_rw_perms = "0770"\\n' >> /etc/libvirt/libvirtd.conf && ${joinLibvirt(user)} && systemctl restart libvirtd`;

const START = 'systemctl start libvirtd (or virtqemud.socket)';

export async function libvirtSockets(shell: HostShell): Promise<SocketsSeen> {
  const { stdout } = await shell.exec(['ls', '-ld', ...libvirtSocketCandidates]);
  return { lines: stdout.split('\n').filter((line) => line.startsWith('s')) };
}

/** The error of a libvirt that does not let us in, or that is not there, with the command that mends it; others as they are. */
export function explainLibvirt(error: unknown, user: string | undefined, seen: SocketsSeen): unknown {
  const [line] = seen.lines;
  if (isCode(error, 'OperationNotPermitted') && user !== undefined) {
    const mend = error.details?.['polkit'] === 'absent' ? withoutPolkit(user) : joinLibvirt(user);
    return new CloudError(
      'OperationNotPermitted',
      `libvirt does not let ${user} in; on the host, as root: ${mend} (it holds from the next login on)`,
      { cause: error, details: { ...error.details, mend } },
    );
  }
  if (!isCode(error, 'Unavailable') || error.details?.['reason'] !== undefined) return error;
  if (line === undefined) {
    return new CloudError(
      'Unavailable',
      `libvirt has no socket (${libvirtSocketCandidates.join(', ')}) there: ${INSTALL}`,
      { cause: error, details: { ...error.details, mend: INSTALL } },
    );
  }
  if (user !== undefined && user !== 'root') {
    return new CloudError(
      'OperationNotPermitted',
      `${user} can not open libvirt's socket (${line.split(/\s+/).slice(0, 4).join(' ')}), and sudo is of no help there; on the host, as root: ${joinLibvirt(user)}`,
      { cause: error, details: { mend: joinLibvirt(user) } },
    );
  }
  return new CloudError(
    'Unavailable',
    `nobody answers at libvirt's socket: ${START}; or does sshd of the host say AllowStreamLocalForwarding no (yes or local is needed)?`,
    { cause: error, details: { ...error.details, mend: START } },
  );
}
