"""Calls each EC2 action at least once on a cloud that it fills, with botocore's own parameters, and writes one JSON line an answer: action, XML.

The last line is what botocore's model says of the answers of these actions, for the walk.
"""

import gzip
import json
import os
import sys
import time
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

ENDPOINT = os.environ["AWS_ENDPOINT_URL_EC2"]
REGION = os.environ["AWS_REGION"]
VERSION = "2016-11-15"
client = boto3.client("ec2", endpoint_url=ENDPOINT, config=Config(retries={"total_max_attempts": 1}))
called = []


def note(action, xml):
    called.append(action)
    print(json.dumps({"action": action, "xml": xml}))


def taken(event_name, response_dict, **_):
    if response_dict is not None and response_dict["status_code"] == 200:
        note(event_name.rsplit(".", 1)[1], response_dict["body"].decode())


client.meta.events.register("response-received.ec2", taken)


def raw(action, **parameters):
    """For actions that this botocore does not know yet."""
    data = {"Action": action, "Version": VERSION, **parameters}
    request = AWSRequest("POST", ENDPOINT + "/", data=data)
    credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "ec2", REGION).add_auth(request)
    ready = request.prepare()
    body = ready.body if isinstance(ready.body, bytes) else ready.body.encode()
    asked = urllib.request.Request(ready.url, data=body, headers=dict(ready.headers), method="POST")
    with urllib.request.urlopen(asked) as answer:
        note(action, answer.read().decode())


def until(what, test, seconds=30):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise SystemExit(f"not in {seconds} s: {what}")
        time.sleep(0.05)


def tags(kind):
    return [{"ResourceType": kind, "Tags": [{"Key": "name", "Value": f"every {kind}"}]}]


def waits(name, **which):
    client.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 30}, **which)


def filter_(name, *values):
    return [{"Name": name, "Values": list(values)}]


ZONE = client.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"][0]["ZoneName"]
IMAGE = os.environ["NOVACTL_TEST_IMAGE"]


def account():
    # Before anything stands in it: a project's default VPC is made when it is needed, or when it is asked for.
    client.create_default_vpc()
    client.describe_regions()
    client.describe_account_attributes()
    client.describe_instance_types()
    client.describe_instance_type_offerings(LocationType="availability-zone")


def keys():
    client.create_key_pair(KeyName="made", KeyType="ed25519", TagSpecifications=tags("key-pair"))
    client.create_key_pair(KeyName="other")
    line = client.describe_key_pairs(KeyNames=["made"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
    client.import_key_pair(KeyName="imported", PublicKeyMaterial=line.encode(), TagSpecifications=tags("key-pair"))
    client.delete_key_pair(KeyName="other")


def groups():
    vpc = client.describe_vpcs(Filters=filter_("is-default", "true"))["Vpcs"][0]["VpcId"]
    group = client.create_security_group(
        GroupName="every", Description="all there is", VpcId=vpc, TagSpecifications=tags("security-group")
    )["GroupId"]
    spare = client.create_security_group(GroupName="spare", Description="to be gone")["GroupId"]
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    rules = client.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                **web,
                "IpRanges": [{"CidrIp": "10.1.0.0/16", "Description": "inside"}],
                "UserIdGroupPairs": [{"GroupId": spare, "Description": "spare ones"}],
            },
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        ],
        TagSpecifications=tags("security-group-rule"),
    )["SecurityGroupRules"]
    out = [{**web, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}]
    client.authorize_security_group_egress(GroupId=group, IpPermissions=out)
    rule = next(one for one in rules if "CidrIpv4" in one)["SecurityGroupRuleId"]
    client.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": rule,
                "SecurityGroupRule": {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "CidrIpv4": "10.1.0.0/16",
                    "Description": "inside",
                },
            }
        ],
    )
    client.update_security_group_rule_descriptions_ingress(
        GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule, "Description": "said anew"}]
    )
    said = [{**web, "IpRanges": [{"CidrIp": "192.0.2.0/24", "Description": "said"}]}]
    client.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=said)
    client.describe_security_groups(GroupIds=[group])
    client.describe_security_group_rules(Filters=filter_("group-id", group))
    client.describe_security_group_references(GroupId=[group])
    client.describe_stale_security_groups(VpcId=vpc)
    raw("GetSecurityGroupsForVpc", VpcId=vpc)
    client.revoke_security_group_egress(GroupId=group, IpPermissions=out)
    pairs = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": spare}]}]
    client.revoke_security_group_ingress(GroupId=group, IpPermissions=pairs)
    client.delete_security_group(GroupId=spare)
    return group


