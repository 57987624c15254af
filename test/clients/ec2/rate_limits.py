"""boto3 and boto 2.49 above their rate limit: refused by EC2's code where they do not repeat, through by their own waiting where they do, served again after a rest."""

import os
import time
import warnings
from urllib.parse import urlparse

warnings.simplefilter("ignore")

import boto  # noqa: E402
import boto3  # noqa: E402
from boto.exception import BotoServerError  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

CODE = "RequestLimitExceeded"
URL = os.environ["AWS_ENDPOINT_URL_EC2"]
# More than fit into the burst of the test's cloud.
CALLS = 3
# Two of these follow one another faster than one flows in, however busy the machine is.
MANY = 30


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, must be {wanted!r}")


def client(attempts):
    return boto3.client("ec2", endpoint_url=URL, config=Config(retries={"mode": "standard", "total_max_attempts": attempts}))


def refusal(call, error_type):
    for _ in range(MANY):
        try:
            call()
        except error_type as error:
            return error
    raise SystemExit(f"{MANY} requests at once were not too many")


def by_boto3():
    patient, hasty = client(10), client(1)
    vpc = patient.describe_vpcs()["Vpcs"][0]["VpcId"]
    # For the AWS CLI to read by pages.
    patient.create_tags(Resources=[vpc], Tags=[{"Key": f"key{n:02}", "Value": "x"} for n in range(24)])
    answers = [patient.describe_regions() for _ in range(CALLS)]
    equal("regions", {answer["Regions"][0]["RegionName"] for answer in answers}, {"nova"})
    repeated = sum(answer["ResponseMetadata"]["RetryAttempts"] for answer in answers)
    if repeated == 0:
        raise SystemExit("no request was repeated: the limit did nothing")
    error = refusal(hasty.describe_regions, ClientError).response
    equal("code", error["Error"]["Code"], CODE)
    assert error["Error"]["Message"], "no message"
    equal("status", error["ResponseMetadata"]["HTTPStatusCode"], 503)
    # What changes something has a bucket of its own.
    hasty.create_key_pair(KeyName="meanwhile")
    time.sleep(int(error["ResponseMetadata"]["HTTPHeaders"]["retry-after"]))
    equal("after the rest", len(hasty.describe_regions()["Regions"]), 1)


def by_boto2():
    where = f"{URL}/services/Cloud/"
    keys = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    equal("host", urlparse(where).hostname, "127.0.0.1")
    boto.config.add_section("Boto")
    boto.config.set("Boto", "num_retries", "0")
    error = refusal(boto.connect_ec2_endpoint(where, *keys).get_all_regions, BotoServerError)
    equal("code", (error.status, error.error_code), (503, CODE))
    boto.config.set("Boto", "num_retries", "8")
    patient = boto.connect_ec2_endpoint(where, *keys)
    for _ in range(CALLS - 1):
        equal("regions", [region.name for region in patient.get_all_regions()], ["nova"])


by_boto3()
by_boto2()
