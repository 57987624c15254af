"""boto3 beyond its first day: transfers by threads, 3,000 keys by pages against a model, versions, copies, addresses for others, and the settings of buckets."""
import hashlib
import io
import json
import os
import random
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

MIB = 1 << 20
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, max_pool_connections=16),
)
B = "boto3-day"


def refusal(act):
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


def transfers():
    data = random.Random(7).randbytes(23 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=6, use_threads=True)
    s3.upload_fileobj(io.BytesIO(data), B, "large", Config=config, ExtraArgs={"Metadata": {"of": "threads"}})
    head = s3.head_object(Bucket=B, Key="large")
    md5s = b"".join(hashlib.md5(data[at : at + 5 * MIB]).digest() for at in range(0, len(data), 5 * MIB))
    assert head["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-5"', head
    assert head["Metadata"] == {"of": "threads"}
    back = io.BytesIO()
    s3.download_fileobj(B, "large", back, Config=config)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
    part = s3.get_object(Bucket=B, Key="large", PartNumber=5)
    assert (part["PartsCount"], part["Body"].read()) == (5, data[20 * MIB :])
    return data


def copies(data):
    s3.copy_object(Bucket=B, Key="copied", CopySource={"Bucket": B, "Key": "large"}, MetadataDirective="REPLACE", Metadata={"a": "b"})
    got = s3.get_object(Bucket=B, Key="copied")
    assert got["Metadata"] == {"a": "b"} and got["Body"].read() == data
    upload = s3.create_multipart_upload(Bucket=B, Key="of parts")["UploadId"]
    name = {"Bucket": B, "Key": "of parts", "UploadId": upload}
    parts = []
    for number, span in enumerate(["0-5242879", "6291456-12582911"], start=1):
        source = {"CopySource": {"Bucket": B, "Key": "large"}, "CopySourceRange": f"bytes={span}"}
        made = s3.upload_part_copy(**name, PartNumber=number, **source)
        parts.append({"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]})
    parts.append({"PartNumber": 3, "ETag": s3.upload_part(**name, PartNumber=3, Body=b"the end")["ETag"]})
    assert [one["PartNumber"] for one in s3.list_parts(**name)["Parts"]] == [1, 2, 3]
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=B)["Uploads"]] == ["of parts"]
    done = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    # Asked a second time, as clients do that lost the answer: the same.
    again = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    assert again["ETag"] == done["ETag"], again
    whole = s3.get_object(Bucket=B, Key="of parts")["Body"].read()
    assert whole == data[: 5 * MIB] + data[6 * MIB : 12 * MIB] + b"the end"
    late = {"Parts": [{"PartNumber": 1, "ETag": parts[0]["ETag"]}]}
    assert refusal(lambda: s3.complete_multipart_upload(**name, MultipartUpload=late)) == "NoSuchUpload"
    gone = s3.create_multipart_upload(Bucket=B, Key="gone")["UploadId"]
    s3.abort_multipart_upload(Bucket=B, Key="gone", UploadId=gone)
    assert refusal(lambda: s3.upload_part(Bucket=B, Key="gone", UploadId=gone, PartNumber=1, Body=b"x")) == "NoSuchUpload"


def model(keys, prefix, delimiter):
    """What S3 answers, in the order of UTF-8 bytes."""
    found, prefixes = [], set()
    for key in keys:
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            prefixes.add(prefix + rest[: rest.index(delimiter) + len(delimiter)])
        else:
            found.append(key)
    return sorted(found, key=str.encode), sorted(prefixes, key=str.encode)


def pages():
    s3.create_bucket(Bucket="boto3-keys")
    dice = random.Random(11)
    names = ["a", "b/", "ä", "z z", "~", "//", "A", "+", "%2F", "日本", "\U0001f600", "."]
    keys = {"/".join(dice.choices(names, k=dice.randint(1, 4))) + str(number) for number in range(3000)}
    assert len(keys) == 3000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket="boto3-keys", Key=key, Body=key.encode()), keys))
    asked = [("", ""), ("", "/"), ("a", "/"), ("b/", "/"), ("b//", ""), ("ä/", "/"), ("", "ä"), ("z", "//"), ("日", "/"), ("none", "/")]
    for call in ("list_objects_v2", "list_objects"):
        for prefix, delimiter in asked:
            for size in (1000, 137):
                answers = s3.get_paginator(call).paginate(
                    Bucket="boto3-keys", Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
                )
                found, prefixes = [], []
                for page in answers:
                    found += [one["Key"] for one in page.get("Contents", [])]
                    prefixes += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
                assert (found, prefixes) == model(keys, prefix, delimiter), (call, prefix, delimiter, size)
    ordered = sorted(keys, key=str.encode)
    page = s3.list_objects_v2(Bucket="boto3-keys", StartAfter=ordered[1499])
    assert [one["Key"] for one in page["Contents"]] == ordered[1500:2500]
    for at in range(0, 3000, 1000):
        batch = {"Objects": [{"Key": key} for key in ordered[at : at + 1000]], "Quiet": True}
        assert "Errors" not in s3.delete_objects(Bucket="boto3-keys", Delete=batch)
    s3.delete_bucket(Bucket="boto3-keys")