def instances(group):
    run = client.run_instances(
        ImageId=IMAGE,
        MinCount=2,
        MaxCount=2,
        KeyName="made",
        InstanceType="m1.tiny",
        SecurityGroupIds=[group],
        UserData="#!/bin/sh\n",
        ClientToken="every",
        TagSpecifications=tags("instance"),
    )
    one, two = [row["InstanceId"] for row in run["Instances"]]
    waits("instance_running", InstanceIds=[one, two])
    client.describe_instance_status(InstanceIds=[one], IncludeAllInstances=True)
    until("the console says something", lambda: client.get_console_output(InstanceId=one).get("Output"))
    client.get_password_data(InstanceId=one)
    client.monitor_instances(InstanceIds=[one])
    client.unmonitor_instances(InstanceIds=[one])
    client.modify_instance_metadata_options(InstanceId=one, HttpEndpoint="enabled")
    client.reboot_instances(InstanceIds=[two])
    client.modify_instance_attribute(InstanceId=two, DisableApiTermination={"Value": False})
    client.reset_instance_attribute(InstanceId=two, Attribute="sourceDestCheck")
    client.create_tags(Resources=[two], Tags=[{"Key": "second", "Value": "yes"}])
    client.describe_tags()
    client.delete_tags(Resources=[two], Tags=[{"Key": "second"}])
    return one, two


def volumes(instance):
    volume = client.create_volume(AvailabilityZone=ZONE, Size=1, TagSpecifications=tags("volume"))["VolumeId"]
    waits("volume_available", VolumeIds=[volume])
    client.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    waits("volume_in_use", VolumeIds=[volume])
    client.describe_volume_status()
    client.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")
    client.modify_volume_attribute(VolumeId=volume, AutoEnableIO={"Value": True})
    snapshot = client.create_snapshot(VolumeId=volume, Description="as it was", TagSpecifications=tags("snapshot"))
    snapshot = snapshot["SnapshotId"]
    waits("snapshot_completed", SnapshotIds=[snapshot])
    client.create_snapshots(
        InstanceSpecification={"InstanceId": instance}, Description="all of it", TagSpecifications=tags("snapshot")
    )
    everybody = {"Add": [{"Group": "all"}]}
    client.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", CreateVolumePermission=everybody
    )
    client.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    client.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    copy = client.copy_snapshot(
        SourceRegion=REGION, SourceSnapshotId=snapshot, Description="copied", TagSpecifications=tags("snapshot")
    )["SnapshotId"]
    waits("snapshot_completed", SnapshotIds=[copy])
    client.delete_snapshot(SnapshotId=copy)
    client.modify_volume(VolumeId=volume, Size=2)
    client.describe_volumes_modifications(VolumeIds=[volume])
    return volume


def addresses(instance):
    address = client.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))["AllocationId"]
    tie = client.associate_address(AllocationId=address, InstanceId=instance)["AssociationId"]
    client.describe_addresses()
    client.describe_addresses_attribute(AllocationIds=[address], Attribute="domain-name")
    return address, tie


def as_it_is(instance, volume):
    """What is described while all of it is there."""
    client.describe_instances(InstanceIds=[instance])
    for attribute in ("groupSet", "userData", "blockDeviceMapping", "instanceType"):
        client.describe_instance_attribute(InstanceId=instance, Attribute=attribute)
    client.describe_volumes(VolumeIds=[volume])
    nic = client.describe_network_interfaces()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    client.describe_network_interface_attribute(NetworkInterfaceId=nic, Attribute="attachment")
    client.describe_network_interface_attribute(NetworkInterfaceId=nic, Attribute="groupSet")
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, SourceDestCheck={"Value": True})
    client.detach_volume(VolumeId=volume)
    waits("volume_available", VolumeIds=[volume])
    client.delete_volume(VolumeId=volume)


def failing_image():
    """Of an object that is no disk: pending for a moment, then failed with the reason."""
    objects = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    objects.create_bucket(Bucket="every-action")
    objects.put_object(Bucket="every-action", Key="no-disk", Body=b"x" * 700)
    made = client.register_image(Name="fails", ImageLocation="every-action/no-disk")["ImageId"]
    until("the image fails", lambda: client.describe_images(ImageIds=[made])["Images"][0]["State"] == "failed")
    client.deregister_image(ImageId=made)


