"""Applies the Terraform module on moto and LocalStack, looks at what is there, and destroys it.

    module.py BOOTSTRAP

moto has IAM, Lambda, logs and events, LocalStack checks and takes the state machine. Without
terraform on PATH nothing is done, and said.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import boto3

import interpreters
import servers
import stack
import templates
from expectations import expect

ROOT = """\
provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  endpoints {{
    iam            = "{moto}"
    lambda         = "{moto}"
    cloudwatchlogs = "{moto}"
    events         = "{moto}"
    sts            = "{moto}"
    sfn            = "{states}"
  }}
}}

module "tuning" {{
  source = "./module"
  code   = "${{path.root}}/bootstrap.zip"
}}

output "arn" {{
  value = module.tuning.state_machine_arn
}}
"""


def terraform(folder, *words):
    """What terraform printed."""
    ended = subprocess.run(
        ["terraform", *words],
        cwd=folder,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if ended.returncode:
        sys.exit(f"terraform {words[0]} failed\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def client(service, endpoint):
    """A client of a service of one server."""
    return boto3.client(service, endpoint_url=endpoint)


def handlers(moto):
    """The handlers of the functions that are there."""
    listed = client("lambda", moto).list_functions()["Functions"]
    return sorted(function["Handler"] for function in listed)


def machines(states):
    """The names of the state machines that are there."""
    listed = client("stepfunctions", states).list_state_machines()["stateMachines"]
    return [machine["name"] for machine in listed]


def apply(folder, bootstrap, moto, states):
    """The module, up and down again."""
    shutil.copytree(templates.DEPLOY / "terraform", folder / "module")
    (folder / "main.tf").write_text(ROOT.format(moto=moto, states=states))
    (folder / "bootstrap.zip").write_bytes(stack.package(bootstrap))
    plugins = os.environ.get("TERRAFORM_PLUGINS") or templates.mirror()
    terraform(folder, "init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []))
    terraform(folder, "apply", "-input=false", "-auto-approve")
    expect("the functions", handlers(moto), sorted(stack.STEPS))
    expect("the state machines", machines(states), ["powerTuningStateMachine"])
    arn = json.loads(terraform(folder, "output", "-json"))["arn"]["value"]
    described = client("stepfunctions", states).describe_state_machine(stateMachineArn=arn)
    expect("where it starts", json.loads(described["definition"])["StartAt"], "Initialize")
    rules = client("events", moto).list_rules()["Rules"]
    expect("how many rules there are", len(rules), 1)
    terraform(folder, "destroy", "-input=false", "-auto-approve")
    expect("the functions afterwards", handlers(moto), [])
    expect("the state machines afterwards", machines(states), [])
    expect("the roles afterwards", client("iam", moto).list_roles()["Roles"], [])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("terraform"):
        print("skipped: terraform is not on PATH")
        sys.exit("POWERTUNE_REQUIRE_ALL" in os.environ)
    with (
        servers.moto_server({"lambda": {"use_docker": False}}) as moto,
        servers.localstack_states(interpreters.port_of(moto)) as states,
        tempfile.TemporaryDirectory(prefix="powertune-module-") as folder,
    ):
        servers.use(servers.client_environment(moto))
        apply(pathlib.Path(folder), sys.argv[1], moto, states["AWS_ENDPOINT_URL_SFN"])
    print("as it has to be")


if __name__ == "__main__":
    main()
