"""The state machine from end to end, on interpreters of the Amazon States Language that others wrote.

    workflow.py POWERTUNE BOOTSTRAP [--on INTERPRETER]... [--only SCENARIO]...

`powertune local` serves Lambda: the steps run on it as real functions, BOOTSTRAP being their binary,
and tune sample functions on the same endpoint. After each scenario nothing of a run's may be left
and nothing of the user's be missing. At the end the calls of each step are held against its
permissions: one that is missing fails, and so does one that was never used.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import boto3

import interpreters
import servers
import stack
from expectations import expect
from lifecycle import archive
from recorder import recorder

FUNCTION = "tuned"
STEPS = ("initialize", "publish", "measure", "decide", "apply", "clean")
KEPT = ("Timeout", "Description", "CodeSha256", "Environment", "Handler", "Runtime")
MEMORY = 256
PAYLOADS = "payloads"
STATES_ENDPOINT = "AWS_ENDPOINT_URL_SFN"

# So long that a busy machine does not make the smallest size the dearest.
SLEEPS = """
import time
def handler(event, context):
    time.sleep(0.06)
    return event
"""
# Each size up to 512 MB is far cheaper than the one before, so that a larger one may be cheaper yet.
QUICKENS = """
import os, time
SECONDS = {"128": 1.6, "256": 0.4}
def handler(event, context):
    time.sleep(SECONDS.get(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], 0.1))
    return event
"""
HUNGRY = """
def handler(event, context):
    return len(bytearray(200 * 1024 * 1024))
"""
FAILS = """
def handler(event, context):
    raise ValueError("never works")
"""
SLOW = """
import time
def handler(event, context):
    time.sleep(2)
"""
# Keeps what it is called with, for the test to look at.
LOGS = """
import json, os
def handler(event, context):
    with open(os.environ["LOG"], "a") as log:
        log.write(json.dumps(event, sort_keys=True) + "\\n")
    return {"from": "processor"}
"""


class Stage:
    """A Lambda with the steps on it, and what a scenario needs of it."""

    def __init__(self, arguments, interpreter, folder):
        self.arguments = arguments
        self.interpreter = interpreter
        self.folder = pathlib.Path(folder)
        self.client = boto3.client("lambda")
        self.endpoint = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
        self.definition = definition(arguments.powertune)
        # What each of powertune's commands has called of Step Functions.
        self.called = {}
        self.deploy()

    def deploy(self):
        """A function for each step."""
        package = stack.package(self.arguments.bootstrap)
        for step in STEPS:
            self.client.create_function(
                FunctionName=f"powertune-{step}",
                Runtime="provided.al2023",
                Role=servers.ROLE,
                Handler=step,
                Code={"ZipFile": package},
                MemorySize=512,
                Timeout=900,
                # Where payloads lie, and what a deployment says of processors; Lambda's own
                # endpoint is set for every function.
                Environment={
                    "Variables": {
                        "AWS_ENDPOINT_URL_S3": os.environ["AWS_ENDPOINT_URL_S3"],
                        "PROCESSOR_RESOURCE": "arn:aws:lambda:*:*:function:p*",
                    }
                },
            )
        for step in STEPS:
            waiter = self.client.get_waiter("function_active_v2")
            waiter.wait(FunctionName=f"powertune-{step}")

    def create(self, name, source, **more):
        """A function of the user's."""
        parameters = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Role": servers.ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": archive(source)},
            "MemorySize": MEMORY,
            "Timeout": 10,
            "Description": "its owner's words",
            "Environment": {"Variables": {"STAGE": "test"}},
            "Tags": {"team": "blue"},
        }
        self.client.create_function(**{**parameters, **more})
        self.client.get_waiter("function_active_v2").wait(FunctionName=name)

    def create_tuned(self, source, **more):
        """The function to tune, with a version and an alias of the user's."""
        with contextlib.suppress(self.client.exceptions.ResourceNotFoundException):
            self.client.delete_function(FunctionName=FUNCTION)
        self.create(FUNCTION, source, **more)
        version = self.client.publish_version(FunctionName=FUNCTION, Description="released")
        self.client.create_alias(
            FunctionName=FUNCTION, Name="prod", FunctionVersion=version["Version"]
        )

    def footprint(self):
        """Everything that a run may not change."""
        configuration = self.client.get_function_configuration(FunctionName=FUNCTION)
        versions = self.client.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        aliases = self.client.list_aliases(FunctionName=FUNCTION)["Aliases"]
        return {
            **{key: configuration.get(key) for key in KEPT},
            "memory": configuration["MemorySize"],
            "versions": [(v["Version"], v["Description"], v["MemorySize"]) for v in versions],
            "aliases": {alias["Name"]: alias["FunctionVersion"] for alias in aliases},
            "tags": self.client.list_tags(Resource=configuration["FunctionArn"])["Tags"],
        }

    def run(self, request):
        """An execution on the interpreter."""
        request = {"lambdaARN": FUNCTION, "num": 5, "powerValues": [128, 256, 512], **request}
        return self.interpreter.run(self.definition, request)

    def result(self, request):
        """An execution that has to succeed; its output."""
        status, output, cause = self.run(request)
        expect(f"the status (with {output}: {cause})", status, "SUCCEEDED")
        return output


