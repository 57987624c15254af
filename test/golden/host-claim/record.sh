sh -c 'dir=$1
umask 077
new=$dir/.new.$$
mkdir -- "$new" || exit 74
trap '\''rm -rf -- "$new"'\'' EXIT
tab=$(printf '\''\t'\'')
while IFS=$tab read -r name json; do
  if [ -n "$json" ]; then printf '\''%s\n'\'' "$json" >"$new/$name.json" || exit 74
  else rm -f -- "$dir/$name.json"; fi
done
set -- "$new"/*.json
if [ -e "$1" ]; then sync -- "$@" && mv -f -t "$dir" -- "$@" || exit 74; fi
sync -- "$dir"' sh /var/lib/novactl-host/claim/ledger
