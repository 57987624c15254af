"""The calls that Terraform's AWS provider makes for data sources, a key pair, a group, an instance and a volume: plan, apply, plan again, change, destroy.

After its internal/service/ec2 (v5): instance.go, ebs_volume.go, ebs_volume_attachment.go, vpc*.go, security_group.go, key_pair.go, eip.go. It ends with
another code than 0 at the first answer at which Terraform would fail.
"""

import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL_EC2"]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5lv5R4GCWzGXpTpPuMzAyk0YpVHTPbWAPmsdDd7Nv2 terraform"
ec2 = boto3.client("ec2", endpoint_url=ENDPOINT, config=Config(retries={"total_max_attempts": 1}))
sts = boto3.client("sts", endpoint_url=ENDPOINT)


def by(**filters):
    return [{"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]} for name, value in filters.items()]


def only(rows):
    assert len(rows) == 1, rows
    return rows[0]


def tags(kind, **values):
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in values.items()]}


def refused(code, call):
    try:
        call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise SystemExit(f"nobody said {code}")


def until(what, test):
    end = time.monotonic() + 20
    while not test():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def vpc_facts(vpc_id):
    for name in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics"):
        ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)
    only(ec2.describe_network_acls(Filters=by(default="true", vpc_id=vpc_id))["NetworkAcls"])
    only(ec2.describe_route_tables(Filters=by(association__main="true", vpc_id=vpc_id))["RouteTables"])
    only(ec2.describe_security_groups(Filters=by(group_name="default", vpc_id=vpc_id))["SecurityGroups"])


# provider "aws"
account = sts.get_caller_identity()["Account"]
ec2.describe_account_attributes(AttributeNames=["supported-platforms"])

# data "aws_ami", "aws_vpc", "aws_subnets", "aws_availability_zones"
image = only(ec2.describe_images(Owners=["self"], Filters=by(name="debian-12"), IncludeDeprecated=False)["Images"])
vpc = only(ec2.describe_vpcs(Filters=by(isDefault="true"))["Vpcs"])
assert vpc["OwnerId"] == account
vpc_facts(vpc["VpcId"])
subnet = ec2.describe_subnets(Filters=by(vpc_id=vpc["VpcId"]))["Subnets"][0]
zone = only(ec2.describe_availability_zones(AllAvailabilityZones=False, Filters=by(state="available"))["AvailabilityZones"])
ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=by(instance_type="m1.nano"))

# aws_key_pair
ec2.import_key_pair(KeyName="tf", PublicKeyMaterial=PUBLIC_KEY.encode(), TagSpecifications=[tags("key-pair", of="tf")])
key = only(ec2.describe_key_pairs(KeyNames=["tf"])["KeyPairs"])
assert key["KeyPairId"].startswith("key-")

# aws_security_group, aws_vpc_security_group_ingress_rule
group = ec2.create_security_group(
    GroupName="tf", Description="Managed by Terraform", VpcId=vpc["VpcId"], TagSpecifications=[tags("security-group", of="tf")]
)["GroupId"]
everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
only(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"])
ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everywhere])
ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[everywhere])
ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "ssh"}]}
rule = only(
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[ssh], TagSpecifications=[tags("security-group-rule", of="tf")]
    )["SecurityGroupRules"]
)["SecurityGroupRuleId"]
only(ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"])

# aws_instance with an ebs_block_device
ec2.describe_instance_types(InstanceTypes=["m1.nano"])
launched = ec2.run_instances(
    **{"ImageId": image["ImageId"], "InstanceType": "m1.nano", "MinCount": 1, "MaxCount": 1, "KeyName": "tf"},
    **{"ClientToken": "terraform-20261122000000", "SecurityGroupIds": [group], "SubnetId": subnet["SubnetId"]},
    **{"DisableApiTermination": False, "DisableApiStop": False, "EbsOptimized": False, "Monitoring": {"Enabled": False}},
    **{"InstanceInitiatedShutdownBehavior": "stop", "UserData": "#!/bin/sh\n", "Placement": {}},
    BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}],
    TagSpecifications=[tags("instance", Name="tf"), tags("volume", Name="tf")],
)
instance_id = only(launched["Instances"])["InstanceId"]


