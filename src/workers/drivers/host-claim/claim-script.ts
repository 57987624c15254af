import { GUARD_VARIABLE, type ShellGuard } from '../../../ports/host-shell.ts';
import type { ClaimRecord, LedgerEntry } from '../../../ports/host-claim.ts';

/** A ledger that is larger is not read to its beginning: what a shell may answer is bounded. */
export const LEDGER_MAX_BYTES = 3_500_000;

/** Where the parts of a claim are on a host. */
export interface ClaimPlaces {
  readonly baseDir: string;
  readonly dir: string;
  /** One line of JSON. */
  readonly claim: string;
  /** Held shared by every guarded command. */
  readonly lock: string;
  /** Lines of JSON, the last of an instance counts; see recordInput. */
  readonly ledger: string;
}

export function claimPlaces(baseDir: string): ClaimPlaces {
  const dir = `${baseDir}/claim`;
  return { baseDir, dir, claim: `${dir}/claim.json`, lock: `${dir}/lock`, ledger: `${dir}/ledger.jsonl` };
}

type Owner = Pick<ClaimRecord, 'epoch' | 'session' | 'hostId'>;

/** Marks what a session runs on a host, in its environment. With the host's id, since hosts may share one list of processes. */
export const sessionTag = ({ hostId, epoch, session }: Owner): string => `${hostId}:${epoch}:${session}`;

/** The scripts and the guard read this order of keys. */
export function claimLine({ epoch, session, cloudId, hostId, workerId, atMs }: ClaimRecord): string {
  return JSON.stringify({ v: 1, epoch, session, cloudId, hostId, workerId, atMs });
}

export function guardOf(places: ClaimPlaces, owner: Owner): ShellGuard {
  const expect = JSON.stringify({ v: 1, epoch: owner.epoch, session: owner.session }).slice(0, -1);
  return { lockPath: places.lock, claimPath: places.claim, expect: `${expect},`, tag: sessionTag(owner) };
}

/** Sets `link` to PID.STARTTIME of the sshd that serves this very connection: the nearest above us. */
const OWN_LINK = `own_link() {
  link='' p=$$
  while [ "$p" -gt 1 ] && { read -r s <"/proc/$p/stat"; } 2>/dev/null; do
    c=\${s#*\\(} c=\${c%%)*}
    set -- \${s##*) }
    case $c in sshd*|dropbear) shift 19; link=$p.$1; return ;; esac
    p=$2
  done
}`;

/**
 * Who holds it, then ours, then an end to what others left. Answers on its first line; exit code 0 for every answer that is one.
 * All of it is POSIX sh, with flock of util-linux, find, grep and coreutils.
 */
const TAKE = `base=$1 cloud=$2 host=$3 epoch=$4 session=$5 replaces=$6 ssh=$7 new=$8
umask 077
dir=$base/claim lock=$base/claim/lock claim=$base/claim/claim.json tag=$host:$epoch:$session
answer() { printf '%s\\n' "$@"; exit 0; }
field() { v=\${old#*"\\"$1\\":"}; v=\${v%%,*}; v=\${v#'"'}; v=\${v%'"'}; case $v in ''|*[!A-Za-z0-9_.-]*) answer damaged "$old" ;; esac; }
install -d -m 0711 -- "$base" && install -d -m 0700 -- "$dir" "$dir/links" || exit 74
exec 8>>"$dir/claiming"
flock -x -w 20 8 || answer busy ''
: >>"$lock" && : >>"$dir/ledger.jsonl" || exit 74
old='' old_host=$host
if [ -e "$claim" ]; then
  read -r old <"$claim"
  case $old in '{"v":1,"epoch":'[0-9]*',"session":"'*'","cloudId":"'*'","hostId":"'*'","workerId":"'*) ;; *) answer damaged "$old" ;; esac
  field cloudId; [ "$v" = "$cloud" ] || answer foreign "$old"
  field hostId; old_host=$v
  if [ "$old_host" = "$host" ]; then
    field epoch; [ "$v" -le "$epoch" ] || answer stale "$old"
    if [ "$v" -eq "$epoch" ]; then field session; [ "$v" = "$session" ] || answer stale "$old"; fi
  else
    [ "$old_host" = "$replaces" ] || answer foreign "$old"
  fi
fi
done_before='' ended=0 cut=0 tries=0 link=''
[ ! -e "$dir/ready" ] || read -r done_before <"$dir/ready"
${OWN_LINK}
[ "$ssh" = 0 ] || own_link
tagged() {
  for e in $(grep -lszE "^${GUARD_VARIABLE}=($host|$old_host):" /proc/[0-9]*/environ); do
    grep -qsxzF -e "${GUARD_VARIABLE}=$tag" "$e" && continue
    e=\${e%/environ}
    printf '%s\\n' "\${e#/proc/}"
  done
}
holders() {
  find /proc/[0-9]*/fd -lname "$(readlink -f "$lock")" 2>/dev/null | while IFS=/ read -r _ _ p _; do
    grep -qsxzF -e "${GUARD_VARIABLE}=$tag" "/proc/$p/environ" || printf '%s\\n' "$p"
  done
}
cut_links() {
  for f in "$dir"/links/*; do
    n=\${f##*/} p=\${f##*/}
    p=\${p%.*} t=''
    [ -e "$f" ] && [ "$n" != "$link" ] || continue
    read -r t <"$f"
    [ "$t" != "$tag" ] || continue
    if { read -r s <"/proc/$p/stat"; } 2>/dev/null; then
      set -- \${s##*) }
      shift 19
      [ "$1" != "\${n#*.}" ] || { kill -s KILL "$p" && cut=$((cut + 1)); }
    fi
    rm -f -- "$f"
  done
}
if [ "$done_before" != "$tag" ]; then
  tmp=$dir/.claim.$$
  { printf '%s\\n' "$new" >"$tmp" && sync -- "$tmp" && mv -f -T -- "$tmp" "$claim" && sync -- "$dir"; } || { rm -f -- "$tmp"; exit 74; }
  cut_links
  while :; do
    pids=$(tagged)
    [ $tries -lt 4 ] || pids="$pids $(holders)"
    for p in $pids; do kill -s KILL "$p" 2>/dev/null && ended=$((ended + 1)); done
    [ -n "\${pids# }" ] || ! flock -x -n "$lock" true || break
    tries=$((tries + 1))
    [ $tries -lt 200 ] || answer held "$old" "$(for p in $pids; do tr '\\000' ' ' <"/proc/$p/cmdline"; echo; done 2>/dev/null)"
    sleep 0.05
  done
  printf '%s\\n' "$tag" >"$dir/ready"
fi
[ -z "$link" ] || printf '%s\\n' "$tag" >"$dir/links/$link"
printf '%s\\n' claimed "$old" "$ended $cut"
tail -c ${LEDGER_MAX_BYTES} -- "$dir/ledger.jsonl"
exit 0`;

