import { text } from 'node:stream/consumers';
import { createLocalShell } from '../../src/adapters/host-shell/local-shell.ts';
import type { SshTarget } from '../../src/adapters/host-shell/ssh-target.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { ClaimWish } from '../../src/ports/host-claim.ts';
import { shellOwner } from './claim-owner.ts';
import { sshShellTo } from './ssh-subject.ts';

/** What the process below is told on its standard input, as JSON. */
export interface HolderOrder {
  readonly baseDir: string;
  readonly wish: ClaimWish;
  /** Absent: this machine. */
  readonly target?: SshTarget | undefined;
  /** A long command. */
  readonly argv: readonly string[];
}

// A process of a cloud, made to be killed: it claims a host, starts a command there, and says how that ended if it lives so long.
if (import.meta.main) {
  const { baseDir, wish, target, argv } = JSON.parse(await text(process.stdin)) as HolderOrder;
  const parts = { clock: new SystemClock(), random: new SystemRandom() };
  const owner = shellOwner(target === undefined ? createLocalShell(parts) : sshShellTo(target), baseDir);
  await owner.claim.take(wish);
  await owner.shell.exec(argv, { timeoutMs: 600_000 });
}
