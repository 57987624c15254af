#!/bin/sh
# s3cmd by signature versions 4 and 2: put, get, parts, sync both ways, lists and the end of it. It compares the MD5 of what it gets by itself.
set -eu
umask 077
cd "$HOME"
where=${AWS_ENDPOINT_URL_S3#http://}
cat > s3cfg <<EOF
[default]
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
host_base = $where
host_bucket = $where
bucket_location = $AWS_REGION
use_https = False
multipart_chunk_size_mb = 5
EOF
mkdir -p tree/below
i=0
while [ "$i" -lt 20 ]; do
  echo "file $i" > "tree/below/ä $i"
  i=$((i + 1))
done
head -c 12000000 /dev/urandom > large

day() {
  bucket=s3://s3cmd-day-$1
  shift
  s3() {
    s3cmd --config s3cfg --no-progress "$@"
  }
  s3 "$@" mb "$bucket" > /dev/null
  s3 "$@" put large "$bucket/large" > /dev/null
  rm -f back && s3 "$@" get "$bucket/large" back > /dev/null && cmp large back
  s3 "$@" put --disable-multipart large "$bucket/whole" > /dev/null
  test "$(s3 "$@" ls --list-md5 "$bucket/whole" | awk '{ print $4 }')" = "$(md5sum < large | cut -d ' ' -f 1)"
  s3 "$@" info "$bucket/whole" > told
  grep -q "MD5 sum: *$(md5sum < large | cut -d ' ' -f 1)" told
  s3 "$@" sync tree/ "$bucket/tree/" > /dev/null
  rm -rf again && mkdir again && s3 "$@" sync "$bucket/tree/" again/ > /dev/null && diff -r tree again
  test "$(s3 "$@" sync --dry-run tree/ "$bucket/tree/" 2>&1 | grep -c upload:)" = 0
  s3 "$@" cp "$bucket/whole" "$bucket/copied" > /dev/null
  s3 "$@" mv "$bucket/copied" "$bucket/moved" > /dev/null
  test "$(s3 "$@" ls "$bucket" | awk '{ print $NF }' | tr '\n' ' ')" = "$bucket/tree/ $bucket/large $bucket/moved $bucket/whole "
  test "$(s3 "$@" ls -r "$bucket/tree/" | wc -l)" = 20
  s3 "$@" rb --recursive --force "$bucket" > /dev/null
}

day v4
day v2 --signature-v2
echo 'the day is over'
