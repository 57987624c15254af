"""boto 2, which signs by version 2: a bucket, an object with metadata, an address for others, and the end of it."""
import os
from urllib.parse import urlparse
from urllib.request import urlopen

from boto.s3.connection import OrdinaryCallingFormat, S3Connection

where = urlparse(os.environ["AWS_ENDPOINT_URL_S3"])
connection = S3Connection(
    os.environ["AWS_ACCESS_KEY_ID"],
    os.environ["AWS_SECRET_ACCESS_KEY"],
    is_secure=False,
    host=where.hostname,
    port=where.port,
    calling_format=OrdinaryCallingFormat(),
)
bucket = connection.create_bucket("day-boto2")
key = bucket.new_key("dir/ä x.txt")
key.set_metadata("who", "me too")
key.set_contents_from_string("hello")
found = bucket.get_key("dir/ä x.txt")
assert found.get_contents_as_string() == b"hello"
assert found.get_metadata("who") == "me too", found.metadata
assert [one.name for one in bucket.list(prefix="dir/")] == ["dir/ä x.txt"]
assert urlopen(found.generate_url(60)).read() == b"hello"
key.delete()
bucket.delete()
assert connection.lookup("day-boto2") is None
print("the day is over")
