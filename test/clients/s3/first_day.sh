#!/bin/sh
# The AWS CLI: a bucket, a file there and back, a folder, a list, and the end of it.
set -eu

s3() {
  aws --endpoint-url "$AWS_ENDPOINT_URL_S3" s3 "$@"
}

cd "$HOME"
head -c 20000000 /dev/urandom > large
mkdir -p folder/below && echo one > folder/1 && echo two > 'folder/below/2 ä'
s3 mb s3://day-cli
s3 cp --no-progress large s3://day-cli/large
s3 cp --no-progress s3://day-cli/large back
cmp large back
s3 sync --no-progress folder s3://day-cli/folder
s3 sync --no-progress s3://day-cli/folder again
diff -r folder again
s3 ls --recursive s3://day-cli | awk '{ print $4 }' | tr '\n' ' '
echo piped | s3 cp - s3://day-cli/piped
test "$(s3 cp s3://day-cli/piped -)" = piped
url=$(s3 presign s3://day-cli/piped)
test "$(curl -sf "$url")" = piped
s3 rb --force s3://day-cli > removed
grep -c '^delete: ' removed
if (export AWS_SECRET_ACCESS_KEY=wrong && s3 ls) 2> refusal; then exit 1; fi
grep -q SignatureDoesNotMatch refusal
echo 'the day is over'
