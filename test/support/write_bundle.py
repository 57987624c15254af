"""Writes an EC2 bundle as euca-bundle-image does: tar, gzip, openssl enc, parts, a manifest that openssl signs. Shares no code with what opens it.

Each line of standard input is one, as JSON, and is answered by a line: the bytes of its archive. Given: folder, image (path), name, userKey, ec2Cert (paths), partBytes, tar (arguments before -C), and what is to be wrong:
  archive: path of a tar to pack in its place; manifest: [from, to] pairs, replaced before signing; after: the same after signing;
  key, iv: hex digits to encrypt with; size, digest: what to announce.
"""

import binascii
import functools
import hashlib
import json
import os
import subprocess
import sys



@functools.lru_cache
def run(*argv, given=b""):
    return subprocess.run(argv, input=given, stdout=subprocess.PIPE, check=True).stdout


def wrapped(text, cert):
    argv = ["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", cert, "-pkeyopt", "rsa_padding_mode:pkcs1"]
    return binascii.hexlify(run(*argv, given=text.encode())).decode()


def element(name, text, **attributes):
    said = "".join(' %s="%s"' % pair for pair in sorted(attributes.items()))
    return "<%s%s>%s</%s>" % (name, said, text, name)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(asked):
    image = asked["image"]
    folder = asked["folder"]
    if "archive" in asked:
        archive = read(asked["archive"])
    else:
        archive = run("tar", *asked.get("tar", ["-c", "-h", "-S"]), "-C", os.path.dirname(image), os.path.basename(image))
    key = asked.get("key", "00112233445566778899aabbccddeeff")
    iv = asked.get("iv", "ffeeddccbbaa99887766554433221100")
    packed = archive if asked.get("plain") else run("gzip", "-c", given=archive)
    sealed = run("openssl", "enc", "-e", "-aes-128-cbc", "-K", key, "-iv", iv, given=packed)

    parts = []
    size = asked.get("partBytes", 10 * 1024 * 1024)
    for index, at in enumerate(range(0, len(sealed), size)):
        part = sealed[at : at + size]
        name = "%s.part.%02d" % (asked["name"], index)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(part)
        digest = element("digest", hashlib.sha1(part).hexdigest(), algorithm="SHA1")
        parts.append(element("part", element("filename", name) + digest, index=index))

    image_size = asked.get("size", os.path.getsize(image) if image else 0)
    cert = asked["ec2Cert"]
    machine = element("architecture", "x86_64") + element("kernel_id", "aki-0123456789abcdef0")
    inside = (
        element("name", asked["name"])
        + element("user", "123456789012")
        + element("type", "machine")
        + element("digest", asked.get("digest", hashlib.sha1(archive).hexdigest()), algorithm="SHA1")
        + element("size", image_size)
        + element("bundled_size", len(sealed))
        + element("ec2_encrypted_key", wrapped(key, cert), algorithm="AES-128-CBC")
        + element("user_encrypted_key", wrapped(key, asked["userCert"]), algorithm="AES-128-CBC")
        + element("ec2_encrypted_iv", wrapped(iv, cert))
        + element("user_encrypted_iv", wrapped(iv, asked["userCert"]))
        + element("parts", "".join(parts), count=len(parts))
    )
    signed = element("machine_configuration", machine) + element("image", inside)
    for was, becomes in asked.get("manifest", []):
        assert was in signed, was
        signed = signed.replace(was, becomes)
    signature = run("openssl", "dgst", "-sha1", "-sign", asked["userKey"], given=signed.encode())
    bundler = element("name", "euca-tools") + element("version", "3.4.1") + element("release", "0")
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<manifest><version>2007-10-10</version>'
        + element("bundler", bundler)
        + signed
        + element("signature", binascii.hexlify(signature).decode())
        + "</manifest>\n"
    )
    for was, becomes in asked.get("after", []):
        assert was in manifest, was
        manifest = manifest.replace(was, becomes)
    with open(os.path.join(folder, asked["name"] + ".manifest.xml"), "w") as file:
        file.write(manifest)
    print(len(archive), flush=True)


for line in sys.stdin:
    write(json.loads(line))
