/** Long enough for the largest image over a slow line; the URL is good for one blob. */
export const FETCH_URL_S = 3600;
export const FETCH_TIMEOUT_MS = 3_600_000;

const CONNECT_S = 10;
/** A transfer that moves less for so long is over. */
const STALL = { bytesPerSecond: 1024, seconds: 60 } as const;
/** Exit code of the steps when what came has another digest. */
const DIGEST_DIFFERS = 165;

/** In the form of HostShell.upload: gathered beside, digest compared, synced, and then its name. The URL comes on standard input, where no list of processes shows it. */
const FETCH = `set -u
folder=$1 tmp=$2 path=$3 want=$4
umask 077
trap 'rm -f -- "$tmp"' EXIT
rm -f -- "$tmp"
curl -q --config - || exit $?
have=$(sha256sum -b -- "$tmp") || exit 74
test "\${have%% *}" = "$want" || exit ${DIGEST_DIFFERS}
chmod -- 0644 "$tmp" && sync -- "$tmp" && mv -f -T -- "$tmp" "$path" || exit 74
trap - EXIT
sync -- "$folder" || exit 74`;

export function fetchArgv(at: { folder: string; tmp: string; path: string; sha256: string }): string[] {
  return ['sh', '-c', FETCH, 'sh', at.folder, at.tmp, at.path, at.sha256];
}

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** What `curl --config -` reads. Nothing but that one URL is followed, and no file of the user's is read. */
export function curlConfig(url: string, output: string, caPath?: string): string {
  return [
    `url = ${quoted(url)}`,
    `output = ${quoted(output)}`,
    'fail',
    'silent',
    'show-error',
    'globoff',
    'proto = "=http,https"',
    'noproxy = "*"',
    ...(caPath === undefined ? [] : [`cacert = ${quoted(caPath)}`]),
    `connect-timeout = ${CONNECT_S}`,
    `speed-limit = ${STALL.bytesPerSecond}`,
    `speed-time = ${STALL.seconds}`,
    '',
  ].join('\n');
}

/** Exit codes of curl(1) that say more than its words. */
const WHY: Readonly<Record<number, string>> = {
  127: 'there is no curl on the host (Debian: curl)',
  [DIGEST_DIFFERS]: 'what came is not what is stored (SHA-256 differs)',
};

export function explainFetch(exitCode: number, stderr: string): string {
  return WHY[exitCode] ?? (stderr.trim().slice(-500) || `curl ended with exit code ${exitCode}`);
}
