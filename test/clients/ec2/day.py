"""A day in the life of a cloud by boto3, with its waiters and pages."""

import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

IMAGE = os.environ["NOVACTL_TEST_IMAGE"]
client = boto3.client(
    "ec2", endpoint_url=os.environ["AWS_ENDPOINT_URL_EC2"], config=Config(retries={"total_max_attempts": 1})
)
ec2 = boto3.resource("ec2", endpoint_url=os.environ["AWS_ENDPOINT_URL_EC2"])
# On real hosts there are no groups, addresses and volumes: they are refused. Guests take their time there, and say something.
REAL = "NOVACTL_TEST_REAL" in os.environ
SAYS = os.environ.get("NOVACTL_TEST_CONSOLE", "")
SECONDS = int(os.environ.get("NOVACTL_TEST_PATIENCE_S", "40"))
QUICK = {"Delay": 1, "MaxAttempts": SECONDS}


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, must be {wanted!r}")


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        equal(str(error), error.response["Error"]["Code"], code)
        assert error.response["Error"]["Message"] and error.response["ResponseMetadata"]["RequestId"]
        return
    raise SystemExit(f"not refused with {code}: {parameters}")


def waits(name, **which):
    client.get_waiter(name).wait(WaiterConfig=QUICK, **which)


def begin():
    key = client.create_key_pair(KeyName="day", KeyType="ed25519")
    assert key["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----"), "no private key"
    refused("InvalidKeyPair.Duplicate", client.create_key_pair, KeyName="day")
    waits("image_available", ImageIds=[IMAGE])
    equal("image", client.describe_images(ImageIds=[IMAGE])["Images"][0]["State"], "available")


def groups():
    group = client.create_security_group(GroupName="day", Description="a day")["GroupId"]
    waits("security_group_exists", GroupIds=[group])
    ssh = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    client.authorize_security_group_ingress(GroupId=group, IpPermissions=ssh)
    refused(
        "InvalidPermission.Duplicate", client.authorize_security_group_ingress, GroupId=group, IpPermissions=ssh
    )
    return {"SecurityGroupIds": [group]}


def run(group):
    """Given: what is said of groups."""
    asked = {
        "ImageId": IMAGE,
        "MinCount": 7,
        "MaxCount": 7,
        "InstanceType": "m1.nano",
        "KeyName": "day",
        **group,
        "ClientToken": "one-day",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "day", "Value": "first"}]}],
    }
    refused("DryRunOperation", client.run_instances, DryRun=True, **asked)
    made = client.run_instances(**asked)
    again = client.run_instances(**asked)
    equal("reservation of the same token", again["ReservationId"], made["ReservationId"])
    refused("IdempotentParameterMismatch", client.run_instances, **{**asked, "MinCount": 1, "MaxCount": 1})
    ids = sorted(one["InstanceId"] for one in made["Instances"])
    equal("count", len(ids), 7)
    waits("instance_exists", InstanceIds=ids)
    waits("instance_running", InstanceIds=ids)
    waits("instance_status_ok", InstanceIds=ids)
    waits("system_status_ok", InstanceIds=ids)
    return ids


def look(ids):
    client.create_tags(Resources=ids[:2], Tags=[{"Key": "Name", "Value": "web-1"}])
    pages = client.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "tag:day", "Values": ["f*"]}, {"Name": "instance-state-name", "Values": ["running"]}],
        PaginationConfig={"PageSize": 5},
    )
    by_page = [
        [one["InstanceId"] for reservation in page["Reservations"] for one in reservation["Instances"]] for page in pages
    ]
    equal("pages", [len(page) for page in by_page], [5, 2])
    equal("by page", sorted(sum(by_page, [])), ids)
    named = [one.id for one in ec2.instances.filter(Filters=[{"Name": "tag:Name", "Values": ["web-?"]}])]
    equal("by name", sorted(named), sorted(ids[:2]))
    tags = client.describe_tags(Filters=[{"Name": "resource-id", "Values": ids[:1]}])["Tags"]
    equal("tags", sorted(tag["Key"] for tag in tags), ["Name", "day"])
    console(ids[0])
    refused("InvalidInstanceID.NotFound", client.describe_instances, InstanceIds=["i-0123456789abcdef0"])
    refused("InvalidInstanceID.Malformed", client.describe_instances, InstanceIds=["i-nothing"])


def console(instance):
    end = time.monotonic() + SECONDS
    while True:
        said = ec2.Instance(instance).console_output(Latest=True).get("Output", "")
        if said and SAYS in said:
            return
        if time.monotonic() > end:
            raise SystemExit(f"the console says {said!r}, must say {SAYS!r}")
        time.sleep(0.5)


