"""Runs `powertune tune` against Lambda APIs that others wrote, and looks at what it leaves behind.

`tune.py ministack POWERTUNE` is a whole run: the function runs and prints its own REPORT lines.
`tune.py moto POWERTUNE` fails and puts everything back: moto's Invoke gives no log.
"""

import argparse
import json
import subprocess
import sys

import boto3

import servers
from expectations import expect
from lifecycle import archive

FUNCTION = "tuned"
POWERS = (128, 256, 512)
NUM = 5

# The made-up function: what it takes at each power is known, so the answer is known too. At 256 MB
# it costs least, at 512 MB it is fastest.
DURATIONS_MS = {128: 1000, 256: 400, 512: 300, 1024: 290}
SOURCE = f"""\
DURATIONS_MS = {DURATIONS_MS}
cold = True


def handler(event, context):
    global cold
    memory = int(context.memory_limit_in_mb)
    duration = DURATIONS_MS[memory] - 0.5
    init = 80.25 if cold else 0
    cold = False
    fields = [
        "REPORT RequestId: " + context.aws_request_id,
        f"Duration: {{duration:.2f}} ms",
        f"Billed Duration: {{int(duration + init + 1)}} ms",
        f"Memory Size: {{memory}} MB",
        "Max Memory Used: 31 MB",
    ]
    if init:
        fields.append(f"Init Duration: {{init:.2f}} ms")
    print("\\t".join(fields) + "\\t")
    return event
"""

# What a tuning may not change; state and dates move with every update.
KEPT = ("MemorySize", "Timeout", "Description", "CodeSha256", "Environment", "Handler", "Runtime")


def create(client):
    """A function with things of its own that have to survive."""
    client.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role=servers.ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive(SOURCE)},
        MemorySize=1024,
        Timeout=10,
        Description="its owner's words",
        Environment={"Variables": {"STAGE": "test"}},
        Tags={"team": "blue"},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)


def snapshot(client):
    """Everything of the function's that a tuning touches or could touch."""
    configuration = client.get_function_configuration(FunctionName=FUNCTION)
    versions = client.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    return {
        **{key: configuration.get(key) for key in KEPT},
        "versions": [version["Version"] for version in versions],
        "aliases": client.list_aliases(FunctionName=FUNCTION)["Aliases"],
        "tags": client.list_tags(Resource=configuration["FunctionArn"])["Tags"],
    }


def tune(binary, endpoint, *options):
    """Runs the tuning as a user does: environment, arguments, no terminal."""
    return subprocess.run(
        [
            binary,
            "tune",
            FUNCTION,
            "--endpoint-url",
            endpoint,
            "--power-values",
            ",".join(str(power) for power in POWERS),
            "--num",
            str(NUM),
            "--output",
            "json",
            *options,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def left_alone(client, before):
    """Fails where a run has left something behind."""
    after = snapshot(client)
    for key, value in before.items():
        expect(f"{key} after the run", after[key], value)


def on_ministack(binary):
    """A whole run, by cost and by speed."""
    with servers.ministack("ministack_app:app") as environment:
        servers.use(environment)
        client = boto3.client("lambda")
        create(client)
        before = snapshot(client)
        for strategy, power in (("cost", 256), ("speed", 512)):
            ended = tune(binary, environment["AWS_ENDPOINT_URL_LAMBDA"], "--strategy", strategy)
            print(ended.stderr, file=sys.stderr)
            expect("the exit code", ended.returncode, 0)
            result = json.loads(ended.stdout)
            expect(f"the power by {strategy}", result["power"], power)
            measured(result)
            left_alone(client, before)


def measured(result):
    """Whether a result tells of each power what the function's REPORT lines told."""
    rows = {row["value"]: row for row in result["stats"]}
    expect("the powers", sorted(rows), list(POWERS))
    for power, row in rows.items():
        expect(f"the state of {power} MB", row["state"], "measured")
        expect(f"the invocations of {power} MB", row["invocations"], NUM)
        expect(f"the duration at {power} MB", row["averageDuration"], DURATIONS_MS[power] - 0.5)
        if row["coldStarts"] < 1:
            sys.exit(f"no cold start at {power} MB, though its first REPORT line tells of one")


def on_moto(binary):
    """A run that can't be: it says why, and leaves nothing."""
    with servers.moto() as environment:
        servers.use(environment)
        client = boto3.client("lambda")
        create(client)
        before = snapshot(client)
        ended = tune(binary, environment["AWS_ENDPOINT_URL_LAMBDA"])
        print(ended.stderr, file=sys.stderr)
        expect("the exit code", ended.returncode, 1)
        expect("stdout", ended.stdout, "")
        if "REPORT" not in ended.stderr:
            sys.exit("the message does not say that the REPORT line is missing")
        left_alone(client, before)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("server", choices=("ministack", "moto"))
    arguments.add_argument("powertune", help="the powertune binary")
    chosen = arguments.parse_args()
    {"ministack": on_ministack, "moto": on_moto}[chosen.server](chosen.powertune)
    print("as it has to be")


if __name__ == "__main__":
    main()
