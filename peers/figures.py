"""The figures of the Step Functions edition, for deploy/README.md.

    figures.py POWERTUNE BOOTSTRAP        both of a release build

Prints the package's size, what a cold start of each step takes, the memory that each step uses with
1,000 invocations in flight, the transitions and mutating calls of a run with six powers, and how
long it takes on moto. Durations depend on the machine; compare them within one run.
"""

import base64
import collections
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

import boto3

import interpreters
import servers
import stack
import workflow

FIELD = re.compile(r"(Init Duration|Max Memory Used): ([0-9.]+)")
MUTATING = re.compile("^(Update|Publish|Create|Delete|Put|Tag|Untag)")
POWERS = [128, 256, 512, 1024, 1536, 3008]


def deploy(client, bootstrap):
    """The steps with the memory that the templates give them."""
    package = stack.package(bootstrap)
    for step in workflow.STEPS:
        client.create_function(
            FunctionName=f"powertune-{step}",
            Runtime="provided.al2023",
            Role=servers.ROLE,
            Handler=step,
            Code={"ZipFile": package},
            MemorySize=512 if step == "measure" else 256,
            Timeout=900,
        )
    for step in workflow.STEPS:
        client.get_waiter("function_active_v2").wait(FunctionName=f"powertune-{step}")
    return len(package)


class Steps:
    """Calls the steps as the state machine does, and keeps what their REPORT lines say."""

    def __init__(self, client):
        self.client = client
        self.reports = collections.defaultdict(list)

    def call(self, step, event):
        """One step, to its answer."""
        answer = self.client.invoke(
            FunctionName=f"powertune-{step}", LogType="Tail", Payload=json.dumps(event)
        )
        tail = base64.b64decode(answer["LogResult"]).decode()
        self.reports[step].append({name: float(value) for name, value in FIELD.findall(tail)})
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            sys.exit(f"{step}: {payload}")
        return payload

    def run(self, request):
        """A whole execution, with the largest input or output of a state in bytes."""
        execution = {"id": f"figures-{time.time_ns()}", "startTime": "2026-01-01T00:00:00Z"}
        state = self.call("initialize", {"execution": execution, "request": request})
        largest, following = 0, "publish"
        while following in ("publish", "measure"):
            if following == "publish":
                state = self.call("publish", state)
            measured = [
                self.call("measure", {"run": state["run"], "task": task})
                for task in state["tasks"]
            ]
            state = {**state, "measured": measured}
            largest = max(largest, len(json.dumps(state)))
            state = self.call("decide", state)
            following = state["next"]
        self.call("clean", state)
        return state["result"], largest


def sample(client, powertune, name):
    """A small function that answers at once: powertune's own sample."""
    client.create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Role=servers.ROLE,
        Handler="powertune.sample",
        Code={"ZipFile": stack.package(powertune)},
        MemorySize=256,
        Timeout=60,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)


def cold_starts(powertune, bootstrap):
    """Package size, and Init Duration with CPU in proportion to memory."""
    with servers.powertune(powertune) as local:
        servers.use(local)
        boto3.setup_default_session()
        client = boto3.client("lambda")
        print(f"package: {deploy(client, bootstrap) / 1e6:.1f} MB, zipped as fast as possible")
        sample(client, powertune, "sample")
        steps = Steps(client)
        payload = {"below": 10}
        steps.run({"lambdaARN": "sample", "num": 5, "powerValues": [256, 512], "payload": payload})
        inits = [
            report["Init Duration"]
            for reports in steps.reports.values()
            for report in reports
            if "Init Duration" in report
        ]
        print(f"cold start: Init Duration {min(inits):.0f} to {max(inits):.0f} ms, "
              f"median {statistics.median(inits):.0f} ms, of {len(inits)}")


def memory(powertune, bootstrap):
    """Max Memory Used with a thousand in flight, and the size of states with many powers."""
    extra = ("--cpu", "unlimited", "--concurrency", "3000", "--update-delay", "0")
    with servers.powertune(powertune, *extra) as local:
        servers.use(local)
        boto3.setup_default_session()
        client = boto3.client("lambda")
        deploy(client, bootstrap)
        sample(client, powertune, "sample")
        steps = Steps(client)
        request = {"lambdaARN": "sample", "payload": {"below": 10}, "num": 1000, "powerValues": [256]}
        result, _ = steps.run({**request, "parallelInvocation": True, "parallel": 1000})
        print(f"in flight: {result['invocations']} invocations, "
              f"{result['stats'][0]['failures']} failed")
        for step, reports in steps.reports.items():
            print(f"memory: {step} {max(r['Max Memory Used'] for r in reports):.0f} MB")
        result, largest = Steps(client).run({**request, "powerValues": "ALL", "num": 1000})
        print(f"states: {largest} bytes at most, with {len(result['stats'])} powers and "
              f"{result['invocations']} invocations")


def wall_time(powertune, bootstrap):
    """Six powers, ten invocations of 50 ms each, in parallel, on moto."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "calls"
        extra = ("--cpu", "unlimited", "--update-delay", "0", "--log-calls", str(log))
        with servers.powertune(powertune, *extra, "--key-pair", servers.MOTO_KEY_PAIR) as local:
            servers.use(local)
            boto3.setup_default_session()
            client = boto3.client("lambda")
            deploy(client, bootstrap)
            sample(client, powertune, "sample")
            request = {
                "lambdaARN": "sample",
                "num": 10,
                "powerValues": POWERS,
                "parallelInvocation": True,
                "payload": {"below": 0, "waitMs": 50},
            }
            definition = workflow.definition(powertune)
            with interpreters.moto(os.environ["AWS_ENDPOINT_URL_LAMBDA"]) as moto:
                for number in range(4):
                    started = time.monotonic()
                    status, output, cause = moto.run(definition, request)
                    took = time.monotonic() - started
                    if status != "SUCCEEDED":
                        sys.exit(f"{output}: {cause}")
                    first = "first" if number == 0 else "then"
                    print(f"wall time: {took:.2f} s {first}; of the execution "
                          f"{output['elapsedMs'] / 1000:.2f} s until its result")
            calls = [json.loads(line) for line in log.read_text().splitlines()]
            mutating = [
                call["operation"]
                for call in calls
                if "function" in call and MUTATING.match(call["operation"])
            ]
            print(f"mutating calls: {len(mutating) / 4:.0f} "
                  f"({dict(collections.Counter(mutating))} in 4 runs)")
            print(f"transitions: {output['stateMachine']['executionCost'] / 0.000025:.0f}, "
                  f"{output['stateMachine']['executionCost']:.6f} USD in us-east-1")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    powertune, bootstrap = (os.path.abspath(path) for path in sys.argv[1:])
    for part in (cold_starts, memory, wall_time):
        part(powertune, bootstrap)


if __name__ == "__main__":
    main()
