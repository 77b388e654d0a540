"""Signature Version 4 by the steps of AWS's documentation, with the standard library alone.

The server verifies with a library of AWS's, and so do the clients in Rust sign: this is what keeps
a mistake of that library from going unnoticed.
"""

import datetime
import hashlib
import hmac
import os
import urllib.parse


def headers(method, url, body):
    """The headers that sign a request with the credentials of the environment."""
    target = urllib.parse.urlsplit(url)
    time = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": target.netloc, "x-amz-date": time}
    if "AWS_SESSION_TOKEN" in os.environ:
        signed["x-amz-security-token"] = os.environ["AWS_SESSION_TOKEN"]
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            method,
            urllib.parse.quote(target.path, safe="/~"),
            "&".join(sorted(target.query.split("&"))),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{time[:8]}/{os.environ['AWS_REGION']}/lambda/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    del signed["host"]
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    return signed | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, "
        f"Signature={signature}",
    }
