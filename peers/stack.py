"""Deploys the SAM template on ministack, runs the state machine, and takes everything down again.

    stack.py                  with functions that only pretend (stack_stub.py)
    stack.py BOOTSTRAP        with this binary, which tunes a function there

`deployed` is for other scripts: a stack of a bootstrap, for as long as a `with` lasts.
"""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3

import servers
import tune
from expectations import expect

HERE = pathlib.Path(__file__).parent
TEMPLATE = HERE.parent / "deploy/sam/template.yml"
CODE = "    CodeUri: functions/\n"
BUCKET = "powertune-code"
STEPS = ("initialize", "publish", "measure", "decide", "apply", "clean")
ENDS_WITHIN_S = 120


def client(service):
    """A client of any service of the server that the environment names."""
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL_LAMBDA"])


def package(bootstrap):
    """A zip file with a bootstrap that can be executed, the same bytes for the same bootstrap.

    A binary goes without its debug symbols, which nobody would deploy.
    """
    content = pathlib.Path(bootstrap).read_bytes()
    if content.startswith(b"\x7fELF"):
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, bootstrap], check=True)
            content = pathlib.Path(stripped.name).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("bootstrap", date_time=(2020, 1, 1, 0, 0, 0))
        entry.external_attr = 0o755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content, compresslevel=1)
    return buffer.getvalue()


def packaged(bootstrap):
    """The template with its code in S3, which is what `sam package` leaves."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="bootstrap.zip", Body=package(bootstrap))
    template = TEMPLATE.read_text()
    expect("the template's places for code", template.count(CODE), 1)
    return template.replace(CODE, f"    CodeUri: s3://{BUCKET}/bootstrap.zip\n")


@contextlib.contextmanager
def deployed(bootstrap, name="powertune", **parameters):
    """A stack of the template: its outputs. Afterwards it is deleted, and has to be gone."""
    formation = client("cloudformation")
    formation.create_stack(
        StackName=name,
        TemplateBody=packaged(bootstrap),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    )
    expect("the stack", settled(formation, name), "CREATE_COMPLETE")
    try:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        yield {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    finally:
        formation.delete_stack(StackName=name)
        deleted = settled(formation, stack["StackId"])
    expect("the stack", deleted, "DELETE_COMPLETE")


def settled(formation, name):
    """The status of a stack when nothing is in progress any more; failures go to stderr."""

    def status():
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

    found = until("the stack", status)
    for event in formation.describe_stack_events(StackName=name)["StackEvents"]:
        if event["ResourceStatus"].endswith("FAILED"):
            reason = event.get("ResourceStatusReason")
            print(f"{event['LogicalResourceId']}: {reason}", file=sys.stderr)
    return found


def until(what, ready):
    """Waits until `ready` gives something."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        time.sleep(0.2)
    sys.exit(f"{what} is not there after {ENDS_WITHIN_S} s")


def execute(machine, request):
    """How an execution ended: its description."""
    states = client("stepfunctions")
    started = states.start_execution(stateMachineArn=machine, input=json.dumps(request))

    def ended():
        execution = states.describe_execution(executionArn=started["executionArn"])
        return None if execution["status"] == "RUNNING" else execution

    return until("the end of the execution", ended)


def functions():
    """The step functions' configurations, by their handler."""
    listed = client("lambda").list_functions()["Functions"]
    return {function["Handler"]: function for function in listed}


def look(machine):
    """Whether what was deployed is what the template says."""
    expect("the name's beginning", machine.split(":")[-1].split("-")[0], "powerTuningStateMachine")
    found = functions()
    expect("the functions", sorted(found), sorted(STEPS))
    expect("the timeout of Measure", found["measure"]["Timeout"], 300)
    variables = {
        step: function.get("Environment", {}).get("Variables", {})
        for step, function in found.items()
    }
    expect("POWER_VALUES", variables["initialize"].get("POWER_VALUES"), "128,256")
    expect("MEASURE_TIMEOUT", variables["initialize"].get("MEASURE_TIMEOUT"), "300")
    expect("what Clean reads", variables["clean"], {})
    groups = client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/powertune-")
    kept = {group["logGroupName"]: group["retentionInDays"] for group in groups["logGroups"]}
    expect("the log groups", kept, {f"/aws/lambda/powertune-{step}": 7 for step in STEPS})