def definition(powertune):
    """The state machine, on the functions that `deploy` makes."""
    text = subprocess.run(
        [powertune, "generate", "asl"], capture_output=True, text=True, check=True
    ).stdout
    for step in STEPS:
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:powertune-{step}"
        text = text.replace(f"${{{step.title()}FunctionArn}}", arn)
    return json.loads(text)


def stats(result):
    """The rows of a result by their power."""
    return {row["value"]: row for row in result["stats"]}


def series(stage):
    """Upstream's plain case, and upstream's fields in the output."""
    result = stage.result({})
    expect("the power", result["power"], 128)
    expect("the invocations", result["invocations"], 15)
    for field in ("cost", "duration", "stateMachine", "stats"):
        expect(f"whether {field} is there", field in result, True)
    expect("the cost of 9 transitions", round(result["stateMachine"]["executionCost"], 9), 0.000225)
    expect("the current power", result["current"]["power"], MEMORY)


def parallel(stage):
    """Many invocations at a time."""
    result = stage.result({"parallelInvocation": True, "num": 20})
    expect("the invocations", result["invocations"], 60)
    expect("the powers measured", sorted(stats(result)), [128, 256, 512])


def only_cold_starts(stage):
    """Waves of cold starts, on a version for each wave."""
    result = stage.result({"onlyColdStarts": True, "num": 6, "parallel": 6, "powerValues": [256, 512]})
    for power, row in stats(result).items():
        expect(f"the cold starts at {power}", row["coldStarts"], 6)


def auto(stage):
    """Rounds until the answer is sure, each power on two versions at most, whose environments stay warm."""
    # The first round has three sizes, and a busy machine does not change what it finds: 512 MB is the
    # cheapest of them, so that 1,024 MB has to be looked at in another.
    stage.create_tuned(QUICKENS)
    result = stage.result({"num": "auto", "tolerance": 0, "powerValues": [128, 256, 512, 1024]})
    expect("the power", result["power"], 512)
    expect("why it ended", (result["stopped"], result["decidedBy"]), ("confident", "costMean"))
    for power, row in stats(result).items():
        # The user's own version may be warm already.
        expect(f"whether {power} stayed warm", row["coldStarts"] <= 2, True)
    # Initialize, Publish and Clean; a round is the Map, its powers, Decide and the choice.
    transitions = result["stateMachine"]["executionCost"] / 0.000025
    expect(f"whether {transitions} transitions are several rounds", transitions > 3 + 3 + 3, True)
    stage.create_tuned(SLEEPS)


def max_cost(stage):
    """A cap ends the run early, and is kept."""
    # Timeout and longest Init at 512 MB: once a little is spent, there is no room for another.
    worst = 20.0 * 0.5 * 0.0000166667 + 0.0000002
    most = worst + 0.000001
    result = stage.result({"num": 12, "maxCost": most})
    expect("why it ended", result["stopped"], "costReached")
    expect("whether the cap was kept", result["explorationCost"] <= most, True)
    expect("the invocations where there was room", stats(result)[128]["invocations"], 12)
    expect("whether fewer were made", result["invocations"] < 36, True)
    expect("whether a warning says so", "maxCost" in str(result["warnings"]), True)
    status, said, cause = stage.run({"maxCost": 0.00001})
    expect("a cap below one invocation", (status, said), ("FAILED", "Powertune.Refused"))
    expect("whether it is named", "maxCost" in cause, True)