/** Notes that this SSH session is the tag's, so that the next owner can end it; and forgets those that are no more. Runs guarded. */
const ENROL = `dir=$1 tag=$2
umask 077
${OWN_LINK}
own_link
[ -z "$link" ] || printf '%s\\n' "$tag" >"$dir/links/$link"
for f in "$dir"/links/*; do
  p=\${f##*/}
  [ -e "/proc/\${p%.*}" ] || rm -f -- "$f"
done`;

/** Adds lines, durably: one sync for all of them. Prints how large the ledger is then. Runs guarded. */
const RECORD = `umask 077
cat >>"$1" && sync -d -- "$1" && stat -c %s -- "$1"`;

export interface TakeWish {
  readonly places: ClaimPlaces;
  readonly claim: ClaimRecord;
  readonly replaces?: string | undefined;
  /** The commands come over SSH: its server's process for this connection is noted, and those of earlier owners are ended. */
  readonly overSsh: boolean;
}

export function takeArgv({ places, claim, replaces, overSsh }: TakeWish): string[] {
  const { cloudId, hostId, epoch, session } = claim;
  const words = [places.baseDir, cloudId, hostId, String(epoch), session, replaces ?? '', overSsh ? '1' : '0'];
  return ['sh', '-c', TAKE, 'sh', ...words, claimLine(claim)];
}

export function enrolArgv(places: ClaimPlaces, tag: string): string[] {
  return ['sh', '-c', ENROL, 'sh', places.dir, tag];
}

export function recordArgv(places: ClaimPlaces): string[] {
  return ['sh', '-c', RECORD, 'sh', places.ledger];
}

/** An empty line comes first, so that a line which a crash cut short spoils no other. */
export function recordInput(entries: readonly LedgerEntry[], forget: readonly string[]): string {
  const lines: object[] = [...entries, ...forget.map((instanceId) => ({ v: 1, forget: instanceId }))];
  return ['', ...lines.map((line) => JSON.stringify(line)), ''].join('\n');
}

export type TakeAnswer =
  | {
      readonly kind: 'claimed';
      readonly before: string;
      readonly endedCommands: number;
      readonly endedConnections: number;
      readonly ledger: readonly string[];
    }
  | {
      readonly kind: 'stale' | 'foreign' | 'damaged' | 'busy' | 'held';
      readonly before: string;
      readonly more: string;
    };

/** undefined when the answer is not understood. */
export function parseTakeAnswer(stdout: string): TakeAnswer | undefined {
  const [kind, before = '', third = '', ...rest] = stdout.split('\n');
  switch (kind) {
    case 'claimed': {
      const counts = /^(\d+) (\d+)$/.exec(third);
      if (counts === null) return undefined;
      const ledger = rest.filter((line) => line !== '');
      return { kind, before, endedCommands: Number(counts[1]), endedConnections: Number(counts[2]), ledger };
    }
    case 'stale':
    case 'foreign':
    case 'damaged':
    case 'busy':
    case 'held':
      return { kind, before, more: [third, ...rest].join('\n').trim() };
    default:
      return undefined;
  }
}
