"""`powertune tune --payload s3://...`: the payload lies in moto's S3, the function on `powertune local`.

Its argument is the powertune binary.
"""

import json
import os
import subprocess
import sys

import boto3

import servers
from expectations import expect
from lifecycle import archive

# Fails unless it gets the very payload.
SOURCE = """
def handler(event, context):
    if event != {"number": 7}:
        raise ValueError(f"{event} instead of what lies in S3")
"""
FUNCTION = "from-s3"


def tune(binary, url):
    """One run; how it ended."""
    return subprocess.run(
        [binary, "tune", FUNCTION, "--power-values", "512,1024", "--num", "5", "--payload", url]
        + ["--output", "json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    binary = os.path.abspath(sys.argv[1])
    with servers.moto() as moto, servers.powertune(binary) as local:
        servers.use(local | {"AWS_ENDPOINT_URL_S3": moto["AWS_ENDPOINT_URL_LAMBDA"]})
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="payloads")
        s3.put_object(Bucket="payloads", Key="a folder/event.json", Body=b'{"number": 7}')
        client = boto3.client("lambda")
        client.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.11",
            Role=servers.ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive(SOURCE)},
        )
        client.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)

        ended = tune(binary, "s3://payloads/a folder/event.json")
        expect("the exit code", ended.returncode, 0)
        expect("the invocations", json.loads(ended.stdout)["invocations"], 10)

        missing = tune(binary, "s3://payloads/nothing.json")
        expect("the exit code without an object", missing.returncode, 2)
        expect("whether it is named", "s3://payloads/nothing.json" in missing.stderr, True)
    print("as it has to be")


if __name__ == "__main__":
    main()
