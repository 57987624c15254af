"""boto 2.49 (and boto3, for STS) with nothing but what novarc exports: the address and keys of the original's variables, the authority by BOTO_CONFIG."""

import os
import warnings

warnings.simplefilter("ignore")

import boto  # noqa: E402
import boto3  # noqa: E402
from boto.https_connection import InvalidCertificateException  # noqa: E402


def names(cloud):
    return [key.name for key in cloud.get_all_key_pairs()]


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, must be {wanted!r}")


sts = boto3.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"])
equal("account", sts.get_caller_identity()["Account"], os.environ["EC2_USER_ID"])

url = os.environ["EC2_URL"]
named = boto.connect_ec2_endpoint(url, os.environ["EC2_ACCESS_KEY"], os.environ["EC2_SECRET_KEY"])
equal("by EC2_ACCESS_KEY", names(named), ["by-novarc"])
# As boto finds them itself.
equal("by the environment", names(boto.connect_ec2_endpoint(url)), ["by-novarc"])
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    del os.environ[name]
equal("by boto.cfg", names(boto.connect_ec2_endpoint(url)), ["by-novarc"])

boto.config.remove_option("Boto", "ca_certificates_file")
boto.config.set("Boto", "num_retries", "0")
try:
    names(boto.connect_ec2_endpoint(url))
except (InvalidCertificateException, OSError) as error:
    if "certificate" not in str(error).lower():
        raise
else:
    raise SystemExit("any certificate will do")
