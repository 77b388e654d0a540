#!/usr/bin/env python3
"""A `bootstrap` that stands in for powertune's functions: it hands on what a state machine needs to
go through all its states, and prints what it was called with. A request with a `fail` names the
step that throws."""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
STEP = os.environ["_HANDLER"]


class Stub(Exception):
    """What a step throws that was asked to."""


def step(event):
    """What a step gives for an event."""
    print(json.dumps(event), flush=True)
    if event.get("request", {}).get("fail", "").lower() == STEP:
        raise Stub("as the request asked")
    if STEP == "initialize":
        tasks = [{"power": 128}, {"power": 256}]
        return {"request": event["request"], "run": {}, "tasks": tasks}
    if STEP == "decide":
        measured = [one["task"]["power"] for one in event["measured"]]
        return {**event, "next": "apply", "result": {"power": min(measured)}}
    return event


def answer(path, value):
    """Posts an invocation's outcome."""
    body = json.dumps(value).encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{path}", data=body)).close()


def main():
    while True:
        with urllib.request.urlopen(f"{API}/next") as invocation:
            id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(invocation)
        try:
            answer(f"{id}/response", step(event))
        except Stub as error:
            answer(f"{id}/error", {"errorType": "Stub", "errorMessage": str(error)})


if __name__ == "__main__":
    main()
