import { CloudError } from '../../base/errors.ts';
import { quoteWord } from '../../base/shell-quote.ts';
import { GUARD_VARIABLE, type ExecResult, type ShellGuard } from '../../ports/host-shell.ts';

/** Exit code of a command that the host refused; only together with the words is it no exit code of the command itself. */
const REFUSED = 113;
const REFUSED_WORDS = 'novactl: another owner claimed this host:';

/**
 * Steps before a command, in the shell that becomes it: the lock, shared, stays open in descriptor 9 for as long as the command (or what it leaves
 * running) has it. First the lock, then the look: a new owner writes its claim first and then waits for the lock, so that a command which saw the old
 * claim is waited for, and one which comes later sees the new one. All but flock are builtins: one short process.
 */
export function guardLines(guard: ShellGuard | undefined): string[] {
  if (guard === undefined) return [];
  const lock = quoteWord(guard.lockPath);
  return [
    `export ${GUARD_VARIABLE}=${quoteWord(guard.tag)}`,
    'nv_c=',
    `[ -r ${lock} ] && exec 9<${lock} && flock -s 9 && read -r nv_c <${quoteWord(guard.claimPath)}`,
    `case $nv_c in ${quoteWord(guard.expect)}*) ;;`,
    `*) printf '${REFUSED_WORDS} %s\\n' "$nv_c" >&2; exit ${REFUSED} ;; esac`,
  ];
}

/** The same for a command that no script of ours would run: a shell looks, and becomes it. */
export function guardedArgv(guard: ShellGuard | undefined, argv: readonly string[]): readonly string[] {
  if (guard === undefined) return argv;
  return ['sh', '-c', [...guardLines(guard), 'exec "$@"'].join('\n'), 'sh', ...argv];
}

/** CloudError 'StaleEpoch' when the result is the guard's and not the command's. */
export function refuseStale(
  guard: ShellGuard | undefined,
  host: string,
  { exitCode, stderr }: Pick<ExecResult, 'exitCode' | 'stderr'>,
): void {
  if (guard === undefined || exitCode !== REFUSED) return;
  const at = stderr.indexOf(REFUSED_WORDS);
  if (at < 0) return;
  throw staleClaim(host, stderr.slice(at + REFUSED_WORDS.length));
}

/** `claim`: what stands in its place. */
export function staleClaim(host: string, claim: string): CloudError {
  const holder = claim.trim();
  const who = holder === '' ? 'nobody has claimed it any more' : 'another owner has claimed it';
  return new CloudError('StaleEpoch', `${host} refused a command of this session: ${who}`, { details: { holder } });
}