def statements(step):
    """The statements of a step's role, by their Sid."""
    iam = client("iam")
    role = functions()[step]["Role"].rpartition("/")[2]
    policy = iam.get_role_policy(RoleName=role, PolicyName="powertune")["PolicyDocument"]
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def look_at_roles(tuned, may_read):
    """Whether the roles have the resources that these parameters give them."""
    qualified = "arn:aws:lambda:*:*:function:*:*"
    clean = statements("clean")
    expect("Clean's statements", set(clean), {"Function", "NeverTheFunction", "Version", "Log"})
    expect("what is never deleted", clean["NeverTheFunction"]["NotResource"], qualified)
    if tuned == "*":
        expect("what Clean may change", clean["Function"]["Resource"], "*")
        expect("what Clean may delete", clean["Version"]["Resource"], qualified)
    else:
        expect("what Clean may change", clean["Function"]["Resource"], [tuned, f"{tuned}:*"])
        expect("what Clean may delete", clean["Version"]["Resource"], f"{tuned}:*")
    payload = statements("measure").get("Payload", {})
    expect("what Measure may read", payload.get("Resource"), may_read)
    expect("Decide's statements", set(statements("decide")), {"Log"})


def said_by(step):
    """What a step's function has printed."""
    logs = client("logs")
    group = functions()[step]["LoggingConfig"]["LogGroup"]
    return "\n".join(
        event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]
    )


def run(machine):
    """Whether an execution goes through all its steps, and one that fails is cleaned after."""
    done = execute(machine, {"lambdaARN": "one"})
    expect("the execution", (done["status"], done.get("output")), ("SUCCEEDED", '{"power": 128}'))

    failed = execute(machine, {"lambdaARN": "one", "fail": "Publish"})
    expect("the execution that fails", (failed["status"], failed["error"]), ("FAILED", "Stub"))
    event = until(
        "an event that Clean was called with",
        lambda: "Step Functions Execution Status Change" in said_by("clean"),
    )
    expect("an event that Clean was called with", event, True)


def tune_a_function(machine):
    """Whether the real steps tune a function, and leave it as it was."""
    functions = client("lambda")
    tune.create(functions)
    before = tune.snapshot(functions)
    request = {"lambdaARN": tune.FUNCTION, "num": 5, "powerValues": [128, 256, 512]}
    done = execute(machine, request)
    expect(f"the execution ({done.get('cause')})", done["status"], "SUCCEEDED")
    result = json.loads(done["output"])
    expect("the power", result["power"], 256)
    expect("the invocations", result["invocations"], 15)
    for row in result["stats"]:
        took = tune.DURATIONS_MS[row["value"]] - 0.5
        expect(f"the median at {row['value']} MB", row["duration"]["p50"], took)
    expect("the function", tune.snapshot(functions), before)
    # Its log is its own, and no part of the stack.
    functions.delete_function(FunctionName=tune.FUNCTION)
    client("logs").delete_log_group(logGroupName=f"/aws/lambda/{tune.FUNCTION}")


def gone():
    """Whether nothing of a stack is left."""
    expect("the functions of a deleted stack", functions(), {})
    expect("the logs of a deleted stack", client("logs").describe_log_groups()["logGroups"], [])
    expect("the roles of a deleted stack", client("iam").list_roles()["Roles"], [])


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    bootstrap = sys.argv[1] if len(sys.argv) == 2 else HERE / "stack_stub.py"
    # The app gives a function the request id that its answer bears.
    with servers.ministack("ministack_app:app") as environment:
        servers.use(environment)
        chosen = {"PowerValues": "128,256", "totalExecutionTimeout": "300"}
        with deployed(bootstrap, **chosen) as outputs:
            look(outputs["StateMachineARN"])
            look_at_roles("*", None)
            if len(sys.argv) == 1:
                run(outputs["StateMachineARN"])
            else:
                tune_a_function(outputs["StateMachineARN"])
        gone()
        tuned = "arn:aws:lambda:us-east-1:123456789012:function:tuned"
        payloads = {"payloadS3Bucket": "payloads", "payloadS3Key": "large.json"}
        with deployed(bootstrap, lambdaResource=tuned, **payloads):
            look_at_roles(tuned, "arn:aws:s3:::payloads/large.json")
        gone()
    print("as it has to be")


if __name__ == "__main__":
    main()
