import { humanDuration } from '../../../base/units.ts';
import { fail, ok, warn, type Verdict } from './verdict.ts';

const CLOCK = { warnMs: 2000, failMs: 60_000 } as const;

export const CLOCK_ARGV: readonly string[] = ['date', '+%s.%N'];

/** `stdout` of `date +%s.%N`, asked for between two moments of ours. The way there and back is not counted against the host. */
export function judgeClock(stdout: string, beforeMs: number, afterMs: number): Verdict {
  const theirs = Number(stdout.trim()) * 1000;
  if (!Number.isFinite(theirs) || stdout.trim() === '') return fail('date does not say what time it is there', 'date');
  const off = theirs < beforeMs ? theirs - beforeMs : Math.max(0, theirs - afterMs);
  const amount = Math.abs(off);
  if (amount < CLOCK.warnMs) return ok(`its clock is right within ${humanDuration(CLOCK.warnMs)}`);
  const seen = `its clock is ${humanDuration(amount)} ${off < 0 ? 'behind' : 'ahead of'} ours`;
  const mend = 'apt-get install chrony, or: timedatectl set-ntp true';
  return amount < CLOCK.failMs ? warn(seen, mend) : fail(seen, mend);
}

export const claimArgv = (hostDir: string): string[] => ['cat', `${hostDir}/claim/claim.json`];

/** Reads the claim that a cloud leaves on its hosts; `exitCode` is cat's. */
export function judgeClaim(result: { exitCode: number; stdout: string }, hostDir: string, cloudId: string): Verdict {
  if (result.exitCode !== 0) return ok('no cloud has it');
  const [, owner] = /"cloudId":"([A-Za-z0-9_.-]+)"/.exec(result.stdout) ?? [];
  if (owner === cloudId) return ok('this cloud has it');
  return fail(
    owner === undefined ? `${hostDir}/claim/claim.json can not be read` : `it is a host of another cloud, ${owner}`,
    `remove the host from that cloud first; if that cloud is gone: rm -r ${hostDir}/claim`,
  );
}

/** `id -u` of what our commands run as. */
export function judgeRoot(stdout: string, who: { user: string; sudo: boolean }): Verdict {
  if (stdout.trim() === '0') return ok(who.sudo ? `${who.user} becomes root by sudo -n` : `${who.user} is root`);
  const rule = `echo '${who.user} ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/novactl`;
  return fail(`${who.user} is not root there`, `on the host: ${rule}; then add the host with --sudo`);
}
