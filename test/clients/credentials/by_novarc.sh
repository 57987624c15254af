#!/bin/sh
# The AWS CLI with nothing but what novarc gives it. Given: the novarc, the account of the project, AWS (its program).
set -eu

fail() {
  echo "$*" >&2
  exit 1
}

# A session that some other cloud gave is in the shell.
AWS_SESSION_TOKEN=stale
S3_URL=https://elsewhere.example
export AWS_SESSION_TOKEN S3_URL
# shellcheck source=/dev/null
. "$1"
[ -z "${S3_URL-}" ] || fail "S3_URL is that of another cloud: $S3_URL"
for file in "$EC2_PRIVATE_KEY" "$EC2_CERT" "$NOVA_CERT" "$EUCALYPTUS_CERT" "$AWS_CA_BUNDLE" "$BOTO_CONFIG"; do
  [ -f "$file" ] || fail "there is no $file"
done

"$AWS" --endpoint-url "$AWS_ENDPOINT_URL_EC2" ec2 create-key-pair --key-name by-novarc --query KeyMaterial --output text |
  grep -q 'PRIVATE KEY' || fail 'no private key'
[ "$EC2_USER_ID" = "$2" ] || fail "EC2_USER_ID: $EC2_USER_ID, must be $2"

# Who does not know the cloud's authority does not talk to it.
unset AWS_CA_BUNDLE
AWS_MAX_ATTEMPTS=1
export AWS_MAX_ATTEMPTS
if said=$("$AWS" --endpoint-url "$AWS_ENDPOINT_URL_EC2" ec2 describe-regions 2>&1); then fail 'any certificate will do'; fi
case $said in
  *'SSL validation failed'*) ;;
  *) fail "not refused for the certificate: $said" ;;
esac
