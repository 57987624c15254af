sh -c 'dir=$1 tag=$2
umask 077
own_link() {
  link='\'''\'' p=$$
  while [ "$p" -gt 1 ] && { read -r s <"/proc/$p/stat"; } 2>/dev/null; do
    c=${s#*\(} c=${c%%)*}
    set -- ${s##*) }
    case $c in sshd*|dropbear) shift 19; link=$p.$1; return ;; esac
    p=$2
  done
}
own_link
[ -z "$link" ] || printf '\''%s\n'\'' "$tag" >"$dir/links/$link"
for f in "$dir"/links/*; do
  p=${f##*/}
  [ -e "/proc/${p%.*}" ] || rm -f -- "$f"
done' sh /var/lib/novactl-host/claim h-1:7:0123abcd
