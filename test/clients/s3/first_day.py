"""boto3: a bucket, objects small and large, lists, addresses for others, and the end of it, addressed by path and by host."""
import hashlib
import io
import os
import socket
import urllib.request

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

resolve = socket.getaddrinfo
# *.localhost is loopback by RFC 6761; not every resolver knows.
socket.getaddrinfo = lambda host, *more, **named: resolve(
    "127.0.0.1" if str(host).endswith(".localhost") else host, *more, **named
)

BIG = bytes(range(256)) * 4096 * 20


def refusal(act):
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


def client(style, signature, **more):
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"].replace("127.0.0.1", "localhost" if style == "virtual" else "127.0.0.1")
    config = Config(signature_version=signature, s3={"addressing_style": style})
    return boto3.client("s3", endpoint_url=endpoint, config=config, **more)


def small_day(style):
    """By version 2. The botocore of Debian 12 signs addresses of sub-resources (`?uploads`, `?delete`) wrongly by it, so without those."""
    s3 = client(style, "s3")
    bucket = f"small-{style}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="notes/ä b+c.txt", Body=b"hello", Metadata={"who": "me"})
    assert s3.get_object(Bucket=bucket, Key="notes/ä b+c.txt")["Body"].read() == b"hello"
    asked = {"Bucket": bucket, "Key": "notes/ä b+c.txt", "ResponseContentType": "text/x y"}
    answer = urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=asked))
    assert (answer.read(), answer.headers["content-type"]) == (b"hello", "text/x y")
    s3.delete_object(Bucket=bucket, Key="notes/ä b+c.txt")
    s3.delete_bucket(Bucket=bucket)


def day(style):
    s3 = client(style, "s3v4")
    bucket = f"day-{style}"
    s3.create_bucket(Bucket=bucket)
    put = s3.put_object(Bucket=bucket, Key="notes/ä b+c.txt", Body=b"hello", ContentType="text/x", Metadata={"who": "me"})
    assert put["ETag"] == '"' + hashlib.md5(b"hello").hexdigest() + '"', put
    got = s3.get_object(Bucket=bucket, Key="notes/ä b+c.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/x", {"who": "me"}), got
    part = s3.get_object(Bucket=bucket, Key="notes/ä b+c.txt", Range="bytes=1-2")
    assert (part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]) == (b"el", 206), part
    s3.upload_fileobj(io.BytesIO(BIG), bucket, "big")
    assert s3.head_object(Bucket=bucket, Key="big")["ContentLength"] == len(BIG)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "big", back)
    assert back.getvalue() == BIG
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in listed["Contents"]] == ["big"], listed
    assert [one["Prefix"] for one in listed["CommonPrefixes"]] == ["notes/"], listed
    # Who signs for another region is told the right one, and signs again.
    astray = client(style, "s3v4", region_name="mars-1")
    assert astray.get_object(Bucket=bucket, Key="notes/ä b+c.txt")["Body"].read() == b"hello"
    address = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "notes/ä b+c.txt"})
    assert urllib.request.urlopen(address).read() == b"hello"
    assert refusal(lambda: s3.get_object(Bucket=bucket, Key="none")) == "NoSuchKey"
    assert refusal(lambda: s3.head_object(Bucket=bucket, Key="none")) == "404"
    assert refusal(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    keys = [{"Key": "notes/ä b+c.txt"}, {"Key": "big"}]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"]) == 2
    assert bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket=bucket)
    assert refusal(lambda: s3.list_objects_v2(Bucket=bucket)) == "NoSuchBucket"


for style in ("path", "virtual"):
    day(style)
    small_day(style)
print("the day is over")
