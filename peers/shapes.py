"""What can be compared between two servers' answers: status, error code, keys, types, values."""

import base64
import json
import re

# Strings that differ from server to server and from run to run, by what they are.
KINDS = (
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("timestamp", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")),
    ("sha256", re.compile(r"[A-Za-z0-9+/]{43}=")),
    ("runtime version", re.compile(r"arn:aws:lambda:[a-z0-9-]+::runtime:[0-9a-f]{64}")),
    ("url", re.compile(r"https?://.*")),
)
ARN = re.compile(r"arn:aws:lambda:[a-z0-9-]+:\d{12}:(function:.*)")

# Prose and numbers that each server chooses for itself.
OPAQUE = {
    "Message",
    "message",
    "errorMessage",
    "stackTrace",
    "StateReason",
    "LastUpdateStatusReason",
    "NextMarker",
}
MEASURED = {
    "TotalCodeSize",
    "FunctionCount",
    "CodeSizeUnzipped",
    "CodeSizeZipped",
    "ConcurrentExecutions",
    "UnreservedConcurrentExecutions",
}


def of_answer(answer):
    """The shape of an answer of boto3."""
    body = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    if "LogResult" in body:
        body["LogResult"] = log_lines(base64.b64decode(body["LogResult"]).decode(errors="replace"))
    if hasattr(body.get("Payload"), "read"):
        body["Payload"] = payload(body["Payload"].read())
    return {
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
        "error": None,
        "body": of_value(None, body),
    }


def of_error(answer):
    """The shape of an error of boto3."""
    body = {key: value for key, value in answer.items() if key not in ("ResponseMetadata", "Error")}
    return {
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
        "error": answer["Error"]["Code"],
        "body": of_value(None, body),
    }


def payload(raw):
    """A payload by what it holds; an empty one is not JSON."""
    if not raw:
        return "empty"
    try:
        return json.loads(raw)
    except ValueError:
        return "not JSON"


def log_lines(log):
    """The kinds of line that a log holds."""
    return [kind for kind in ("START", "END", "REPORT") if f"{kind} RequestId: " in log]


def of_value(key, value):
    """The shape of one value of a body; `key` is the name it stands under."""
    if isinstance(value, dict):
        return {name: of_value(name, inner) for name, inner in value.items()}
    if isinstance(value, list) and key not in OPAQUE:
        return [of_value(key, inner) for inner in value]
    if key in OPAQUE or key in MEASURED:
        return type(value).__name__
    if isinstance(value, str):
        return of_string(value)
    return value


def of_string(value):
    """A string by its kind, or the string itself where the walk determines it."""
    arn = ARN.fullmatch(value)
    if arn:
        return f"arn of {arn[1]}"
    for kind, pattern in KINDS:
        if pattern.fullmatch(value):
            return kind
    return value


def differences(ours, theirs, at=""):
    """Where two shapes differ: (path, ours, theirs), with None for what is not there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            path = f"{at}.{key}" if at else key
            yield from differences(ours.get(key), theirs.get(key), path)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(mine, other, f"{at}[{index}]")
    elif ours != theirs:
        yield at, ours, theirs
