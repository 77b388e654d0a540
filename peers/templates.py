"""Has what is in `deploy` read by the tools that deploy it; none of them needs an account.

    templates.py            prints a line for each tool, and fails if one refuses what it reads

The tools are those of requirements-templates.txt and cdk/package.json, and terraform, which is on
PATH or left out; TERRAFORM_PLUGINS names a folder with its AWS provider, where none can be fetched.
Without it a mirror of Terraform's registry on this machine is taken, where there is one.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
DEPLOY = HERE.parent / "deploy"
PEERS = HERE.parent / "target/peers"
PYTHON_TOOLS = PEERS / "templates/bin"
MODULES = PEERS / "cdk/node_modules"
TEMPLATE = DEPLOY / "sam/template.yml"
STEPS = ("initialize", "publish", "measure", "decide", "apply", "clean")

# The provider asks nobody anything while it plans what is not there yet.
TERRAFORM_ROOT = """\
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

module "any" {
  source = "./module"
  code   = "${path.root}/bootstrap.zip"
}

module "one" {
  source                    = "./module"
  code                      = "${path.root}/bootstrap.zip"
  state_machine_name_prefix = "one"
  lambda_resource           = "arn:aws:lambda:us-east-1:123456789012:function:tuned"
  payload_s3_bucket         = "payloads"
  permissions_boundary      = "arn:aws:iam::123456789012:policy/boundary"
  subnet_ids                = ["subnet-0123456789abcdef0"]
  security_group_ids        = ["sg-0123456789abcdef0"]
}
"""


class Refused(Exception):
    """A tool's complaint."""


def run(*command, folder, **environment):
    """What a tool printed; raises what it printed if it fails."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if ended.returncode:
        raise Refused(f"{command[0]} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def node(tool):
    """The path of a tool of cdk/package.json."""
    return MODULES / ".bin" / tool


def bootstrap_zip(folder):
    """A zip file with something in the place of the functions' binary."""
    path = pathlib.Path(folder) / "bootstrap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    return path


def cfn_lint(folder):
    """Warnings count."""
    run(PYTHON_TOOLS / "cfn-lint", TEMPLATE, folder=folder)
    return "no errors, no warnings"


def sam_validate(folder):
    run(PYTHON_TOOLS / "sam", "validate", "--lint", "--template", TEMPLATE, folder=folder,
        SAM_CLI_TELEMETRY="0")
    return "a valid SAM template"


def sam_build(folder):
    """With a bootstrap that is there already: what cargo-lambda builds, CI builds elsewhere."""
    there = pathlib.Path(folder) / "deploy/sam"
    shutil.copytree(DEPLOY / "sam", there, ignore=shutil.ignore_patterns(".aws-sam"))
    (there / "functions/bootstrap").write_text("#!/bin/sh\n")
    run(PYTHON_TOOLS / "sam", "build", folder=there, SAM_CLI_TELEMETRY="0")
    built = sorted(path.parent.name for path in there.glob(".aws-sam/build/*/bootstrap"))
    if built != sorted(f"{step.capitalize()}Function" for step in STEPS):
        raise Refused(f"sam build left a bootstrap in {built}")
    return f"{len(built)} functions with a bootstrap"


def asl_validator(folder):
    definition = DEPLOY / "statemachine.asl.json"
    run(node("asl-validator"), "--json-path", definition, folder=folder)
    return "a valid state machine"


# What a stage may choose. Where it chooses nothing, cfn-lint complains of the empty texts in
# branches that no condition leads to.
CHOSEN = {
    "lambdaResource": "arn:aws:lambda:us-east-1:123456789012:function:tuned",
    "payloadS3Bucket": "payloads",
    "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
    "subnetIds": "subnet-0123456789abcdef0",
    "securityGroupIds": "sg-0123456789abcdef0",
}


def serverless_package(folder):
    """As it comes, and with everything chosen; then cfn-lint finds no error in what it makes."""
    service = pathlib.Path(folder) / "service"
    service.mkdir()
    shutil.copy(DEPLOY / "serverless/serverless.yml", service)
    code = f"code={bootstrap_zip(service).name}"
    template = service / ".serverless/cloudformation-template-update-stack.json"
    for parameters in ({}, CHOSEN):
        chosen = [f"--param={name}={value}" for name, value in parameters.items()]
        run(node("osls"), "package", f"--param={code}", *chosen, folder=service,
            SLS_TELEMETRY_DISABLED="1")
        functions = resources(template, "AWS::Lambda::Function")
        if len(functions) != len(STEPS):
            raise Refused(f"osls packaged {functions}")
    run(PYTHON_TOOLS / "cfn-lint", "--non-zero-exit-code", "error", template, folder=folder)
    return f"{len(functions)} functions packaged"


def cdk_synth(folder):
    """The template that it makes is linted as well."""
    app = f"node {HERE / 'cdk/app.cjs'} {TEMPLATE} {bootstrap_zip(folder)}"
    out = pathlib.Path(folder) / "cdk.out"
    run(node("cdk"), "synth", "--quiet", "--app", app, "--output", out, "--no-notices",
        "--no-version-reporting", folder=folder, NODE_PATH=str(MODULES), CI="true")
    template = out / "powertune.template.json"
    functions = resources(template, "AWS::Serverless::Function")
    run(PYTHON_TOOLS / "cfn-lint", "--non-zero-exit-code", "error", template, folder=folder)
    return f"{len(functions)} functions in a stack"


def resources(template, kind):
    """The logical ids of a template's resources of a type."""
    found = json.loads(template.read_text())["Resources"]
    return [name for name, resource in found.items() if resource["Type"] == kind]


def terraform(folder):
    """Formatted, valid, and a plan for two modules beside each other."""
    root = pathlib.Path(folder) / "root"
    shutil.copytree(DEPLOY / "terraform", root / "module")
    (root / "main.tf").write_text(TERRAFORM_ROOT)
    bootstrap_zip(root)

    def ask(*words):
        return run("terraform", *words, folder=root, CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1")

    ask("fmt", "-check", "-recursive", "module")
    plugins = os.environ.get("TERRAFORM_PLUGINS") or mirror()
    ask("init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []))
    ask("validate")
    ask("plan", "-input=false", "-out=plan")
    changes = json.loads(ask("show", "-json", "plan"))["resource_changes"]
    functions = [one for one in changes if one["type"] == "aws_lambda_function"]
    if len(functions) != 2 * len(STEPS):
        raise Refused(f"the plan has {len(functions)} functions")
    return f"formatted, valid, {len(changes)} resources planned for two modules"


def mirror():
    """A folder that holds what Terraform's registry would be asked for, or None."""
    found = pathlib.Path("/").glob("*/*/registry.terraform.io")
    return next((str(registry.parent) for registry in found), None)


TOOLS = {
    "cfn-lint": cfn_lint,
    "sam validate --lint": sam_validate,
    "sam build": sam_build,
    "asl-validator": asl_validator,
    "osls package": serverless_package,
    "cdk synth": cdk_synth,
    "terraform": terraform,
}


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    refused = False
    for name, tool in TOOLS.items():
        if name == "terraform" and not shutil.which("terraform"):
            print(f"{name}: skipped, it is not on PATH")
            # Where everything has to be there, it has to be there too.
            refused |= "POWERTUNE_REQUIRE_ALL" in os.environ
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="powertune-templates-") as folder:
                print(f"{name}: {tool(folder)}")
        except Refused as complaint:
            refused = True
            print(f"{name}: {complaint}")
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
