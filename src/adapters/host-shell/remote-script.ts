import { CloudError } from '../../base/errors.ts';
import { quoteArgv, quoteWord } from '../../base/shell-quote.ts';
import type { ShellGuard } from '../../ports/host-shell.ts';
import { guardLines } from './guard-script.ts';

/**
 * Everything that runs on a host over SSH runs as a script that is sent on standard input; see scriptFor.
 * No word of it is in the command line: neither lists of processes nor sudo's log show it, no login shell (fish, csh) reads it, and no limit of
 * one argument (128 KiB) holds for it.
 */
export interface RemoteScript {
  /** Unguessable hex: marks where the command's output begins and ends, in both streams. */
  readonly token: string;
  /** Shell text that becomes one subshell; its exit code is the command's. */
  readonly steps: string;
  /**
   * `watched`: standard input stays open as a lifeline. When it ends (we close the channel, the connection is lost, our process dies), or at the
   * host's own deadline, the whole process group is killed. The command reads `stdin`, or nothing.
   * `fed`: what follows the script on standard input is the command's own input; it has to notice a cut by itself.
   */
  readonly input:
    { readonly kind: 'watched'; readonly backstopSeconds: number; readonly stdin?: Buffer } | { readonly kind: 'fed' };
}

/** Where output begins and ends. The exit code follows the end mark, and a dot. */
export const startMark = (token: string): string => `${token}<`;
export const endMark = (token: string): string => `${token}>`;

/**
 * What sshd gives the login shell: read so many bytes, run them. A script that was cut is not run at all.
 * It has no quotes inside the quotes and no backslash, so that any login shell takes it as one word.
 */
export function bootLine(scriptBytes: number, sudo: boolean): string {
  const line = `sh -c 'LC_ALL=C;nv_s=$(head -c ${scriptBytes});[ \${#nv_s} -eq ${scriptBytes} ]&&eval "$nv_s"'`;
  return sudo ? `sudo -n -- ${line}` : line;
}

const PRELUDE = [
  'PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"',
  'export PATH LC_ALL',
  'cd /',
];

/** The body as a whole travels inside the script, so that a command never takes half of its input for all of it. */
function watched(script: RemoteScript, backstopSeconds: number, stdin: Buffer | undefined): string[] {
  const source = stdin === undefined ? '' : `printf %s ${stdin.toString('base64')} | base64 -d | `;
  return [
    'exec 3<&0 4>&2 </dev/null 2>/dev/null',
    `{ timeout -s KILL ${backstopSeconds} cat; kill -s KILL 0; } <&3 3<&- >/dev/null 4>&- &`,
    'nv_w=$!',
    ...marked(script.token, 'start'),
    `${source}(\n${script.steps}\n) 3<&- 2>&4 4>&-`,
    'nv_r=$?',
    'kill -s KILL $nv_w',
  ];
}

function fed(script: RemoteScript): string[] {
  return ['exec 4>&2 2>/dev/null', ...marked(script.token, 'start'), `(\n${script.steps}\n) 2>&4 4>&-`, 'nv_r=$?'];
}

function marked(token: string, which: 'start' | 'end'): string[] {
  if (which === 'start') return [`printf %s '${startMark(token)}'`, `printf %s '${startMark(token)}' >&4`];
  const print = `printf '${endMark(token)}%d.' $nv_r`;
  return [print, `${print} >&4`];
}

/**
 * The script: POSIX sh, with timeout, head, base64 of coreutils. It does not end with a newline, which `$(...)` would strip.
 * The group that dies is the one sshd made for the session (it calls setsid for each), so nothing else is in it.
 */
export function scriptFor(script: RemoteScript): string {
  const { input } = script;
  const body = input.kind === 'fed' ? fed(script) : watched(script, input.backstopSeconds, input.stdin);
  return [...PRELUDE, ...body, ...marked(script.token, 'end'), 'exit $nv_r'].join('\n');
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function exportLine([name, value]: [string, string]): string {
  if (!NAME.test(name) || value.includes('\0')) {
    throw new CloudError('InvalidParameterValue', `${JSON.stringify(name)} cannot be set in an environment`);
  }
  return `export ${name}=${quoteWord(value)}`;
}

/** Steps that become the program itself: builtins of the shell are not meant. CloudError 'InvalidParameterValue' for what no argv can carry. */
export function execSteps(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  guard?: ShellGuard,
): string {
  if (argv[0] === undefined || argv[0] === '' || argv.some((word) => word.includes('\0'))) {
    throw new CloudError('InvalidParameterValue', 'a command needs a name, and its words cannot hold NUL');
  }
  return [...Object.entries(env).map(exportLine), ...guardLines(guard), quoteArgv(['exec', ...argv])].join('\n');
}

export interface FileSteps {
  readonly path: string;
  /** Beside `path`; not there yet. */
  readonly tmpPath: string;
  readonly folder: string;
  readonly sha256: string;
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly guard?: ShellGuard | undefined;
}

/** `uid:` alone would mean the login group of that user to chown. */
function ownerOf({ uid, gid }: FileSteps): string {
  return `${uid ?? ''}${gid === undefined ? '' : `:${gid}`}`;
}

/** Exit code of fileSteps when the bytes that came are not those that were meant. */
export const DIGEST_DIFFERS = 65;

/**
 * Steps that take a file from standard input: gathered beside, digest compared, owner, mode, synced, renamed, folder synced.
 * A cut input has another digest; then, and after any failure, nothing is left beside and `path` is as it was.
 */
export function fileSteps(file: FileSteps): string {
  const [tmp, path, folder] = [quoteWord(file.tmpPath), quoteWord(file.path), quoteWord(file.folder)];
  const owner = ownerOf(file);
  return [
    'umask 077',
    `(set -C; : >${tmp}) || exit 73`,
    `trap 'exit 74' HUP INT TERM`,
    `trap 'rm -f -- ${tmp.replaceAll("'", `'\\''`)}' EXIT`,
    `nv_d=$(tee --output-error=exit -- ${tmp} | sha256sum)`,
    `[ "\${nv_d%% *}" = ${file.sha256} ] || exit ${DIGEST_DIFFERS}`,
    ...(owner === '' ? [] : [`chown -- ${owner} ${tmp} || exit 74`]),
    `chmod -- ${file.mode.toString(8).padStart(4, '0')} ${tmp} || exit 74`,
    `sync -- ${tmp} || exit 74`,
    ...guardLines(file.guard),
    `mv -f -T -- ${tmp} ${path} || exit 74`,
    'trap - EXIT',
    `sync -- ${folder} || exit 74`,
  ].join('\n');
}

/** Reads a part of a file. The size is not asked for: files of the kernel say 0. */
export function readArgv(path: string, fromByte: number, maxBytes: number): string[] {
  const iflag = 'iflag=fullblock,skip_bytes,count_bytes';
  return ['dd', `if=${path}`, `skip=${fromByte}`, `count=${maxBytes}`, 'bs=64K', iflag, 'status=none'];
}
