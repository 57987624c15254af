PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export PATH LC_ALL
cd /
exec 3<&0 4>&2 </dev/null 2>/dev/null
{ timeout -s KILL 65 cat; kill -s KILL 0; } <&3 3<&- >/dev/null 4>&- &
nv_w=$!
printf %s '0123456789abcdef0123456789abcdef<'
printf %s '0123456789abcdef0123456789abcdef<' >&4
printf %s Zmx1c2ggcnVsZXNldAo= | base64 -d | (
exec nft -f -
) 3<&- 2>&4 4>&-
nv_r=$?
kill -s KILL $nv_w
printf '0123456789abcdef0123456789abcdef>%d.' $nv_r
printf '0123456789abcdef0123456789abcdef>%d.' $nv_r >&4
exit $nv_r
