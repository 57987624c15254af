#!/bin/sh
# The AWS CLI above its rate limit: through by its own waiting, refused by EC2's code where it does not repeat, served again after a rest.
# Given: AWS (its program); a cloud that lets 2 requests a second through, and 24 tags in it.
set -eu

ec2() {
  "$AWS" --endpoint-url "$AWS_ENDPOINT_URL_EC2" ec2 "$@"
}

fail() {
  echo "$*" >&2
  exit 1
}

AWS_RETRY_MODE=standard
export AWS_RETRY_MODE

count=$(AWS_MAX_ATTEMPTS=10 ec2 describe-tags --page-size 10 --query 'length(Tags)' --output json --debug 2>"$HOME/debug")
[ "$count" = 24 ] || fail "tags: $count, must be 24"
grep -q 'Retry needed' "$HOME/debug" || fail 'no page was asked for again: the limit did nothing'

if said=$(AWS_MAX_ATTEMPTS=1 ec2 describe-tags --page-size 5 2>&1); then fail '5 requests at once were not too many'; fi
case $said in
  *'(RequestLimitExceeded)'*'too many requests of access key'*) ;;
  *) fail "not refused for the limit: $said" ;;
esac
sleep 1
AWS_MAX_ATTEMPTS=1 ec2 describe-regions --query 'Regions[].RegionName' --output text
