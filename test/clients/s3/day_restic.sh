#!/bin/sh
# restic: a tree with odd names, links, a hole and rights goes into a bucket, is checked there to the last byte, and comes back bit for bit.
set -eu
cd "$HOME"
export RESTIC_REPOSITORY="s3:$AWS_ENDPOINT_URL_S3/restic-day/backup" RESTIC_PASSWORD=of-no-worth RESTIC_CACHE_DIR="$HOME/cache"

mkdir -p 'tree/with space/ü' tree/empty tree/-dash
printf 'line\n' > "tree/with space/quote ' and \" and
newline"
printf 'x' > 'tree/with space/ü/*?[a]'
printf 'y' > tree/-dash/--help
ln -s ../nowhere tree/dangling
ln -s 'with space' tree/folder
printf 'linked' > tree/one && ln tree/one tree/two
head -c 20000000 /dev/urandom > tree/random
truncate -s 30M tree/hole && printf 'end' >> tree/hole
printf 'mine' > tree/mine && chmod 0400 tree/mine && chmod 0751 tree/empty
touch -d '2001-02-03 04:05:06.789' tree/one

# What rsync would compare: type, rights, owner, size, time, target, number of links; and the bytes.
facts() {
  (cd "$1" && find . -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

restic init > /dev/null
restic backup --quiet tree
facts tree > before
printf 'later' > tree/later
restic backup --quiet tree
restic check --read-data > checked
grep -q 'no errors were found' checked
first=$(restic snapshots --json | sed 's/.*"short_id":"\([0-9a-f]*\)".*"short_id".*/\1/')
restic restore --quiet "$first" --target out
facts out/tree > after
# Folders have sizes of their own on each file system; hard links and all else must be the same.
sed 's/|d|\([0-9]*|[0-9]*|[0-9]*|\)[0-9]*|/|d|\1|/' before > want
sed 's/|d|\([0-9]*|[0-9]*|[0-9]*|\)[0-9]*|/|d|\1|/' after > have
diff -a want have
test -e tree/later && test ! -e out/tree/later
restic forget --quiet --prune --keep-last 1
restic check --read-data > checked
restic restore --quiet latest --target again
cmp again/tree/random tree/random && cmp again/tree/later tree/later
echo 'the day is over'