def versions():
    s3.put_bucket_versioning(Bucket=B, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=B)["Status"] == "Enabled"
    ids = [s3.put_object(Bucket=B, Key="v", Body=str(turn).encode())["VersionId"] for turn in range(5)]
    for turn, version in enumerate(ids):
        assert s3.get_object(Bucket=B, Key="v", VersionId=version)["Body"].read() == str(turn).encode()
    marker = s3.delete_object(Bucket=B, Key="v")
    assert marker["DeleteMarker"] and refusal(lambda: s3.get_object(Bucket=B, Key="v")) == "NoSuchKey"
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=B, Prefix="v", PaginationConfig={"PageSize": 2})
    assert [one["VersionId"] for page in pages for one in page.get("Versions", [])] == ids[::-1]
    s3.delete_object(Bucket=B, Key="v", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=B, Key="v")["Body"].read() == b"4"
    s3.delete_object(Bucket=B, Key="v", VersionId=ids[4])
    assert s3.get_object(Bucket=B, Key="v")["Body"].read() == b"3"
    s3.put_bucket_versioning(Bucket=B, VersioningConfiguration={"Status": "Suspended"})


def form(fields, data):
    edge = uuid.uuid4().hex
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'.encode() + data)
    return b"".join([*parts, f"\r\n--{edge}--\r\n".encode()]), f"multipart/form-data; boundary={edge}"


def presigned():
    name = {"Bucket": B, "Key": "signed ü"}
    put = s3.generate_presigned_url("put_object", Params={**name, "ContentType": "text/x"})
    request = urllib.request.Request(put, data=b"by an address", method="PUT", headers={"Content-Type": "text/x"})
    assert urllib.request.urlopen(request).status == 200
    answer = urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=name))
    assert (answer.read(), answer.headers["content-type"]) == (b"by an address", "text/x")
    limits = [{"x-amz-meta-who": "form"}, ["content-length-range", 1, 100]]
    post = s3.generate_presigned_post(B, "forms/${filename}", Fields={"x-amz-meta-who": "form"}, Conditions=limits)
    body, kind = form(post["fields"], b"by a form")
    request = urllib.request.Request(post["url"], data=body, headers={"Content-Type": kind})
    assert urllib.request.urlopen(request).status == 204
    got = s3.get_object(Bucket=B, Key="forms/x")
    assert (got["Body"].read(), got["Metadata"]) == (b"by a form", {"who": "form"})


def settings():
    tags = {"TagSet": [{"Key": "colour", "Value": "blue = white @ 1"}]}
    s3.put_object_tagging(Bucket=B, Key="large", Tagging=tags)
    assert s3.get_object_tagging(Bucket=B, Key="large")["TagSet"] == tags["TagSet"]
    s3.delete_object_tagging(Bucket=B, Key="large")
    assert s3.get_object_tagging(Bucket=B, Key="large")["TagSet"] == []
    s3.put_bucket_tagging(Bucket=B, Tagging=tags)
    assert s3.get_bucket_tagging(Bucket=B)["TagSet"] == tags["TagSet"]
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}},
        {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=B, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=B)["Rules"] == rules
    cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://x.example"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 5}]
    s3.put_bucket_cors(Bucket=B, CORSConfiguration={"CORSRules": cors})
    assert s3.get_bucket_cors(Bucket=B)["CORSRules"] == cors
    asked = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL_S3']}/{B}/large",
        method="OPTIONS",
        headers={"Origin": "https://x.example", "Access-Control-Request-Method": "GET"},
    )
    assert urllib.request.urlopen(asked).headers["access-control-allow-origin"] == "https://x.example"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{B}/forms/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=B, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=B)["Policy"]) == policy
    anonymous = f"{os.environ['AWS_ENDPOINT_URL_S3']}/{B}"
    assert urllib.request.urlopen(f"{anonymous}/forms/x").read() == b"by a form"
    try:
        urllib.request.urlopen(f"{anonymous}/large")
        raise AssertionError("read without a right")
    except urllib.error.HTTPError as error:
        assert error.code == 403


s3.create_bucket(Bucket=B)
DATA = transfers()
copies(DATA)
pages()
versions()
presigned()
settings()
print("the day is over")
