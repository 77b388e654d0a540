import json
import os
import time
import urllib.request


def handler(event, context):
    for line in range(event.get("lines", 0)):
        print(f"line {line:06}", flush=True)
    if "write" in event:
        with open(event["write"], "w") as file:
            file.write("written")
    while "await" in event and not os.path.exists(event["await"]):
        time.sleep(0.005)
    if event.get("fail"):
        raise ValueError("as asked")
    if "bytes" in event:
        return "x" * event["bytes"]
    if "call" in event:
        return call(event["call"], event.get("with", {}))
    client_context = context.client_context
    return {
        "event": event,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "version": context.function_version,
        "request_id": context.aws_request_id,
        "client": client_context.custom if client_context else None,
    }


def call(function, event):
    """Invokes another function with the credentials that this one has."""
    # Not in every package that is made of this file.
    import sigv4

    url = f"{os.environ['AWS_ENDPOINT_URL_LAMBDA']}/2015-03-31/functions/{function}/invocations"
    body = json.dumps(event).encode()
    request = urllib.request.Request(url, body, sigv4.headers("POST", url, body))
    with urllib.request.urlopen(request) as response:
        return json.load(response)
