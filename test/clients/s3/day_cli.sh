#!/bin/sh
# The AWS CLI: 500 files there and back, standard input, moves, presigned addresses; by s3api pages, versions, ranges and conditions.
set -eu

s3() {
  aws --endpoint-url "$AWS_ENDPOINT_URL_S3" s3 "$@"
}
api() {
  call=$1
  shift
  aws --endpoint-url "$AWS_ENDPOINT_URL_S3" s3api "$call" --bucket cli-day "$@"
}
digests() {
  (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

cd "$HOME"
mkdir -p files/a/b files/c && i=0
while [ "$i" -lt 500 ]; do
  case $((i % 3)) in 0) dir=a ;; 1) dir=a/b ;; *) dir=c ;; esac
  echo "the file $i of five hundred" > "files/$dir/f $i.txt"
  i=$((i + 1))
done
head -c 20000000 /dev/urandom > files/large
echo umlauts > 'files/c/2 ä'
printf '' > files/empty

s3 mb s3://cli-day
s3 sync --only-show-errors files s3://cli-day/files/
s3 sync --only-show-errors s3://cli-day/files/ back/
digests files > sent
digests back > came
cmp sent came
test "$(s3 sync --dryrun files s3://cli-day/files/)" = ''
echo changed-by-us > 'back/c/f 2.txt'
rm 'back/c/f 5.txt'
s3 sync --delete --only-show-errors back s3://cli-day/files/
test "$(s3 ls --recursive s3://cli-day/files/ | wc -l)" = 502
test "$(s3 cp 's3://cli-day/files/c/f 2.txt' -)" = changed-by-us

s3 mv --only-show-errors s3://cli-day/files/large s3://cli-day/moved/large
s3 mv --only-show-errors s3://cli-day/moved/large large-again
cmp files/large large-again
test "$(s3 ls s3://cli-day/moved/ | wc -l)" = 0
s3 cp --only-show-errors 's3://cli-day/files/c/f 8.txt' 's3://cli-day/a copy'
echo piped | s3 cp - s3://cli-day/piped
test "$(s3 cp s3://cli-day/piped -)" = piped
test "$(curl -sf "$(s3 presign 's3://cli-day/a copy' --expires-in 60)")" = 'the file 8 of five hundred'

test "$(api list-objects-v2 --prefix files/ --page-size 7 --query 'length(Contents)')" = 501
test "$(api list-objects --prefix files/ --delimiter / --page-size 2 --query 'CommonPrefixes[].Prefix' | tr -d ' \n')" = '["files/a/","files/c/"]'

api put-bucket-versioning --versioning-configuration Status=Enabled
echo one > first-body && api put-object --key versions --body first-body > first
echo two > second-body && api put-object --key versions --body second-body --metadata turn=second > second
first=$(sed -n 's/.*"VersionId": "\(.*\)".*/\1/p' first)
etag=$(sed -n 's/.*"ETag": "\(.*\)".*/\1/p' second | tr -d '\\"')
api get-object --key versions --version-id "$first" got > told && test "$(cat got)" = one
api get-object --key versions got > told && test "$(cat got)" = two && grep -q '"turn": "second"' told
api get-object --key versions --range bytes=1-2 got > told && test "$(cat got)" = wo && grep -q 'bytes 1-2/4' told
api get-object --key versions --if-match "$etag" got > told
api get-object --key versions --if-none-match "$etag" got 2> refusal && exit 1
grep -q '304' refusal
api delete-object --key versions | grep -q '"DeleteMarker": true'
api get-object --key versions got 2> refusal && exit 1
grep -q NoSuchKey refusal
test "$(api list-object-versions --prefix versions --page-size 1 --query '[length(Versions), length(DeleteMarkers)]' | tr -d ' \n')" = '[2,1]'

s3 rm --recursive --only-show-errors s3://cli-day
test "$(s3 ls --recursive s3://cli-day | wc -l)" = 0
s3 mb s3://cli-day-2
echo last | s3 cp - s3://cli-day-2/last
s3 rb --force s3://cli-day-2 | grep -q '^delete: '
if (export AWS_SECRET_ACCESS_KEY=wrong && s3 ls) 2> refusal; then exit 1; fi
grep -q SignatureDoesNotMatch refusal
echo 'the day is over'