def instance():
    return only(only(ec2.describe_instances(InstanceIds=[instance_id])["Reservations"])["Instances"])


def is_in(state):
    return lambda: instance()["State"]["Name"] == state


def read_instance():
    row = instance()
    facts = only(ec2.describe_instance_types(InstanceTypes=[row["InstanceType"]])["InstanceTypes"])
    # It asks for credits where the type has them, and takes "unsupported" for none.
    assert facts["BurstablePerformanceSupported"] is False
    refused("UnsupportedOperation", lambda: ec2.describe_instance_credit_specifications(InstanceIds=[instance_id]))
    for name in ("disableApiStop", "disableApiTermination", "instanceInitiatedShutdownBehavior", "userData"):
        ec2.describe_instance_attribute(InstanceId=instance_id, Attribute=name)
    ids = [one["Ebs"]["VolumeId"] for one in row["BlockDeviceMappings"]]
    assert len(ec2.describe_volumes(VolumeIds=ids)["Volumes"]) == 1
    only(ec2.describe_images(ImageIds=[row["ImageId"]])["Images"])
    ec2.describe_tags(Filters=by(resource_id=instance_id))
    assert only(row["NetworkInterfaces"])["Attachment"]["DeviceIndex"] == 0
    ec2.describe_network_interfaces(Filters=by(attachment__instance_id=instance_id))
    assert ec2.describe_iam_instance_profile_associations(Filters=by(instance_id=instance_id)) is not None


until("running", is_in("running"))
until("attached", lambda: only(instance()["BlockDeviceMappings"])["Ebs"]["Status"] == "attached")
read_instance()

# aws_ebs_volume, aws_volume_attachment
volume_id = ec2.create_volume(
    AvailabilityZone=zone["ZoneName"], ClientToken="terraform-2", Size=1, TagSpecifications=[tags("volume", of="tf")]
)["VolumeId"]
until("made", lambda: only(ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"])["State"] == "available")
at = by(attachment__device="/dev/sdg", attachment__instance_id=instance_id)
assert ec2.describe_volumes(VolumeIds=[volume_id], Filters=at)["Volumes"] == []
ec2.attach_volume(Device="/dev/sdg", InstanceId=instance_id, VolumeId=volume_id)
until("in use", lambda: only(ec2.describe_volumes(VolumeIds=[volume_id], Filters=at)["Volumes"])["Attachments"][0]["State"] == "attached")
ec2.modify_volume(VolumeId=volume_id, Size=2)
until("grown", lambda: only(ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"])["ModificationState"] == "completed")

# A change in place, and one that stops it.
ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})
ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "Name", "Value": "tf2"}])
ec2.stop_instances(InstanceIds=[instance_id], Force=True)
until("stopped", is_in("stopped"))
ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "m1.tiny"})
ec2.start_instances(InstanceIds=[instance_id])
until("running again", is_in("running"))

# destroy
ec2.detach_volume(Device="/dev/sdg", InstanceId=instance_id, VolumeId=volume_id)
until("detached", lambda: ec2.describe_volumes(VolumeIds=[volume_id], Filters=at)["Volumes"] == [])
ec2.delete_volume(VolumeId=volume_id)


def is_deleted():
    try:
        return ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"] == []
    except ClientError as error:
        return error.response["Error"]["Code"] == "InvalidVolume.NotFound"


until("deleted", is_deleted)
ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})
ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": False})
ec2.terminate_instances(InstanceIds=[instance_id])
until("terminated", is_in("terminated"))
ec2.describe_network_interfaces(Filters=by(group_id=group))
ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
ec2.delete_security_group(GroupId=group)
refused("InvalidGroup.NotFound", lambda: ec2.describe_security_groups(GroupIds=[group]))
ec2.delete_key_pair(KeyName="tf")
refused("InvalidKeyPair.NotFound", lambda: ec2.describe_key_pairs(KeyNames=["tf"]))
until("its volume went with it", lambda: ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["tf"]}])["Volumes"] == [])
sys.exit(0)