def payload_by_weight(stage):
    """Weighted payloads, and processors around each invocation."""
    logs = {name: stage.folder / f"{name}-{time.time_ns()}" for name in ("pre", "post")}
    for name, log in logs.items():
        stage.create(name, LOGS, Environment={"Variables": {"LOG": str(log)}})
    payload = [{"payload": {"a": 1}, "weight": 3}, {"payload": {"a": 2}, "weight": 2}]
    result = stage.result(
        {
            "payload": payload,
            "powerValues": [512],
            "preProcessorARN": "pre",
            "postProcessorARN": "post",
        }
    )
    expect("the invocations", result["invocations"], 5)
    sent = sorted(logs["pre"].read_text().splitlines())
    expect("what the pre-processor got", sent, ['{"a": 1}'] * 3 + ['{"a": 2}'] * 2)
    returned = logs["post"].read_text().splitlines()
    expect("what the function got of it", returned, ['{"from": "processor"}'] * 5)
    status, said, cause = stage.run({"preProcessorARN": FUNCTION})
    expect("what is no processor here", (status, said), ("FAILED", "Powertune.Refused"))
    expect("whether the parameter is named", "processorResource" in cause, True)
    for name in logs:
        stage.client.delete_function(FunctionName=name)


def payload_in_s3(stage):
    """A payload that lies in S3, and an alias to tune by."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=PAYLOADS)
    s3.put_object(Bucket=PAYLOADS, Key="event.json", Body=b'{"number": 7}')
    url = f"s3://{PAYLOADS}/event.json"
    result = stage.result({"lambdaARN": f"{FUNCTION}:prod", "payloadS3": url})
    expect("the invocations", result["invocations"], 15)
    status, error, _ = stage.run({"payloadS3": f"s3://{PAYLOADS}/missing.json"})
    expect("how a missing object ends", (status, error), ("FAILED", "Powertune.Refused"))


def dry_run(stage):
    """One invocation a power, and no choice."""
    result = stage.result({"dryRun": True})
    expect("whether it is one", result["dryRun"], True)
    expect("the powers that work", [row["state"] for row in result["stats"]], ["works"] * 3)


def auto_optimize(stage):
    """The chosen power is the function's."""
    expect("the power", stage.result({"autoOptimize": True})["power"], 128)
    after = stage.footprint()
    expect("the memory size", after["memory"], 128)
    expect("the versions", len(after["versions"]), 2)
    expect("the tags", after["tags"], {"team": "blue"})
    stage.create_tuned(SLEEPS)


def auto_optimize_alias(stage):
    """The chosen power is an alias's, first a new one, then one that is there."""
    for _ in range(2):
        stage.result({"autoOptimize": True, "autoOptimizeAlias": "live"})
        after = stage.footprint()
        live = stage.client.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
        expect("the alias's memory size", live["MemorySize"], 128)
        expect("the function's own", after["memory"], MEMORY)
        expect("the other alias", after["aliases"]["prod"], "1")
    stage.create_tuned(SLEEPS)


def out_of_memory(stage):
    """A power that is too small is a failed row."""
    stage.create_tuned(HUNGRY)
    before = stage.footprint()
    result = stage.result({"powerValues": [128, 512]})
    rows = stats(result)
    expect("the states", (rows[128]["state"], rows[512]["state"]), ("failed", "measured"))
    expect("the reason", rows[128]["reason"], "the function ran out of memory")
    expect("the power", result["power"], 512)
    expect("the footprint", stage.footprint(), before)
    stage.create_tuned(SLEEPS)


def always_fails(stage):
    """A function that never works fails the execution, after cleaning."""
    stage.create_tuned(FAILS)
    before = stage.footprint()
    status, error, cause = stage.run({})
    expect("the end", (status, error), ("FAILED", "Powertune.Failed"))
    expect("whether the cause says why", "never works" in cause, True)
    expect("the footprint", stage.footprint(), before)
    stage.create_tuned(SLEEPS)


