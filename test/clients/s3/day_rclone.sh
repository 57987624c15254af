#!/bin/sh
# rclone: 500 files there, checked by their hashes, copied within the server, and back; a large one in parts.
set -eu
cd "$HOME"
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_NOVA_TYPE=s3 RCLONE_CONFIG_NOVA_PROVIDER=Other RCLONE_CONFIG_NOVA_ENV_AUTH=true
export RCLONE_CONFIG_NOVA_ENDPOINT="$AWS_ENDPOINT_URL_S3" RCLONE_CONFIG_NOVA_REGION="$AWS_REGION" RCLONE_CONFIG_NOVA_CHUNK_SIZE=5M RCLONE_CONFIG_NOVA_UPLOAD_CUTOFF=5M
export RCLONE_TRANSFERS=8 RCLONE_CHECKERS=8
mkdir -p rfiles/deep/er rfiles/'odd names'
i=0
while [ "$i" -lt 500 ]; do
  case $((i % 3)) in 0) dir=deep ;; 1) dir=deep/er ;; *) dir='odd names' ;; esac
  echo "the file $i of rclone" > "rfiles/$dir/ü+$i &.txt"
  i=$((i + 1))
done
head -c 17000000 /dev/urandom > rfiles/large

rclone mkdir nova:rclone-day
rclone sync rfiles nova:rclone-day/files
rclone check rfiles nova:rclone-day/files 2> checked
grep -q ': 0 differences found' checked
grep -q '501 matching files' checked
# Again: by hashes nothing is to be done.
rclone sync --checksum -v rfiles nova:rclone-day/files 2> again
if grep -q 'Copied' again; then exit 1; fi
rclone check --download rfiles nova:rclone-day/files
rclone copy -v nova:rclone-day/files nova:rclone-day/copies 2> copied
test "$(grep -c 'server-side copy' copied)" = 501
rclone sync nova:rclone-day/copies rback
diff -r rfiles rback
# Times of files are kept beside them.
test "$(stat -c %Y rback/large)" = "$(stat -c %Y rfiles/large)"
echo another > 'rfiles/deep/ü+0 &.txt'
rm 'rfiles/deep/ü+3 &.txt'
rclone sync rfiles nova:rclone-day/files
test "$(rclone cat 'nova:rclone-day/files/deep/ü+0 &.txt')" = another
test "$(rclone lsf -R --files-only nova:rclone-day/files | wc -l)" = 500
rclone moveto nova:rclone-day/files/large nova:rclone-day/files/moved
rclone cat nova:rclone-day/files/moved | cmp - rfiles/large
rclone purge nova:rclone-day
echo 'the day is over'
