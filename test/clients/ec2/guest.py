"""A guest that boots, by boto3: what it says of itself is what EC2 says of it, its key lets in, and it is asked to shut down before it is switched off."""

import base64
import os
import re
import subprocess
import time

import boto3
from botocore.config import Config

client = boto3.client(
    "ec2", endpoint_url=os.environ["AWS_ENDPOINT_URL_EC2"], config=Config(retries={"total_max_attempts": 1})
)
IMAGE = os.environ["NOVACTL_TEST_BOOT_IMAGE"]
SECONDS = int(os.environ["NOVACTL_TEST_PATIENCE_S"])
TYPE = "m1.nano"
METADATA = "wget -qO- http://169.254.169.254/latest"
USER_DATA = f"""#!/bin/sh
echo "GUEST-ID $({METADATA}/meta-data/instance-id)"
echo "GUEST-TYPE $({METADATA}/meta-data/instance-type)"
echo "GUEST-IMAGE $({METADATA}/meta-data/ami-id)"
echo "GUEST-KEY $({METADATA}/meta-data/public-keys/0/openssh-key)"
"""


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, must be {wanted!r}")


def waits(name, **which):
    client.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS}, **which)


def instance(id):
    return client.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def hears(id, pattern, times=1):
    """The console when it says it so often."""
    end = time.monotonic() + SECONDS
    while True:
        said = client.get_console_output(InstanceId=id, Latest=True).get("Output", "")
        if len(re.findall(pattern, said)) >= times:
            return said.replace("\r", "")
        if time.monotonic() > end:
            raise SystemExit(f"the console does not say {pattern} {times} times:\n{said[-3000:]}")
        time.sleep(0.5)


def state(id, **which):
    found = client.describe_instance_status(InstanceIds=[id], **which)["InstanceStatuses"]
    return [(one["InstanceState"]["Name"], one["SystemStatus"]["Status"], one["InstanceStatus"]["Status"]) for one in found]


def run():
    key = client.create_key_pair(KeyName="guest", KeyType="ed25519")
    path = os.path.join(os.environ["HOME"], "guest.pem")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key["KeyMaterial"])
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "guest"}]}]
    made = client.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType=TYPE, KeyName="guest", UserData=USER_DATA, TagSpecifications=tags
    )
    id = made["Instances"][0]["InstanceId"]
    waits("instance_running", InstanceIds=[id])
    waits("instance_status_ok", InstanceIds=[id])
    equal("status", state(id), [("running", "ok", "ok")])
    return id, path


def knows_itself(id):
    seen = instance(id)
    public = client.describe_key_pairs(KeyNames=["guest"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
    said = hears(id, "NOVACTL-READY")
    name = seen["PrivateDnsName"]
    for line in (
        f"NOVACTL-NET {seen['PrivateIpAddress']}/",
        f"NOVACTL-META {id} {name} {seen['InstanceType']}\n",
        f"GUEST-ID {id}\n",
        f"GUEST-TYPE {seen['InstanceType']}\n",
        f"GUEST-IMAGE {seen['ImageId']}\n",
        f"GUEST-KEY {' '.join(public.split()[:2])}",
        "NOVACTL-USERDATA-END 0",
    ):
        if line not in said:
            raise SystemExit(f"the console does not say {line!r}:\n{said[-3000:]}")
    equal("type", (seen["InstanceType"], seen["ImageId"], seen["KeyName"]), (TYPE, IMAGE, "guest"))
    told = client.describe_instance_attribute(InstanceId=id, Attribute="userData")["UserData"]["Value"]
    equal("user data", base64.b64decode(told).decode(), USER_DATA)


def lets_in(id, key):
    """By ssh with the key that boto3 was given, through the host, as its administrator goes there."""
    login = [os.environ["NOVACTL_TEST_NOVACTL"], "instance", "ssh", id, "--identity", key, "--login", "root", "--"]
    command = ["sh", "-c", f"hostname; {METADATA}/meta-data/instance-id"]
    done = subprocess.run([*login, *command], capture_output=True, text=True, timeout=SECONDS)
    host = instance(id)["PrivateDnsName"].split(".")[0]
    equal(f"ssh: {done.stderr}", (done.returncode, done.stdout.split()), (0, [host, id]))


def stops_and_ends(id):
    stopping = client.stop_instances(InstanceIds=[id])["StoppingInstances"][0]
    equal("before", stopping["PreviousState"]["Name"], "running")
    waits("instance_stopped", InstanceIds=[id])
    hears(id, "NOVACTL-SHUTDOWN")
    equal("status", state(id), [])
    equal("status", state(id, IncludeAllInstances=True)[0][0], "stopped")
    client.start_instances(InstanceIds=[id])
    waits("instance_running", InstanceIds=[id])
    hears(id, "NOVACTL-READY", times=2)
    client.terminate_instances(InstanceIds=[id])
    waits("instance_terminated", InstanceIds=[id])
    equal("state", instance(id)["State"]["Name"], "terminated")
    client.delete_key_pair(KeyName="guest")


id, key = run()
knows_itself(id)
lets_in(id, key)
stops_and_ends(id)
