sh -c 'base=$1 cloud=$2 host=$3 epoch=$4 session=$5 replaces=$6 ssh=$7 new=$8
umask 077
dir=$base/claim lock=$base/claim/lock claim=$base/claim/claim.json tag=$host:$epoch:$session
answer() { printf '\''%s\n'\'' "$@"; exit 0; }
field() { v=${old#*"\"$1\":"}; v=${v%%,*}; v=${v#'\''"'\''}; v=${v%'\''"'\''}; case $v in '\'''\''|*[!A-Za-z0-9_.-]*) answer damaged "$old" ;; esac; }
install -d -m 0711 -- "$base" && install -d -m 0700 -- "$dir" "$dir/links" || exit 74
exec 8>>"$dir/claiming"
flock -x -w 20 8 || answer busy '\'''\''
: >>"$lock" && : >>"$dir/ledger.jsonl" || exit 74
old='\'''\'' old_host=$host
if [ -e "$claim" ]; then
  read -r old <"$claim"
  case $old in '\''{"v":1,"epoch":'\''[0-9]*'\'',"session":"'\''*'\''","cloudId":"'\''*'\''","hostId":"'\''*'\''","workerId":"'\''*) ;; *) answer damaged "$old" ;; esac
  field cloudId; [ "$v" = "$cloud" ] || answer foreign "$old"
  field hostId; old_host=$v
  if [ "$old_host" = "$host" ]; then
    field epoch; [ "$v" -le "$epoch" ] || answer stale "$old"
    if [ "$v" -eq "$epoch" ]; then field session; [ "$v" = "$session" ] || answer stale "$old"; fi
  else
    [ "$old_host" = "$replaces" ] || answer foreign "$old"
  fi
fi
done_before='\'''\'' ended=0 cut=0 tries=0 link='\'''\''
[ ! -e "$dir/ready" ] || read -r done_before <"$dir/ready"
own_link() {
  link='\'''\'' p=$$
  while [ "$p" -gt 1 ] && { read -r s <"/proc/$p/stat"; } 2>/dev/null; do
    c=${s#*\(} c=${c%%)*}
    set -- ${s##*) }
    case $c in sshd*|dropbear) shift 19; link=$p.$1; return ;; esac
    p=$2
  done
}
[ "$ssh" = 0 ] || own_link
tagged() {
  for e in $(grep -lszE "^NOVACTL_SESSION=($host|$old_host):" /proc/[0-9]*/environ); do
    grep -qsxzF -e "NOVACTL_SESSION=$tag" "$e" && continue
    e=${e%/environ}
    printf '\''%s\n'\'' "${e#/proc/}"
  done
}
holders() {
  find /proc/[0-9]*/fd -lname "$(readlink -f "$lock")" 2>/dev/null | while IFS=/ read -r _ _ p _; do
    grep -qsxzF -e "NOVACTL_SESSION=$tag" "/proc/$p/environ" || printf '\''%s\n'\'' "$p"
  done
}
cut_links() {
  for f in "$dir"/links/*; do
    n=${f##*/} p=${f##*/}
    p=${p%.*} t='\'''\''
    [ -e "$f" ] && [ "$n" != "$link" ] || continue
    read -r t <"$f"
    [ "$t" != "$tag" ] || continue
    if { read -r s <"/proc/$p/stat"; } 2>/dev/null; then
      set -- ${s##*) }
      shift 19
      [ "$1" != "${n#*.}" ] || { kill -s KILL "$p" && cut=$((cut + 1)); }
    fi
    rm -f -- "$f"
  done
}
if [ "$done_before" != "$tag" ]; then
  tmp=$dir/.claim.$$
  { printf '\''%s\n'\'' "$new" >"$tmp" && sync -- "$tmp" && mv -f -T -- "$tmp" "$claim" && sync -- "$dir"; } || { rm -f -- "$tmp"; exit 74; }
  cut_links
  while :; do
    pids=$(tagged)
    [ $tries -lt 4 ] || pids="$pids $(holders)"
    for p in $pids; do kill -s KILL "$p" 2>/dev/null && ended=$((ended + 1)); done
    [ -n "${pids# }" ] || ! flock -x -n "$lock" true || break
    tries=$((tries + 1))
    [ $tries -lt 200 ] || answer held "$old" "$(for p in $pids; do tr '\''\000'\'' '\'' '\'' <"/proc/$p/cmdline"; echo; done 2>/dev/null)"
    sleep 0.05
  done
  printf '\''%s\n'\'' "$tag" >"$dir/ready"
fi
[ -z "$link" ] || printf '\''%s\n'\'' "$tag" >"$dir/links/$link"
printf '\''%s\n'\'' claimed "$old" "$ended $cut"
tail -c 3500000 -- "$dir/ledger.jsonl"
exit 0' sh /var/lib/novactl-host cloud-1 h-1 7 0123abcd h-0 1 '{"v":1,"epoch":7,"session":"0123abcd","cloudId":"cloud-1","hostId":"h-1","workerId":"local","atMs":1800000000000}'