def refused(stage):
    """Bad input and what can't work end in the first state."""
    for request, error, words in (
        ({"nmu": 3}, "Powertune.BadInput", "num"),
        ({"strategy": "cheap"}, "Powertune.BadInput", "strategy"),
        ({"lambdaARN": "missing"}, "Powertune.Refused", "missing"),
        ({"num": 90_000, "powerValues": "ALL"}, "Powertune.Refused", "num"),
    ):
        status, said, cause = stage.run(request)
        expect(f"how {request} ends", (status, said), ("FAILED", error))
        expect(f"whether the cause of {request} names it", words in cause, True)
    stage.create_tuned(SLEEPS, Timeout=800)
    _, said, cause = stage.run({})
    expect("a Timeout of 800 s", said, "Powertune.Refused")
    expect("whether it names the way out", "powertune tune" in cause, True)
    stage.create_tuned(SLEEPS)


def aborted(stage):
    """An execution that is stopped in the middle; `powertune clean` puts everything back."""
    stage.create_tuned(SLOW)
    before = stage.footprint()
    client = interpreters.states(stage.interpreter.environment)
    machine = state_machine(stage, "powertune")
    request = {"lambdaARN": FUNCTION, "num": 5, "powerValues": [128, 512]}
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(request))
    until(lambda: len(stage.footprint()["versions"]) > len(before["versions"]))
    clean(stage, 1, "while it runs")
    client.stop_execution(executionArn=execution["executionArn"])
    # moto says so only once what was in flight has ended.
    until(lambda: not is_running(client, execution))
    expect("whether something is left", stage.footprint() != before, True)
    clean(stage, 0, "once it is stopped")
    expect("the footprint", stage.footprint(), before)
    clean(stage, 0, "again")
    ended_rule(stage, execution["executionArn"], request, before)
    stage.create_tuned(SLEEPS)


def deployed_meanwhile(stage):
    """A function that its owner changes while it is measured: all is put back, and the execution says so."""
    stage.create_tuned(SLOW)
    before = stage.footprint()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(stage.run, {"powerValues": [128, 512]})
        until(lambda: measured_now(stage, before, 2))
        stage.client.update_function_configuration(FunctionName=FUNCTION, Timeout=11)
        status, error, cause = running.result()
    expect("the end", (status, error), ("FAILED", "Powertune.Failed"))
    expect(f"whether {cause} tells of it", "applies to the function before that change" in cause, True)
    expect("the footprint", stage.footprint(), {**before, "Timeout": 11})
    stage.create_tuned(SLEEPS)


def measured_now(stage, before, powers):
    """Whether each power has its version, and Publish is done: `$LATEST` is back, and the tag gone."""
    function = stage.client.get_function(FunctionName=FUNCTION)
    latest = function["Configuration"]
    if latest["LastUpdateStatus"] != "Successful" or latest["MemorySize"] != MEMORY:
        return False
    if any(key.endswith(":memory") for key in function.get("Tags", {})):
        return False
    return len(stage.footprint()["versions"]) == len(before["versions"]) + powers


def is_running(client, execution):
    """Whether an execution has not ended."""
    described = client.describe_execution(executionArn=execution["executionArn"])
    return described["status"] == "RUNNING"


def state_machine(stage, name):
    """The state machine under a name of its own."""
    machine = interpreters.states(stage.interpreter.environment).create_state_machine(
        name=name,
        definition=json.dumps(stage.definition),
        roleArn=interpreters.STATES_ROLE,
        tags=[{"key": "aws:cloudformation:stack-name", "value": f"stack-of-{name}"}],
    )
    return machine["stateMachineArn"]


def ended_rule(stage, execution, request, before):
    """What the rule on an execution's end does, without EventBridge: it calls Clean."""
    event = {"detail": {"executionArn": execution, "status": "ABORTED", "input": json.dumps(request)}}
    answer = stage.client.invoke(FunctionName="powertune-clean", Payload=json.dumps(event))
    expect("whether the rule's call fails", answer.get("FunctionError"), None)
    expect("the footprint", stage.footprint(), before)


