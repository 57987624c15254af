import { CloudError } from '../../../base/errors.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import { readText, run } from './run.ts';

const READ = ['cat', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/random/boot_id'];
const set = (value: 0 | 1): string[] => ['sysctl', '-q', '-w', `net.ipv4.ip_forward=${value}`];

/** Reads the two lines that READ prints. */
export function parseForwarding(text: string): { on: boolean; bootId: string } {
  const [value = '', bootId = ''] = text.split('\n');
  if (!/^[01]$/.test(value) || bootId === '') {
    throw new CloudError('HostError', `the kernel's ip_forward reads ${JSON.stringify(value)}; 0 or 1 was expected`);
  }
  return { on: value === '1', bootId };
}

/**
 * The host's ip_forward, and the memory of whether it was us who turned it on. The memory holds for one boot: after the next,
 * the value is again what the administrator configured.
 */
export class Forwarding {
  readonly #shell: HostShell;
  readonly #recordPath: string;

  constructor(shell: HostShell, stateDir: string) {
    this.#shell = shell;
    this.#recordPath = `${stateDir}/ip-forward`;
  }

  async ensureOn(): Promise<void> {
    const { on, bootId } = parseForwarding(await run(this.#shell, READ));
    if (on) return;
    // The memory comes first: a crash between the two must not leave a host that routes for ever.
    await this.#shell.writeFile(this.#recordPath, `${bootId}\n`, { mode: 0o644 });
    await run(this.#shell, set(1));
  }

  /** Turns it off if we turned it on since the host booted. */
  async restore(): Promise<void> {
    const record = await readText(this.#shell, this.#recordPath);
    if (record === undefined) return;
    const { on, bootId } = parseForwarding(await run(this.#shell, READ));
    if (on && record.trim() === bootId) await run(this.#shell, set(0));
    await run(this.#shell, ['rm', '-f', '--', this.#recordPath]);
  }
}