def images(instance):
    client.describe_images(Owners=["self"])
    registered = client.register_image(
        Name="registered",
        ImageLocation=os.environ["NOVACTL_TEST_UPLOAD"],
        Architecture="x86_64",
        RootDeviceName="/dev/sda1",
        VirtualizationType="hvm",
    )["ImageId"]
    made = client.create_image(InstanceId=instance, Name="made of it", Description="told", NoReboot=True)["ImageId"]
    waits("image_available", ImageIds=[made])
    copied = client.copy_image(Name="copied", SourceImageId=made, SourceRegion=REGION)["ImageId"]
    everybody = {"Add": [{"Group": "all"}, {"UserId": os.environ["NOVACTL_TEST_ACCOUNT"]}]}
    client.modify_image_attribute(ImageId=made, LaunchPermission=everybody)
    client.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    client.describe_image_attribute(ImageId=made, Attribute="description")
    client.reset_image_attribute(ImageId=made, Attribute="launchPermission")
    client.create_tags(Resources=[made], Tags=[{"Key": "name", "Value": "made"}])
    client.enable_image_deprecation(ImageId=made, DeprecateAt=time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + 31_536_000)))
    client.describe_images(ImageIds=[made, copied, registered], IncludeDeprecated=True)
    client.disable_image_deprecation(ImageId=made)
    client.deregister_image(ImageId=copied)


def networks():
    vpc = client.create_vpc(CidrBlock="10.77.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    client.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24", TagSpecifications=tags("subnet"))
    subnet = subnet["Subnet"]["SubnetId"]
    client.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    client.describe_subnets()
    gateway = client.create_internet_gateway(TagSpecifications=tags("internet-gateway"))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    client.describe_internet_gateways(InternetGatewayIds=[gateway])
    table = client.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table"))["RouteTable"]["RouteTableId"]
    other = client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    tie = client.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    way = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    client.create_route(GatewayId=gateway, **way)
    client.replace_route(GatewayId=gateway, **way)
    client.describe_route_tables(RouteTableIds=[table])
    client.describe_network_acls(Filters=filter_("vpc-id", vpc))
    client.describe_dhcp_options()
    client.describe_vpcs()
    tie = client.replace_route_table_association(AssociationId=tie, RouteTableId=other)["NewAssociationId"]
    client.delete_route(**way)
    client.disassociate_route_table(AssociationId=tie)
    for one in (table, other):
        client.delete_route_table(RouteTableId=one)
    client.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    client.delete_internet_gateway(InternetGatewayId=gateway)
    client.delete_subnet(SubnetId=subnet)
    client.delete_vpc(VpcId=vpc)


def not_there():
    """What this cloud has none of."""
    for name in (
        "capacity_reservations carrier_gateways customer_gateways egress_only_internet_gateways fleets flow_logs hosts "
        "iam_instance_profile_associations "
        "launch_templates managed_prefix_lists nat_gateways placement_groups prefix_lists reserved_instances "
        "spot_fleet_requests spot_instance_requests transit_gateways vpc_endpoints vpc_peering_connections "
        "vpn_connections vpn_gateways"
    ).split():
        getattr(client, f"describe_{name}")()


def ends(one, two, address, tie):
    client.disassociate_address(AssociationId=tie)
    client.release_address(AllocationId=address)
    client.stop_instances(InstanceIds=[one])
    waits("instance_stopped", InstanceIds=[one])
    client.start_instances(InstanceIds=[one])
    waits("instance_running", InstanceIds=[one])
    client.terminate_instances(InstanceIds=[one, two])
    waits("instance_terminated", InstanceIds=[one, two])


def model():
    """The shapes of the answers, with all that they are made of."""
    path = os.path.join(os.path.dirname(boto3.__file__), "..", "botocore", "data", "ec2", VERSION, "service-2.json")
    opened = open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz")
    with opened as file:
        whole = json.load(file)
    operations = {
        name: whole["operations"][name].get("output", {}).get("shape")
        for name in dict.fromkeys(called)
        if name in whole["operations"]
    }
    shapes = {}
    todo = [name for name in operations.values() if name is not None]
    while todo:
        name = todo.pop()
        if name in shapes:
            continue
        shape = whole["shapes"][name]
        shapes[name] = {key: value for key, value in shape.items() if not key.startswith("documentation")}
        todo += [member["shape"] for member in shape.get("members", {}).values()]
        todo += [shape["member"]["shape"]] if "member" in shape else []
    return {"operations": operations, "shapes": shapes, "all": sorted(whole["operations"])}


def main():
    account()
    keys()
    group = groups()
    one, two = instances(group)
    volume = volumes(one)
    address, tie = addresses(one)
    as_it_is(one, volume)
    images(one)
    failing_image()
    networks()
    not_there()
    ends(one, two, address, tie)
    print(json.dumps({"model": model()}))


if __name__ == "__main__":
    sys.exit(main())
