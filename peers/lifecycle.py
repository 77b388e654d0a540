"""Walks the whole life of a function against a Lambda endpoint, with AWS's own client.

    lifecycle.py ENDPOINT                checks every answer against what AWS gives
    lifecycle.py --powertune POWERTUNE   the same on a `powertune local` started for it
    --json                               prints the shape of every answer instead

An answer's shape is its HTTP status, its error code, and the keys and types of its body; a value
that the walk determines (a version, a memory size, a state) stands for itself.
Credentials and the region come from the environment, as for any client of AWS.
"""

import argparse
import base64
import io
import json
import sys
import zipfile

import servers
from mistakes import make_mistakes
from walk import Walk, connect

FUNCTION = "lifecycle"

SOURCE = """\
def handler(event, context):
    print("handling", sorted(event))
    if "fail" in event:
        raise ValueError(event["fail"])
    memory = int(context.memory_limit_in_mb)
    return {"echo": event, "version": context.function_version, "memory": memory}
"""


def archive(source):
    """A function's zip, the same bytes for the same source."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        entry = zipfile.ZipInfo("index.py", date_time=(2020, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        package.writestr(entry, source)
    return buffer.getvalue()


def create(walk):
    """From nothing to a function that can be invoked."""
    client = walk.client
    walk.step(
        "create",
        lambda: client.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.11",
            Role=servers.ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive(SOURCE)},
            Timeout=10,
            MemorySize=256,
            Description="as created",
            Environment={"Variables": {"STAGE": "test"}},
            Tags={"team": "blue"},
        ),
        201,
        MemorySize=256,
        Timeout=10,
        Version="$LATEST",
        Runtime="python3.11",
        Handler="index.handler",
        CodeSize=len(archive(SOURCE)),
        PackageType="Zip",
    )
    walk.wait("create.wait", "function_active_v2", FunctionName=FUNCTION)
    walk.step("get", lambda: client.get_function(FunctionName=FUNCTION), 200, Tags={"team": "blue"})
    walk.step(
        "configuration",
        lambda: client.get_function_configuration(FunctionName=FUNCTION),
        200,
        State="Active",
        LastUpdateStatus="Successful",
        Environment={"Variables": {"STAGE": "test"}},
    )
    walk.step("list", lambda: client.list_functions(), 200)
    walk.step(
        "create.again",
        lambda: client.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.11",
            Role=servers.ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive(SOURCE)},
        ),
        409,
        "ResourceConflictException",
    )


def update(walk):
    """A configuration and its guard, then the code."""
    client = walk.client
    before = client.get_function_configuration(FunctionName=FUNCTION).get("RevisionId")
    walk.step(
        "update",
        lambda: client.update_function_configuration(
            FunctionName=FUNCTION, MemorySize=512, RevisionId=before
        ),
        200,
        MemorySize=512,
        Timeout=10,
        Description="as created",
    )
    walk.wait("update.wait", "function_updated_v2", FunctionName=FUNCTION)
    after = client.get_function_configuration(FunctionName=FUNCTION).get("RevisionId")
    walk.expect("update", "the revision is a new one", after != before, True)
    walk.step(
        "update.stale",
        lambda: client.update_function_configuration(
            FunctionName=FUNCTION, Timeout=20, RevisionId=before
        ),
        412,
        "PreconditionFailedException",
    )
    walk.step(
        "update.stale.after",
        lambda: client.get_function_configuration(FunctionName=FUNCTION),
        200,
        Timeout=10,
    )
    # For a server that took the stale update: the steps that follow are to start alike.
    walk.step(
        "update.timeout",
        lambda: client.update_function_configuration(FunctionName=FUNCTION, Timeout=10),
        200,
        Timeout=10,
    )
    walk.wait("update.timeout.wait", "function_updated_v2", FunctionName=FUNCTION)
    walk.step(
        "update.code",
        lambda: client.update_function_code(
            FunctionName=FUNCTION, ZipFile=archive(SOURCE + "\n# second\n")
        ),
        200,
        MemorySize=512,
        CodeSize=len(archive(SOURCE + "\n# second\n")),
    )
    walk.wait("update.code.wait", "function_updated_v2", FunctionName=FUNCTION)


def revision(walk, qualifier="$LATEST"):
    """The RevisionId that a version has now."""
    read = walk.client.get_function_configuration(FunctionName=FUNCTION, Qualifier=qualifier)
    return read.get("RevisionId")


def publish(walk):
    """Versions: a new one only where something changed, and what a version remembers.

    AWS was recorded: a version of an ordinary function is active at once, and keeps its RevisionId,
    while publishing moves $LATEST's.
    """
    client = walk.client
    code = client.get_function_configuration(FunctionName=FUNCTION)["CodeSha256"]
    before = revision(walk)
    published = walk.step(
        "publish",
        lambda: client.publish_version(FunctionName=FUNCTION, Description="first", CodeSha256=code),
        201,
        Version="1",
        Description="first",
        MemorySize=512,
        State="Active",
        LastUpdateStatus="Successful",
    )
    after, own = revision(walk), (published or {}).get("RevisionId")
    walk.expect("publish", "publishing moves $LATEST's revision", after != before, True)
    walk.wait("publish.wait", "published_version_active", FunctionName=FUNCTION, Qualifier="1")
    walk.expect("publish", "the version's revision stays", revision(walk, "1"), own)
    client.update_function_configuration(FunctionName=FUNCTION, MemorySize=1024)
    walk.wait("publish.update.wait", "function_updated_v2", FunctionName=FUNCTION)
    guards(walk)
    walk.step(
        "publish.second",
        lambda: client.publish_version(FunctionName=FUNCTION),
        201,
        Version="2",
        Description="as created",
        MemorySize=1024,
    )
    walk.step(
        "version.configuration",
        lambda: client.get_function_configuration(FunctionName=FUNCTION, Qualifier="1"),
        200,
        Version="1",
        MemorySize=512,
        Description="first",
    )
    list_versions(walk)


def guards(walk):
    """What PublishVersion refuses while there is something to publish."""
    client = walk.client
    walk.step(
        "publish.stale",
        lambda: client.publish_version(
            FunctionName=FUNCTION, RevisionId="11111111-2222-4333-8444-555555555555"
        ),
        412,
        "PreconditionFailedException",
    )
    walk.step(
        "publish.othercode",
        lambda: client.publish_version(FunctionName=FUNCTION, CodeSha256="A" * 43 + "="),
        400,
        "InvalidParameterValueException",
    )


def list_versions(walk):
    """All versions at once, by name and by ARN, then in pages of one."""
    client = walk.client
    walk.step("versions", lambda: client.list_versions_by_function(FunctionName=FUNCTION), 200)
    arn = client.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    walk.step("versions.arn", lambda: client.list_versions_by_function(FunctionName=arn), 200)
    first = walk.step(
        "versions.page",
        lambda: client.list_versions_by_function(FunctionName=FUNCTION, MaxItems=1),
        200,
    )
    walk.expect("versions.page", "there is a marker", "NextMarker" in (first or {}), True)
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName=FUNCTION, PaginationConfig={"PageSize": 1}
    )
    seen = [version["Version"] for page in pages for version in page["Versions"]]
    walk.expect("versions.page", "all pages", seen, ["$LATEST", "1", "2"])


def aliases(walk):
    """An alias from its making to just before its end (`remove` ends it)."""
    client = walk.client
    before = revision(walk), revision(walk, "1")
    walk.step(
        "alias.create",
        lambda: client.create_alias(
            FunctionName=FUNCTION, Name="live", FunctionVersion="1", Description="the first"
        ),
        201,
        Name="live",
        FunctionVersion="1",
    )
    after = revision(walk), revision(walk, "1")
    walk.expect("alias.create", "an alias moves no revision", after, before)
    walk.step(
        "alias.duplicate",
        lambda: client.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2"),
        409,
        "ResourceConflictException",
    )
    walk.step(
        "alias.noversion",
        lambda: client.create_alias(FunctionName=FUNCTION, Name="nowhere", FunctionVersion="99"),
        404,
        "ResourceNotFoundException",
    )
    walk.step(
        "alias.update",
        lambda: client.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2"),
        200,
        FunctionVersion="2",
        Description="the first",
    )
    walk.step(
        "alias.get",
        lambda: client.get_alias(FunctionName=FUNCTION, Name="live"),
        200,
        FunctionVersion="2",
    )
    walk.step("alias.list", lambda: client.list_aliases(FunctionName=FUNCTION), 200)
    walk.step(
        "alias.configuration",
        lambda: client.get_function_configuration(FunctionName=FUNCTION, Qualifier="live"),
        200,
        Version="2",
    )
    walk.step(
        "alias.unknown",
        lambda: client.get_alias(FunctionName=FUNCTION, Name="ghost"),
        404,
        "ResourceNotFoundException",
    )


def invoke(walk):
    """Every type of invocation, every way to say which version, and a failing function."""
    client = walk.client
    event = json.dumps({"number": 7}).encode()
    answer = walk.step(
        "invoke",
        lambda: client.invoke(FunctionName=FUNCTION, Payload=event, LogType="Tail"),
        200,
        StatusCode=200,
        ExecutedVersion="$LATEST",
    )
    log = base64.b64decode((answer or {}).get("LogResult", "")).decode(errors="replace")
    for part in ("START RequestId: ", "handling ['number']", "END RequestId: ", "REPORT "):
        walk.expect("invoke", f"the log holds {part!r}", part in log, True)
    walk.step(
        "invoke.dryrun",
        lambda: client.invoke(FunctionName=FUNCTION, InvocationType="DryRun"),
        204,
        StatusCode=204,
    )
    walk.step(
        "invoke.event",
        lambda: client.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=event),
        202,
        StatusCode=202,
    )
    walk.step(
        "invoke.failing",
        lambda: client.invoke(FunctionName=FUNCTION, Payload=b'{"fail":"on purpose"}'),
        200,
        FunctionError="Unhandled",
    )
    invoke_qualified(walk, event)
    walk.step(
        "invoke.notjson",
        lambda: client.invoke(FunctionName=FUNCTION, Payload=b"{not json"),
        400,
        "InvalidRequestContentException",
    )
    walk.step(
        "invoke.noversion",
        lambda: client.invoke(FunctionName=FUNCTION, Qualifier="99"),
        404,
        "ResourceNotFoundException",
    )


def invoke_qualified(walk, event):
    """The forms in which a function and its version can be named."""
    client = walk.client
    arn = client.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    account = arn.split(":")[4]
    forms = {
        "invoke.version": ({"FunctionName": FUNCTION, "Qualifier": "1"}, "1"),
        "invoke.alias": ({"FunctionName": FUNCTION, "Qualifier": "live"}, "2"),
        "invoke.name": ({"FunctionName": f"{FUNCTION}:1"}, "1"),
        "invoke.partial": ({"FunctionName": f"{account}:function:{FUNCTION}"}, "$LATEST"),
        "invoke.arn": ({"FunctionName": arn}, "$LATEST"),
        "invoke.arn.version": ({"FunctionName": f"{arn}:1"}, "1"),
        "invoke.arn.alias": ({"FunctionName": f"{arn}:live"}, "2"),
    }
    for name, (which, version) in forms.items():
        walk.step(
            name,
            lambda which=which: client.invoke(**which, Payload=event),
            200,
            ExecutedVersion=version,
        )


def surroundings(walk):
    """Tags, reserved concurrency and the account.

    AWS was recorded: tagging and untagging move $LATEST's RevisionId, each time.
    """
    client = walk.client
    seen = [revision(walk)]
    arn = client.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    walk.step("tag", lambda: client.tag_resource(Resource=arn, Tags={"stage": "test"}), 204)
    seen.append(revision(walk))
    walk.step(
        "tags", lambda: client.list_tags(Resource=arn), 200, Tags={"team": "blue", "stage": "test"}
    )
    walk.step("untag", lambda: client.untag_resource(Resource=arn, TagKeys=["stage"]), 204)
    seen.append(revision(walk))
    walk.expect("untag", "each tagging moves the revision", len(set(seen)), 3)
    walk.step("untag.after", lambda: client.list_tags(Resource=arn), 200, Tags={"team": "blue"})
    walk.step(
        "concurrency.put",
        lambda: client.put_function_concurrency(
            FunctionName=FUNCTION, ReservedConcurrentExecutions=5
        ),
        200,
        ReservedConcurrentExecutions=5,
    )
    walk.step(
        "concurrency.get",
        lambda: client.get_function_concurrency(FunctionName=FUNCTION),
        200,
        ReservedConcurrentExecutions=5,
    )
    walk.step(
        "concurrency.delete", lambda: client.delete_function_concurrency(FunctionName=FUNCTION), 204
    )
    walk.step(
        "concurrency.after", lambda: client.get_function_concurrency(FunctionName=FUNCTION), 200
    )
    walk.step("account", lambda: client.get_account_settings(), 200)


def publish_again(walk):
    """Nothing has changed since the last version: that one comes back, and nothing moves."""
    before = revision(walk)
    walk.step(
        "publish.unchanged",
        lambda: walk.client.publish_version(FunctionName=FUNCTION, Description="another"),
        201,
        Version="2",
        Description="as created",
    )
    walk.expect("publish.unchanged", "the revision stays", revision(walk), before)


def remove(walk):
    """The end, in the order that AWS insists on."""
    client = walk.client
    walk.step(
        "delete.aliased",
        lambda: client.delete_function(FunctionName=FUNCTION, Qualifier="2"),
        409,
        "ResourceConflictException",
    )
    walk.step("alias.delete", lambda: client.delete_alias(FunctionName=FUNCTION, Name="live"), 204)
    walk.step(
        "delete.version",
        lambda: client.delete_function(FunctionName=FUNCTION, Qualifier="2"),
        204,
    )
    walk.step(
        "delete.version.after",
        lambda: client.list_versions_by_function(FunctionName=FUNCTION),
        200,
    )
    walk.step("delete", lambda: client.delete_function(FunctionName=FUNCTION), 204)
    walk.step(
        "delete.after",
        lambda: client.get_function(FunctionName=FUNCTION),
        404,
        "ResourceNotFoundException",
    )


def take(endpoint):
    """The whole walk."""
    taken = Walk(connect(endpoint))
    parts = (
        create,
        update,
        publish,
        aliases,
        invoke,
        surroundings,
        publish_again,
        lambda walk: make_mistakes(walk, FUNCTION),
        remove,
    )
    for part in parts:
        part(taken)
    return taken


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = arguments.add_mutually_exclusive_group(required=True)
    where.add_argument("endpoint", nargs="?")
    where.add_argument("--powertune", help="the powertune binary")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    if chosen.powertune:
        with servers.powertune(chosen.powertune) as environment:
            servers.use(environment)
            taken = take(environment["AWS_ENDPOINT_URL_LAMBDA"])
    else:
        taken = take(chosen.endpoint)
    if chosen.json:
        json.dump(taken.steps, sys.stdout, indent=2, sort_keys=True)
        print()
        return
    for fault in taken.faults:
        print(fault)
    print(f"{len(taken.steps)} steps, {len(taken.faults)} not as on AWS")
    sys.exit(1 if taken.faults else 0)


if __name__ == "__main__":
    main()
