"""A day in the life of a cloud by boto 2.49, by the path /services/Cloud/: as it signs, and by version 2 as boto 1.9 to 2.34 signed."""

import os
import time
import warnings
from urllib.parse import urlparse

warnings.simplefilter("ignore")

from boto.auth import HmacAuthV4Handler, QuerySignatureV2AuthHandler  # noqa: E402
from boto.ec2.connection import EC2Connection  # noqa: E402
from boto.ec2.regioninfo import RegionInfo  # noqa: E402
from boto.exception import EC2ResponseError  # noqa: E402

IMAGE = os.environ["NOVACTL_TEST_IMAGE"]
where = urlparse(os.environ["AWS_ENDPOINT_URL_EC2"])


class Version2Connection(EC2Connection):
    def _required_auth_capability(self):
        return ["ec2"]


# On real hosts there are no groups, addresses and volumes: they are refused. Guests take their time there, and say something.
REAL = "NOVACTL_TEST_REAL" in os.environ
SAYS = os.environ.get("NOVACTL_TEST_CONSOLE", "")
SECONDS = int(os.environ.get("NOVACTL_TEST_PATIENCE_S", "40"))

WAYS = {"2": (Version2Connection, QuerySignatureV2AuthHandler), "4": (EC2Connection, HmacAuthV4Handler)}
connection, handler = WAYS[os.environ["NOVACTL_TEST_SIGNATURE"]]


def connect():
    return connection(
        # With the project behind it, as novarc has it for old clients.
        os.environ.get("EC2_ACCESS_KEY", os.environ["AWS_ACCESS_KEY_ID"]),
        os.environ["AWS_SECRET_ACCESS_KEY"],
        is_secure=where.scheme == "https",
        region=RegionInfo(name=os.environ["AWS_REGION"], endpoint=where.hostname),
        port=where.port,
        path="/services/Cloud/",
    )


cloud = connect()


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, must be {wanted!r}")


def refused(code, call, *args, **named):
    try:
        call(*args, **named)
    except EC2ResponseError as error:
        equal(str(error), error.error_code, code)
        assert error.error_message, "no message"
        return
    raise SystemExit(f"not refused with {code}: {args} {named}")


def until(what, thing, wanted, seconds=SECONDS):
    end = time.monotonic() + seconds
    while thing.update() != wanted:
        if time.monotonic() > end:
            raise SystemExit(f"{what} is not {wanted} in {seconds} s, but {thing.update()}")
        time.sleep(0.1)


def begin():
    equal("handler", type(cloud._auth_handler), handler)
    key = cloud.create_key_pair("day")
    assert "PRIVATE KEY" in key.material, "no private key"
    refused("InvalidKeyPair.Duplicate", cloud.create_key_pair, "day")
    equal("image", cloud.get_image(IMAGE).state, "available")
    assert cloud.get_all_regions() and cloud.get_all_zones(), "no regions or zones"


def groups():
    group = cloud.create_security_group("day", "a day")
    assert group.authorize("tcp", 22, 22, "0.0.0.0/0")
    refused("InvalidPermission.Duplicate", group.authorize, "tcp", 22, 22, "0.0.0.0/0")
    rules = cloud.get_all_security_groups(groupnames=["day"])[0].rules
    equal("rules", [(rule.ip_protocol, rule.from_port) for rule in rules], [("tcp", "22")])
    return group


def without():
    """What real hosts can't do yet: refused, and nothing of it is there afterwards."""
    code = "UnsupportedOperation"
    refused(code, cloud.create_security_group, "day", "a day")
    refused(code, cloud.allocate_address)
    refused(code, cloud.create_volume, 1, cloud.get_all_zones()[0].name)
    refused(code, cloud.run_instances, IMAGE, instance_type="m1.nano", security_groups=["day"])
    left = [cloud.get_all_security_groups(), cloud.get_all_addresses(), cloud.get_all_volumes(), cloud.get_all_reservations()]
    equal("made", left, [[], [], [], []])


def run():
    reservation = cloud.run_instances(
        IMAGE,
        min_count=6,
        max_count=6,
        key_name="day",
        instance_type="m1.nano",
        security_groups=[] if REAL else ["day"],
        user_data="#!/bin/sh\n",
        client_token="day2",
    )
    equal("count", len(reservation.instances), 6)
    for one in reservation.instances:
        until(one.id, one, "running")
    return reservation.instances


def look(instances):
    first = instances[0]
    first.add_tag("Name", "web-1")
    found = cloud.get_only_instances(filters={"tag:Name": "web-*", "instance-state-name": "running"})
    equal("by filter", [one.id for one in found], [first.id])
    equal("tag", found[0].tags, {"Name": "web-1"})
    page = cloud.get_all_reservations(max_results=5)
    rest = cloud.get_all_reservations(max_results=5, next_token=page.next_token)
    ids = [one.id for reservation in [*page, *rest] for one in reservation.instances]
    equal("by page", sorted(ids), sorted(one.id for one in instances))
    console(first)
    equal("groups", [group.name for group in found[0].groups], [] if REAL else ["day"])
    statuses = cloud.get_all_instance_status(instance_ids=[first.id])
    equal("status", (statuses[0].state_name, statuses[0].system_status.status), ("running", "ok"))
    refused("InvalidInstanceID.NotFound", cloud.get_only_instances, instance_ids=["i-0123456789abcdef0"])


def console(instance):
    end = time.monotonic() + SECONDS
    while True:
        said = (instance.get_console_output().output or b"").decode("utf-8", "replace")
        if said and SAYS in said:
            return
        if time.monotonic() > end:
            raise SystemExit(f"the console says {said!r}, must say {SAYS!r}")
        time.sleep(0.5)


def disk(instance):
    volume = cloud.create_volume(1, instance.placement)
    until(volume.id, volume, "available")
    assert volume.attach(instance.id, "/dev/sdf")
    until(volume.id, volume, "in-use")
    equal("attached to", volume.attach_data.instance_id, instance.id)
    snapshot = volume.create_snapshot("as it was")
    until(snapshot.id, snapshot, "100%")
    assert volume.detach()
    until(volume.id, volume, "available")
    assert snapshot.delete() and volume.delete()


def address(instance):
    made = cloud.allocate_address()
    assert made.associate(instance.id)
    instance.update()
    equal("address", instance.ip_address, made.public_ip)
    known = cloud.get_all_addresses([made.public_ip])[0]
    equal("instance of the address", known.instance_id, instance.id)
    assert known.disassociate() and known.release()


def end(instances, group):
    first = instances[0]
    first.stop()
    until(first.id, first, "stopped")
    first.start()
    until(first.id, first, "running")
    assert first.reboot()
    cloud.terminate_instances([one.id for one in instances])
    for one in instances:
        until(one.id, one, "terminated")
    assert group is None or group.delete()
    assert cloud.delete_key_pair("day")


begin()
if REAL:
    without()
group = None if REAL else groups()
instances = run()
look(instances)
if not REAL:
    disk(instances[0])
    address(instances[0])
end(instances, group)
