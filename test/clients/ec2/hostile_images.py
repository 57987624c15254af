"""Registers images of objects by boto3, waits for the end of each, and deregisters it. Standard input: a JSON object of names and locations; output: of each, how it ended.

A refusal: {"refused": code, "message"}; else {"state", "code", "message", "left": what describing it says after it was deregistered}.
"""

import json
import os
import sys
import time

import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
DEADLINE = time.monotonic() + 60


def asked(call, **words):
    try:
        return call(**words), None
    except ClientError as error:
        return None, error.response["Error"]


def settled(image_id):
    while True:
        (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
        if image["State"] != "pending":
            return image
        assert time.monotonic() < DEADLINE, "%s is pending" % image_id
        time.sleep(0.05)


def main():
    ends = {}
    begun = {}
    for name, location in json.load(sys.stdin).items():
        made, error = asked(ec2.register_image, Name=name, ImageLocation=location)
        if error is None:
            begun[name] = made["ImageId"]
        else:
            ends[name] = {"refused": error["Code"], "message": error["Message"]}
    for name, image_id in begun.items():
        image = settled(image_id)
        reason = image.get("StateReason", {})
        ec2.deregister_image(ImageId=image_id)
        _, gone = asked(ec2.describe_images, ImageIds=[image_id])
        ends[name] = {
            "state": image["State"],
            "code": reason.get("Code", ""),
            "message": reason.get("Message", ""),
            "left": gone["Code"] if gone else "it is there",
        }
    json.dump(ends, sys.stdout)


main()
