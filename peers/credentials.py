"""Whose credentials, which region and which endpoint powertune and the AWS CLI use: every rule of the
chain, observed at a server that records what it is called with.

Both are given the same environment, files and options. A case in DIFFERENT says why the two may
differ, and what powertune then does.
"""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AWS = Path(sys.executable).parent / "aws"

ROLE = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>
<AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>
</{action}Result></{action}Response>"""

DEFAULT = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = s
region = eu-north-1
[profile other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = s
region = eu-west-1
[profile bare]
region = eu-west-3
"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}
REGION = {"AWS_DEFAULT_REGION": "us-east-2"}


class Case:
    """What both programs are given."""

    def __init__(self, name, environment=None, config="", options=(), credentials="", files=None):
        self.name = name
        self.environment = environment or {}
        self.config = config
        self.options = list(options)
        self.credentials = credentials
        self.files = files or {}


def sso_token(name):
    """The file that `aws sso login` leaves, and where."""
    path = f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"
    token = {
        "accessToken": "token",
        "expiresAt": "2999-01-01T00:00:00Z",
        "region": "us-east-1",
        "startUrl": "https://example.awsapps.com/start",
    }
    return {path: json.dumps(token)}


ROLES = """
[profile role]
role_arn = arn:aws:iam::123456789012:role/first
source_profile = other
region = ap-south-1
[profile chained]
role_arn = arn:aws:iam::123456789012:role/second
source_profile = role
[profile of-environment]
role_arn = arn:aws:iam::123456789012:role/first
credential_source = Environment
[profile process]
credential_process = echo {"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"s"}
region = ap-south-1
[profile web]
role_arn = arn:aws:iam::123456789012:role/web
web_identity_token_file = HOME/token
region = ap-south-1
[profile sso-old]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Reader
region = ap-south-1
[sso-session company]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile sso]
sso_session = company
sso_account_id = 123456789012
sso_role_name = Reader
region = ap-south-1
[profile from-sso]
role_arn = arn:aws:iam::123456789012:role/first
source_profile = sso
"""
ENDPOINTS = """
[profile to-b]
aws_access_key_id = AKIATOB
aws_secret_access_key = s
region = eu-west-1
endpoint_url = SERVER_B
[profile lambda-to-b]
aws_access_key_id = AKIATOB
aws_secret_access_key = s
region = eu-west-1
services = local
[services local]
lambda =
  endpoint_url = SERVER_B
