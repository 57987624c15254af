#!/bin/sh
# A day in the life of a cloud by the AWS CLI, with its waiters and pages. Given: AWS (its program).
set -eu

image=$NOVACTL_TEST_IMAGE
# On real hosts there are no groups, addresses and volumes: they are refused. Guests take their time there, and say something.
real=${NOVACTL_TEST_REAL:-}
says=${NOVACTL_TEST_CONSOLE:-}
seconds=${NOVACTL_TEST_PATIENCE_S:-40}

ec2() {
  "$AWS" --endpoint-url "$AWS_ENDPOINT_URL_EC2" ec2 "$@"
}

fail() {
  echo "$*" >&2
  exit 1
}

# The text of an answer: ec2 QUERY COMMAND...
ask() {
  query=$1
  shift
  ec2 "$@" --output text --query "$query"
}

equal() {
  [ "$2" = "$3" ] || fail "$1: $2, must be $3"
}

# refused CODE COMMAND...
refused() {
  code=$1
  shift
  if said=$(ec2 "$@" 2>&1); then fail "not refused: $*"; fi
  case $said in
    *"($code)"*) ;;
    *) fail "$*: $said, must be $code" ;;
  esac
}

ask KeyMaterial create-key-pair --key-name day >"$HOME/day.pem"
grep -q 'PRIVATE KEY' "$HOME/day.pem" || fail "no private key"
ec2 wait image-available --image-ids "$image"
set -- --image-id "$image" --instance-type m1.nano --key-name day
if [ -n "$real" ]; then
  zone=$(ask 'AvailabilityZones[0].ZoneName' describe-availability-zones)
  refused UnsupportedOperation create-security-group --group-name day --description 'a day'
  refused UnsupportedOperation allocate-address --domain vpc
  refused UnsupportedOperation create-volume --availability-zone "$zone" --size 1
  refused UnsupportedOperation run-instances "$@" --security-group-ids sg-0123456789abcdef0
  equal instances "$(ask 'length(Reservations)' describe-instances)" 0
else
  group=$(ask GroupId create-security-group --group-name day --description 'a day')
  ask Return authorize-security-group-ingress --group-id "$group" --protocol tcp --port 22 --cidr 0.0.0.0/0 >"$HOME/said"
  equal authorized "$(cat "$HOME/said")" True
  refused InvalidGroup.Duplicate create-security-group --group-name day --description again
  set -- "$@" --security-group-ids "$group"
fi

ids=$(ask 'Instances[].InstanceId' run-instances "$@" --count 6 --user-data '#!/bin/sh' \
  --tag-specifications 'ResourceType=instance,Tags=[{Key=day,Value=first}]')
# shellcheck disable=SC2086
set -- $ids
equal count $# 6
first=$1
# What can be said at once, before the waiters begin, which look every 15 seconds.
ec2 create-tags --resources "$first" --tags Key=Name,Value=web-1
refused InvalidInstanceID.NotFound describe-instances --instance-ids i-0123456789abcdef0
refused DryRunOperation stop-instances --dry-run --instance-ids "$first"
# shellcheck disable=SC2086
ec2 wait instance-running --instance-ids $ids
ec2 wait instance-status-ok --instance-ids "$1"

equal 'by filter' "$(ask 'Reservations[].Instances[].InstanceId' describe-instances \
  --filters 'Name=tag:Name,Values=web-*' Name=instance-state-name,Values=running)" "$first"
equal 'by page' "$(ask 'length(Reservations[].Instances[])' describe-instances --page-size 5 | tr '\n' ' ')" '5 1 '
end=$(($(date +%s) + seconds))
until said=$(ask Output get-console-output --instance-id "$first" --latest) && [ -n "$said" ] &&
  case $said in *"$says"*) true ;; *) false ;; esac do
  [ "$(date +%s)" -lt "$end" ] || fail "the console says: $said, must say: $says"
done

if [ -z "$real" ]; then
  zone=$(ask 'Reservations[0].Instances[0].Placement.AvailabilityZone' describe-instances --instance-ids "$first")
  volume=$(ask VolumeId create-volume --availability-zone "$zone" --size 1)
  ec2 wait volume-available --volume-ids "$volume"
  equal device "$(ask Device attach-volume --volume-id "$volume" --instance-id "$first" --device /dev/sdf)" /dev/sdf
  ec2 wait volume-in-use --volume-ids "$volume"
  equal disk "$(ask 'Reservations[0].Instances[0].BlockDeviceMappings[].Ebs.VolumeId' describe-instances \
    --instance-ids "$first")" "$volume"
  ask State detach-volume --volume-id "$volume" >"$HOME/said"
  ec2 wait volume-available --volume-ids "$volume"
  ec2 delete-volume --volume-id "$volume"

  allocation=$(ask AllocationId allocate-address --domain vpc)
  tie=$(ask AssociationId associate-address --allocation-id "$allocation" --instance-id "$first")
  equal address "$(ask 'Addresses[0].InstanceId' describe-addresses --allocation-ids "$allocation")" "$first"
  ec2 disassociate-address --association-id "$tie"
  ec2 release-address --allocation-id "$allocation"
fi

equal before "$(ask 'StoppingInstances[0].PreviousState.Name' stop-instances --force --instance-ids "$first")" running
ec2 wait instance-stopped --instance-ids "$first"
equal before "$(ask 'StartingInstances[0].PreviousState.Name' start-instances --instance-ids "$first")" stopped
ec2 wait instance-running --instance-ids "$first"
# shellcheck disable=SC2086
equal ending "$(ask 'length(TerminatingInstances)' terminate-instances --instance-ids $ids)" 6
# shellcheck disable=SC2086
ec2 wait instance-terminated --instance-ids $ids
[ -n "$real" ] || ec2 delete-security-group --group-id "$group"
ec2 delete-key-pair --key-name day