def without():
    """What real hosts can't do yet: refused, and nothing of it is there afterwards."""
    code = "UnsupportedOperation"
    group, volume = "sg-0123456789abcdef0", "vol-0123456789abcdef0"
    zone = client.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    ssh = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    asked = {"ImageId": IMAGE, "MinCount": 1, "MaxCount": 1, "InstanceType": "m1.nano"}
    disk = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]
    public = [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]
    refused(code, client.create_security_group, GroupName="day", Description="a day")
    refused(code, client.authorize_security_group_ingress, GroupId=group, IpPermissions=ssh)
    refused(code, client.allocate_address, Domain="vpc")
    refused(code, client.create_volume, AvailabilityZone=zone, Size=1)
    refused(code, client.create_snapshot, VolumeId=volume)
    refused(code, client.create_vpc, CidrBlock="10.9.0.0/16")
    refused(code, client.run_instances, SecurityGroupIds=[group], **asked)
    refused(code, client.run_instances, SecurityGroups=["day"], **asked)
    refused(code, client.run_instances, BlockDeviceMappings=disk, **asked)
    refused(code, client.run_instances, NetworkInterfaces=public, **asked)
    left = {
        "Addresses": client.describe_addresses(),
        "Reservations": client.describe_instances(),
        "SecurityGroups": client.describe_security_groups(),
        "Snapshots": client.describe_snapshots(OwnerIds=["self"]),
        "Volumes": client.describe_volumes(),
    }
    equal("made", {name: answer[name] for name, answer in left.items()}, {name: [] for name in left})


def without_of(instance):
    code = "UnsupportedOperation"
    volume = "vol-0123456789abcdef0"
    refused(code, client.attach_volume, VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    refused(code, client.associate_address, InstanceId=instance, PublicIp="192.0.2.1")
    refused(code, client.modify_instance_attribute, InstanceId=instance, Groups=["sg-0123456789abcdef0"])
    image_of(instance)
    seen = ec2.Instance(instance)
    equal("groups", seen.security_groups, [])
    equal("public address", seen.public_ip_address, None)


def image_of(instance):
    """Its disk as it is now, and not rebooted for it."""
    made = client.create_image(InstanceId=instance, Name="of the day", NoReboot=True)["ImageId"]
    waits("image_available", ImageIds=[made])
    client.deregister_image(ImageId=made)


def disks(instance):
    zone = ec2.Instance(instance).placement["AvailabilityZone"]
    volume = client.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    waits("volume_available", VolumeIds=[volume])
    client.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    waits("volume_in_use", VolumeIds=[volume])
    disk = ec2.Instance(instance).block_device_mappings
    equal("disks", [(one["DeviceName"], one["Ebs"]["VolumeId"]) for one in disk], [("/dev/sdf", volume)])
    snapshot = client.create_snapshot(VolumeId=volume)["SnapshotId"]
    waits("snapshot_completed", SnapshotIds=[snapshot])
    client.detach_volume(VolumeId=volume)
    waits("volume_available", VolumeIds=[volume])
    client.delete_volume(VolumeId=volume)
    waits("volume_deleted", VolumeIds=[volume])
    client.delete_snapshot(SnapshotId=snapshot)


def address(instance):
    made = client.allocate_address(Domain="vpc")
    client.associate_address(AllocationId=made["AllocationId"], InstanceId=instance)
    equal("address", ec2.Instance(instance).public_ip_address, made["PublicIp"])
    tie = client.describe_addresses(PublicIps=[made["PublicIp"]])["Addresses"][0]
    equal("instance of the address", tie["InstanceId"], instance)
    client.disassociate_address(AssociationId=tie["AssociationId"])
    client.release_address(AllocationId=made["AllocationId"])


def end(ids, group):
    stopped = client.stop_instances(InstanceIds=ids[:1])["StoppingInstances"][0]
    equal("before", stopped["PreviousState"]["Name"], "running")
    waits("instance_stopped", InstanceIds=ids[:1])
    client.start_instances(InstanceIds=ids[:1])
    waits("instance_running", InstanceIds=ids[:1])
    client.terminate_instances(InstanceIds=ids)
    waits("instance_terminated", InstanceIds=ids)
    states = {one.state["Name"] for one in ec2.instances.filter(InstanceIds=ids)}
    equal("states", states, {"terminated"})
    for one in group.get("SecurityGroupIds", []):
        client.delete_security_group(GroupId=one)
    client.delete_key_pair(KeyName="day")
    left = client.describe_key_pairs()["KeyPairs"]
    equal("keys", [key["KeyName"] for key in left], [])


begin()
if REAL:
    without()
group = {} if REAL else groups()
ids = run(group)
look(ids)
if REAL:
    without_of(ids[0])
else:
    disks(ids[0])
    address(ids[0])
end(ids, group)