"""
BOTH = DEFAULT + ROLES + ENDPOINTS
TWO_FILES = "[other]\naws_access_key_id = AKIASHARED\naws_secret_access_key = s\n"
TOKEN = {"token": "web-identity"}
WEB = {
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
}
BROKEN = "[profile broken]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = absent\n"

CASES = [
    Case("keys of the environment", KEYS | REGION),
    Case("a session token of the environment", KEYS | REGION | {"AWS_SESSION_TOKEN": "token"}),
    Case("the default profile", {}, DEFAULT),
    Case("keys of the environment before the default profile", KEYS, DEFAULT),
    Case("a region of the environment before the profile's", REGION, DEFAULT),
    Case("--region before the environment's", KEYS | REGION, DEFAULT, ["--region", "sa-east-1"]),
    Case("AWS_PROFILE", {"AWS_PROFILE": "other"}, DEFAULT),
    Case(
        "AWS_PROFILE and AWS_DEFAULT_PROFILE",
        {"AWS_PROFILE": "bare", "AWS_DEFAULT_PROFILE": "other"},
        DEFAULT,
    ),
    Case(
        "AWS_PROFILE and an empty AWS_DEFAULT_PROFILE",
        {"AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": ""},
        DEFAULT,
    ),
    Case("AWS_DEFAULT_PROFILE", {"AWS_DEFAULT_PROFILE": "other"}, DEFAULT),
    Case("keys of the environment before AWS_PROFILE", KEYS | {"AWS_PROFILE": "other"}, DEFAULT),
    Case("--profile before keys of the environment", KEYS, DEFAULT, ["--profile", "other"]),
    Case("--profile before AWS_PROFILE", {"AWS_PROFILE": "x"}, DEFAULT, ["--profile", "other"]),
    Case("--profile and AWS_DEFAULT_REGION", KEYS | REGION, DEFAULT, ["--profile", "other"]),
    Case("--profile and --region", {}, DEFAULT, ["--profile", "other", "--region", "sa-east-1"]),
    Case("a profile that is not there", KEYS, DEFAULT, ["--profile", "nobody"]),
    Case("AWS_PROFILE that is not there", {"AWS_PROFILE": "nobody"} | REGION, DEFAULT),
    Case(
        "keys beside an AWS_PROFILE that is not there",
        KEYS | REGION | {"AWS_PROFILE": "nobody"},
        DEFAULT,
    ),
    Case("a profile without keys", KEYS, DEFAULT, ["--profile", "bare"]),
    Case("the credentials file before the config file", {}, DEFAULT, ["--profile", "other"], TWO_FILES),
    Case("keys in the credentials file alone", REGION | {"AWS_PROFILE": "other"}, "", [], TWO_FILES),
    Case("an empty AWS_PROFILE", {"AWS_PROFILE": ""}, DEFAULT),
    Case("an empty region", REGION | {"AWS_REGION": ""}, DEFAULT),
    Case("a key without a secret", {"AWS_ACCESS_KEY_ID": "AKIAENV"}, DEFAULT),
    Case(
        "half a pair beside --profile",
        {"AWS_ACCESS_KEY_ID": "AKIAENV"},
        DEFAULT,
        ["--profile", "other"],
    ),
    Case("a secret without a key", {"AWS_SECRET_ACCESS_KEY": "s"}, DEFAULT),
    Case("an empty pair", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, DEFAULT),
    Case("no credentials at all", REGION),
    Case("no region at all", KEYS),
    Case("a role", {"AWS_PROFILE": "role"}, BOTH),
    Case("a role by --profile", KEYS, BOTH, ["--profile", "role"]),
    Case("a role of a role", {}, BOTH, ["--profile", "chained", "--region", "ap-south-1"]),
    Case("a role with the environment's keys", KEYS | REGION, BOTH, ["--profile", "of-environment"]),
    Case("a role of a profile that is not there", REGION, BROKEN, ["--profile", "broken"]),
    Case("a process", {}, BOTH, ["--profile", "process"]),
    Case("a process by AWS_PROFILE", {"AWS_PROFILE": "process"}, BOTH),
    Case("a web identity of the environment", WEB | REGION, "", [], "", TOKEN),
    Case("a web identity of a profile", {}, BOTH, ["--profile", "web"], "", TOKEN),
    Case(
        "keys of the environment before a web identity", KEYS | WEB | REGION, "", [], "", TOKEN
    ),
    Case("--profile before a web identity", WEB, DEFAULT, ["--profile", "other"], "", TOKEN),
    Case(
        "a sign-in",
        {},
        BOTH,
        ["--profile", "sso"],
        "",
        sso_token("company"),
    ),
    Case("a sign-in by AWS_PROFILE", {"AWS_PROFILE": "sso"}, BOTH, [], "", sso_token("company")),
    Case(
        "a sign-in of the older kind",
        {},
        BOTH,
        ["--profile", "sso-old"],
        "",
        sso_token("https://example.awsapps.com/start"),
    ),
    Case("a sign-in that was never made", {}, BOTH, ["--profile", "sso"]),
    Case(
        "a role of a sign-in",
        {},
        BOTH,
        ["--profile", "from-sso", "--region", "ap-south-1"],
        "",
        sso_token("company"),
    ),
    Case(
        "a container's credentials",
        REGION | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "SERVER_A/container"},
    ),
    Case("AWS_ENDPOINT_URL_LAMBDA", KEYS | REGION | {"AWS_ENDPOINT_URL_LAMBDA": "SERVER_B"}),
    Case("a profile's endpoint", {"AWS_ENDPOINT_URL": ""}, BOTH, ["--profile", "to-b"]),
    Case(
        "a profile's endpoint of Lambda", {"AWS_ENDPOINT_URL": ""}, BOTH, ["--profile", "lambda-to-b"]
    ),
    Case("AWS_ENDPOINT_URL and a profile's", {}, BOTH, ["--profile", "to-b"]),
    Case("AWS_ENDPOINT_URL and a profile's of Lambda", {}, BOTH, ["--profile", "lambda-to-b"]),
    Case("--endpoint-url", KEYS | REGION, "", ["--endpoint-url", "SERVER_B"]),
    Case(
        "--endpoint-url before a variable",
        KEYS | REGION | {"AWS_ENDPOINT_URL_LAMBDA": "SERVER_A"},
        "",
        ["--endpoint-url", "SERVER_B"],
    ),
    Case("AWS_REGION", KEYS | {"AWS_REGION": "us-west-2"}),
    Case("AWS_REGION before AWS_DEFAULT_REGION", KEYS | REGION | {"AWS_REGION": "us-west-2"}),
]

# Why the two may differ, and what powertune does.
NEWER = "the AWS CLI's version 1 does not know AWS_REGION; version 2 and AWS's SDKs go by it first"
DIFFERENT = {
    name: (NEWER, ["lambda as AKIAENV in us-west-2 at A with token None"])
    for name in ["AWS_REGION", "AWS_REGION before AWS_DEFAULT_REGION"]
} | {
    "AWS_PROFILE and an empty AWS_DEFAULT_PROFILE": (
        "an empty variable counts as not set everywhere, not only where it is AWS_PROFILE",
        ["lambda as AKIAOTHER in eu-west-1 at A with token None"],
    ),
}


class Server:
    """Records who calls it, and for which region and service."""

    def __init__(self, name):
        self.calls = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, text = server.answer(self.path, body, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if text[:1] == "{" else "text/xml")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.name = name
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, path, body, headers):
        signed = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", headers.get("Authorization") or "")
        key, region, service = signed.groups() if signed else ("nobody", "nowhere", "unsigned")
        if service == "lambda":
            token = headers.get("X-Amz-Security-Token")
            self.calls.append(f"lambda as {key} in {region} at {self.name} with token {token}")
            return 400, json.dumps({"Message": "no", "__type": "InvalidParameterValueException"})
        form = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
        if action := form.get("Action"):
            role = form["RoleArn"].rsplit("/", 1)[1]
            self.calls.append(f"{action} of {role} as {key}")
            return 200, ROLE.format(action=action, key=f"ASIA{role.upper()}")
        if path.startswith("/federation/credentials"):
            self.calls.append("GetRoleCredentials")
            found = {"accessKeyId": "ASIASSO", "secretAccessKey": "s", "sessionToken": "t"}
            return 200, json.dumps({"roleCredentials": found | {"expiration": 32472144000000}})
        if path == "/container":
            self.calls.append("container")
            found = {"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "s", "Token": "t"}
            return 200, json.dumps(found | {"Expiration": "2999-01-01T00:00:00Z"})
        self.calls.append(f"unknown {path}")
        return 400, "{}"


def observed(case, program):
    """The calls that a program makes in this case, and whether it calls Lambda."""
    servers = [Server("A"), Server("B")]
    with tempfile.TemporaryDirectory() as home:

        def placed(text):
            text = text.replace("SERVER_A", servers[0].url).replace("SERVER_B", servers[1].url)
            return text.replace("HOME", home)

        files = {"config": case.config, "credentials": case.credentials} | case.files
        for name, text in files.items():
            path = Path(home, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(placed(text))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "XDG_STATE_HOME": home,
            "AWS_CONFIG_FILE": f"{home}/config",
            "AWS_SHARED_CREDENTIALS_FILE": f"{home}/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ENDPOINT_URL": servers[0].url,
        } | {name: placed(value) for name, value in case.environment.items()}
        if not environment["AWS_ENDPOINT_URL"]:
            del environment["AWS_ENDPOINT_URL"]
        options = [placed(option) for option in case.options]
        ended = subprocess.run(
            program + options, env=environment, capture_output=True, text=True, timeout=60
        )
        calls = servers[0].calls + servers[1].calls
        for server in servers:
            server.http.shutdown()
            server.http.server_close()
        # Each repeats some calls, such as those for a second role.
        return sorted(set(calls)), ended.returncode, ended.stderr.strip()


def held(case, powertune):
    """What is wrong with a case, if anything."""
    cli, _, cli_said = observed(
        case, [str(AWS), "lambda", "get-function", "--function-name", "fn"]
    )
    ours, code, said = observed(case, [powertune, "tune", "fn", "--dry-run"])
    problems = []
    if (cli == ours) == (case.name in DIFFERENT):
        problems.append("differs without a reason" if cli != ours else "differs no longer")
    if case.name in DIFFERENT and ours != DIFFERENT[case.name][1]:
        problems.append("differs otherwise")
    if code != 2:
        problems.append(f"powertune exits with {code}")
    if not problems:
        return None
    return f"{case.name}: {', '.join(problems)}\n  aws:       {cli} {cli_said}\n  powertune: {ours} {said}"


def main():
    [powertune] = sys.argv[1:]
    with ThreadPoolExecutor(4) as pool:
        wrong = [found for found in pool.map(lambda case: held(case, powertune), CASES) if found]
    print("\n".join(wrong))
    print(f"figure: rules of AWS's credential chain held against the AWS CLI: {len(CASES)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
