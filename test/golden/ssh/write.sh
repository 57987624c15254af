PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export PATH LC_ALL
cd /
exec 4>&2 2>/dev/null
printf %s '0123456789abcdef0123456789abcdef<'
printf %s '0123456789abcdef0123456789abcdef<' >&4
(
umask 077
(set -C; : >'/var/lib/.novactl-it'\''s.tmp') || exit 73
trap 'exit 74' HUP INT TERM
trap 'rm -f -- '\''/var/lib/.novactl-it'\''\'\'''\''s.tmp'\''' EXIT
nv_d=$(tee --output-error=exit -- '/var/lib/.novactl-it'\''s.tmp' | sha256sum)
[ "${nv_d%% *}" = ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff ] || exit 65
chown -- 64055 '/var/lib/.novactl-it'\''s.tmp' || exit 74
chmod -- 4640 '/var/lib/.novactl-it'\''s.tmp' || exit 74
sync -- '/var/lib/.novactl-it'\''s.tmp' || exit 74
mv -f -T -- '/var/lib/.novactl-it'\''s.tmp' '/var/lib/it'\''s a file' || exit 74
trap - EXIT
sync -- /var/lib || exit 74
) 2>&4 4>&-
nv_r=$?
printf '0123456789abcdef0123456789abcdef>%d.' $nv_r
printf '0123456789abcdef0123456789abcdef>%d.' $nv_r >&4
exit $nv_r