def clean(stage, code, when):
    """`powertune clean`, which asks Step Functions whether the execution is over."""
    with recorded(stage, "clean") as environment:
        ended = subprocess.run(
            [stage.arguments.powertune, "clean", FUNCTION],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
    expect(f"clean's exit code {when} ({ended.stderr.strip()})", ended.returncode, code)


def powertune_run(stage):
    """`powertune run` prints what `tune` prints, and takes back an execution on Ctrl-C."""
    state_machine(stage, "powerTuningStateMachine-1")
    tuned = command(stage, "run", FUNCTION, "--output", "json")
    expect(f"the exit code ({tuned.stderr})", tuned.returncode, 0)
    result = json.loads(tuned.stdout)
    alone = command(stage, "tune", FUNCTION, "--output", "json")
    other = json.loads(alone.stdout)
    agree = result["power"] == other["power"] or other["power"] in result["ties"]
    expect("whether tune agrees", agree, True)
    expect("the fields", sorted(result), sorted(other))
    rounds = command(stage, "run", FUNCTION, "--output", "json", num="auto")
    expect(f"the exit code in rounds ({rounds.stderr})", rounds.returncode, 0)
    expect("why it ended", json.loads(rounds.stdout)["stopped"], "confident")
    expect("whether the plan is told", "as many invocations as" in rounds.stderr, True)
    missing = command(stage, "run", "missing", "--stack", "stack-of-powerTuningStateMachine-1")
    expect("the exit code without the function", missing.returncode, 2)
    expect("whether it is named", "missing" in missing.stderr, True)
    nowhere = command(stage, "run", FUNCTION, "--stack", "another")
    expect("the exit code without the stack", nowhere.returncode, 2)
    expect("whether the stack is named", "another" in nowhere.stderr, True)
    stage.create_tuned(SLOW)
    interrupt(stage)
    stage.create_tuned(SLEEPS)


def command(stage, *words, num="5"):
    """powertune, to its end."""
    options = ("--power-values", "128,512", "--num", num, "--no-progress")
    with recorded(stage, words[0]) as environment:
        return subprocess.run(
            [stage.arguments.powertune, *words, *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@contextlib.contextmanager
def recorded(stage, command):
    """The environment in which this command's calls of Step Functions are taken down."""
    environment = {**os.environ, **stage.interpreter.environment}
    with recorder(environment[STATES_ENDPOINT]) as (endpoint, called):
        yield environment | {STATES_ENDPOINT: endpoint}
        stage.called.setdefault(command, set()).update(called)


def interrupt(stage):
    """Ctrl-C in the middle of an execution."""
    before = stage.footprint()
    with recorded(stage, "run") as environment:
        running = subprocess.Popen(
            [stage.arguments.powertune, "run", FUNCTION, "--power-values", "128,512", "--num", "5"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: len(stage.footprint()["versions"]) > len(before["versions"]))
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
    expect(f"the exit code after Ctrl-C ({said})", running.returncode, 130)
    # A Publish that was in flight cleans up after itself.
    until(lambda: stage.footprint() == before)


def until(ready):
    """Waits for something that has to come."""
    deadline = time.monotonic() + 60
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("it has not come within 60 s")
        time.sleep(0.02)


SCENARIOS = (
    series,
    parallel,
    only_cold_starts,
    auto,
    max_cost,
    payload_by_weight,
    payload_in_s3,
    dry_run,
    auto_optimize,
    auto_optimize_alias,
    out_of_memory,
    always_fails,
    refused,
    deployed_meanwhile,
    aborted,
    powertune_run,
)
# What an interpreter that is asked for a second opinion is given.
SECOND_OPINION = {
    series,
    parallel,
    auto,
    max_cost,
    payload_by_weight,
    always_fails,
    refused,
    deployed_meanwhile,
}


# What a step calls only where an answer was lost, or where the execution is aborted while it is at
# work, so that it takes back itself what Clean comes too early for. No scenario comes to that;
# crates/powertune/tests/system/crash does, and refuses what a step may not call.
TAKING_BACK = {"lambda:UntagResource", "lambda:ListVersionsByFunction", "lambda:DeleteFunction"}
# Publish puts the memory size back itself; Clean does it after a Publish that died.
AFTER_FAULTS = {
    "publish": TAKING_BACK,
    "apply": TAKING_BACK | {"lambda:GetAlias"},
    "clean": {"lambda:UpdateFunctionConfiguration"},
}
# Steps that read tags: GetFunction tells them to callers alone that may list them.
READS_TAGS = {"initialize", "publish", "apply", "clean"}


def check_permissions(powertune, log):
    """Every call of a step is allowed to it, and everything allowed was called."""
    called = {step: set() for step in STEPS}
    for line in log.read_text().splitlines():
        call = json.loads(line)
        step = call.get("function", "").removeprefix("powertune-")
        if step in called:
            called[step].add(action(call))
    allowed = permissions(powertune)
    for step in STEPS:
        calls = called[step] | AFTER_FAULTS.get(step, set())
        if step in READS_TAGS:
            calls |= {"lambda:ListTags"}
        expect(f"what {step} calls", sorted(calls), sorted(allowed[step]))


def check_commands(stage):
    """Every call of Step Functions that a command makes is allowed by its policy, and no other."""
    for command in ("tune", "clean", "run"):
        generate = [stage.arguments.powertune, "generate", "iam", "--for", command]
        policy = subprocess.run(generate, check=True, capture_output=True, text=True).stdout
        called = sorted(f"states:{name}" for name in stage.called.get(command, ()))
        allowed = sorted(actions(policy, "states:"))
        print(f"figure: least IAM policy, {command}: {len(allowed)} permissions on Step Functions, "
              f"{len(called)} called")
        expect(f"what {command} calls of Step Functions", called, allowed)


def action(call):
    """The IAM action of a call."""
    return f"lambda:{ {'Invoke': 'InvokeFunction'}.get(call['operation'], call['operation']) }"


def permissions(powertune):
    """The actions on Lambda in each step's policy."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([powertune, "generate", "iam", "--folder", folder], check=True)
        policies = {step: pathlib.Path(folder) / f"{step}.json" for step in STEPS}
        return {step: actions(path.read_text(), "lambda:") for step, path in policies.items()}


def actions(policy, service):
    """The actions of a service that a policy allows."""
    found = set()
    for statement in json.loads(policy)["Statement"]:
        named = statement["Action"]
        found.update([named] if isinstance(named, str) else named)
    return {name for name in found if name.startswith(service)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("powertune", type=os.path.abspath)
    arguments.add_argument("bootstrap", type=os.path.abspath)
    arguments.add_argument("--on", action="append", choices=interpreters.INTERPRETERS)
    arguments.add_argument("--only", action="append", choices=[s.__name__ for s in SCENARIOS])
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="powertune-workflow-") as folder:
        for name in chosen.on or ["moto"]:
            log = pathlib.Path(folder) / f"{name}.jsonl"
            extra = ("--key-pair", servers.MOTO_KEY_PAIR, "--log-calls", str(log))
            extra += ("--cpu", "unlimited")
            with servers.powertune(chosen.powertune, *extra) as local, servers.moto() as moto:
                servers.use(local | {"AWS_ENDPOINT_URL_S3": moto["AWS_ENDPOINT_URL_LAMBDA"]})
                # Clients of the interpreter before have their key pair from here.
                boto3.setup_default_session()
                endpoint = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
                with interpreters.INTERPRETERS[name](endpoint) as interpreter:
                    stage = Stage(chosen, interpreter, folder)
                    play(stage, name, chosen.only)
            if not chosen.only and name == "moto":
                check_permissions(chosen.powertune, log)
                check_commands(stage)
    print("as it has to be")


def play(stage, interpreter, only):
    """Every scenario, with a look at what it leaves behind."""
    stage.create_tuned(SLEEPS)
    for scenario in SCENARIOS:
        if only and scenario.__name__ not in only:
            continue
        if interpreter != "moto" and scenario not in SECOND_OPINION:
            continue
        before, started = stage.footprint(), time.monotonic()
        scenario(stage)
        after = stage.footprint()
        expect(f"the footprint of {scenario.__name__} on {interpreter}", after, before)
        print(f"{interpreter}: {scenario.__name__} in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
