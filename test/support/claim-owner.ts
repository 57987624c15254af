import type { Clock } from '../../src/base/clock.ts';
import { SystemClock } from '../../src/base/clock.ts';
import type { HostShell } from '../../src/ports/host-shell.ts';
import { ShellClaim } from '../../src/workers/drivers/host-claim/shell-claim.ts';
import type { ClaimOwner } from '../contract/host-claim.ts';

/** A process of a cloud on a real host, with the shell that its drivers would get. */
export interface ShellOwner extends ClaimOwner {
  readonly claim: ShellClaim;
  readonly shell: HostShell;
}

export function shellOwner(raw: HostShell, baseDir: string, clock: Clock = new SystemClock()): ShellOwner {
  const claim = new ShellClaim({ shell: raw, clock, baseDir, overSsh: raw.forwardIn !== undefined });
  const { shell } = claim;
  return { claim, shell, change: () => shell.writeFile(`${baseDir}/changed`, 'x') };
}
