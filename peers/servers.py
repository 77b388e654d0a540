"""Endpoints to test with: powertune's own Lambda, and what others wrote.

Each starts on a free port of 127.0.0.1 with a temporary folder of its own, and is gone afterwards
with every process that it started.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3

ROLE = "arn:aws:iam::123456789012:role/powertune-peers"
# What moto signs the calls of its state machines with.
MOTO_KEY_PAIR = "ak:sk"
STARTS_WITHIN_S = 60
HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
LOCALSTACK = BIN.parent.parent / "localstack/bin/python"
EXPORT = re.compile(r"export ([A-Z_]+)=(\S+)")


def free_port():
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(command, environment, folder):
    """A process in a session of its own; afterwards nothing of that session is left."""
    log = pathlib.Path(folder) / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **environment, "TMPDIR": folder},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield server, log
    finally:
        end(server)


def end(server):
    """Asks first, so that a server can take its own workers down, then kills the session."""
    if server.poll() is None:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=10)
    for pid in in_session(server.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.wait()


def in_session(session):
    """The processes of a session: workers may have left the group, not the session."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found.append(int(entry.name))
    return found


def until(server, log, what, ready):
    """Waits until `ready` gives something; where it never does, the error holds the log."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{what} did not start; it wrote:\n{log.read_text(errors='replace')}")


def answers(url):
    """Whether a server answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 500
    except OSError:
        return False


def use(environment):
    """Points every client of AWS at an endpoint, whatever this machine's user has set up."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)


def client_environment(endpoint, **overrides):
    """The environment that points any AWS client at an endpoint."""
    return {
        "AWS_ENDPOINT_URL_LAMBDA": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **overrides,
    }


@contextlib.contextmanager
def moto():
    """moto, with an Invoke that answers a fixed string instead of starting Docker."""
    with moto_server({"lambda": {"use_docker": False}}) as endpoint:
        create_role(endpoint)
        yield client_environment(endpoint)


@contextlib.contextmanager
def moto_states(tasks):
    """moto's Step Functions, whose tasks are functions of the Lambda on the port `tasks`.

    moto calls that Lambda by the name localhost, with the key pair `MOTO_KEY_PAIR`.
    """
    executing = {"stepfunctions": {"execute_state_machine": True}}
    with moto_server(executing, tasks) as endpoint:
        yield states_environment(endpoint, tasks)


@contextlib.contextmanager
def moto_server(configuration, tasks=None):
    """A moto of its own. It takes `tasks` for its own port, which is where it invokes functions."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="powertune-moto-") as folder:
        command = [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
        with process(command, {"MOTO_PORT": str(tasks or port)}, folder) as (server, log):
            until(server, log, "moto", lambda: answers(f"{endpoint}/moto-api/data.json"))
            configure = urllib.request.Request(
                f"{endpoint}/moto-api/config",
                data=json.dumps(configuration).encode(),
                method="POST",
            )
            urllib.request.urlopen(configure, timeout=10).close()
            yield endpoint


def create_role(endpoint):
    """moto looks a function's role up."""
    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    iam.create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument="{}")


@contextlib.contextmanager
def localstack_states(tasks):
    """LocalStack's Step Functions, whose tasks are functions of the Lambda on the port `tasks`.

    LocalStack calls that Lambda with the key pair of this process's environment, or `test`.
    """
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="powertune-localstack-") as folder:
        environment = {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "TASKS_ENDPOINT": f"http://127.0.0.1:{tasks}",
            "SERVICES": "stepfunctions",
            # It may take this machine for its container, and then writes to /var/lib.
            "OVERRIDE_IN_DOCKER": "0",
            "FILESYSTEM_ROOT": folder,
            "HOME": folder,
            # Nothing is to be asked from outside.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        keys = states_environment(endpoint, tasks)
        command = [LOCALSTACK, HERE / "localstack_app.py"]
        with process(command, {**keys, **environment}, folder) as (server, log):
            until(server, log, "LocalStack", lambda: answers(f"{endpoint}/_localstack/health"))
            yield keys


def states_environment(endpoint, tasks):
    """The environment that points clients of Step Functions at one endpoint, of Lambda at another.

    The key pair is the one that this process uses already: it has to be known to the Lambda.
    """
    pair = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return client_environment(
        f"http://127.0.0.1:{tasks}",
        AWS_ENDPOINT_URL_SFN=endpoint,
        **{name: os.environ[name] for name in pair if name in os.environ},
    )


@contextlib.contextmanager
def ministack(app="ministack.app:app"):
    """ministack, which runs zip functions for real; `ministack_app:app` gives it one request id."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "GATEWAY_PORT": str(port),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryDirectory(prefix="powertune-ministack-") as folder:
        command = [BIN / "hypercorn", app, "--bind", f"127.0.0.1:{port}"]
        with process(command, environment, folder) as (server, log):
            until(server, log, "ministack", lambda: answers(f"{endpoint}/_ministack/health"))
            yield client_environment(endpoint)


@contextlib.contextmanager
def powertune(binary, *arguments):
    """`powertune local`; it says itself how clients reach it."""
    command = [pathlib.Path(binary).resolve(), "local", "--port", "0", *arguments]
    with tempfile.TemporaryDirectory(prefix="powertune-local-") as folder:
        with process(command, {}, folder) as (server, log):

            def exports():
                found = dict(EXPORT.findall(log.read_text()))
                return found if "AWS_ENDPOINT_URL_LAMBDA" in found and len(found) >= 4 else None

            yield client_environment("", **until(server, log, "powertune local", exports))
