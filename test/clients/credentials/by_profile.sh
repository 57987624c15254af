#!/bin/sh
# The AWS CLI by the profile in aws/config and aws/credentials. Given: their folder, the profile, the address, AWS (its program).
set -eu
cd "$1"
# By a path of their own: the AWS CLI expands $ in these.
AWS_CONFIG_FILE=aws/config
AWS_SHARED_CREDENTIALS_FILE=aws/credentials
export AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
"$AWS" --profile "$2" --endpoint-url "$3" ec2 describe-key-pairs --query 'KeyPairs[].KeyName' --output text
