"""The AWS CLI on `powertune local`: create, wait, invoke with the log's tail, update, wait, delete.

Its argument is the powertune binary.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile

import servers
from expectations import expect
from lifecycle import SOURCE, archive

FUNCTION = "from-the-cli"


def aws(folder, *arguments):
    """One command of the AWS CLI's `lambda`; its JSON, or None where it prints nothing."""
    ended = subprocess.run(
        [servers.BIN / "aws", "lambda", *arguments, "--output", "json"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if ended.returncode != 0:
        sys.exit(f"aws lambda {' '.join(arguments)}: {ended.stderr.strip()}")
    return json.loads(ended.stdout) if ended.stdout.strip() else None


def invoke(folder, *options):
    """Invokes the function; the answer's summary and its payload."""
    summary = aws(
        folder,
        *("invoke", "--function-name", FUNCTION, "--payload", '{"number": 7}'),
        *options,
        "answer.json",
    )
    return summary, json.loads((folder / "answer.json").read_text())


def walk(folder):
    """The commands, in a user's order."""
    (folder / "function.zip").write_bytes(archive(SOURCE))
    which = ("--function-name", FUNCTION)
    aws(
        folder,
        *("create-function", *which, "--runtime", "python3.11", "--handler", "index.handler"),
        *("--role", servers.ROLE, "--zip-file", "fileb://function.zip", "--memory-size", "256"),
    )
    aws(folder, "wait", "function-active-v2", *which)

    summary, payload = invoke(folder, "--log-type", "Tail")
    expect("the status", summary["StatusCode"], 200)
    expect("the version", summary["ExecutedVersion"], "$LATEST")
    expect("the answer", payload["echo"], {"number": 7})
    expect("the memory that the function sees", payload["memory"], 256)
    log = base64.b64decode(summary["LogResult"]).decode()
    if "REPORT RequestId: " not in log or "Memory Size: 256 MB" not in log:
        sys.exit(f"the log's tail holds no REPORT line of 256 MB:\n{log}")

    aws(folder, "update-function-configuration", *which, "--memory-size", "512")
    aws(folder, "wait", "function-updated", *which)
    aws(folder, "wait", "function-updated-v2", *which)
    expect("the version", aws(folder, "publish-version", *which)["Version"], "1")
    aws(folder, "wait", "published-version-active", *which, "--qualifier", "1")
    summary, payload = invoke(folder, "--qualifier", "1")
    expect("the version that ran", summary["ExecutedVersion"], "1")
    expect("the memory that the version sees", payload["memory"], 512)

    aws(folder, "delete-function", *which)
    expect("the functions left", aws(folder, "list-functions")["Functions"], [])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with servers.powertune(sys.argv[1]) as environment:
        servers.use(environment)
        with tempfile.TemporaryDirectory(prefix="powertune-cli-") as folder:
            walk(pathlib.Path(folder))
    print("as it has to be")


if __name__ == "__main__":
    main()
