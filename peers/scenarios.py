"""The calls that recorded answers belong to, by the name of the recording.

Each scenario is told what to call in our own words; the names of answers are the recordings'.
"""

from lifecycle import SOURCE, archive

ACCOUNT = "000000000000"
REGION = "us-east-1"
FUNCTION = "recorded-function"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/recorded"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
STALE = "11111111-2222-4333-8444-555555555555"

# Every scenario by the recording's name, in the order in which they are played.
ALL = {}


def scenario(name):
    """Registers a scenario under the name of its recording."""

    def register(play):
        ALL[name] = play
        return play

    return register


@scenario("TestLambdaTags::test_tag_lifecycle")
def tags_move_revisions(play):
    arn = play.function(Tags={"key_a": "value_a"}, Timeout=30, Handler="handler.handler")

    def seen(suffix):
        play(f"list_tags_response_{suffix}", "list_tags", Resource=arn)
        play(f"get_fn_response_{suffix}", "get_function", FunctionName=FUNCTION)

    seen("postfncreate")
    more = {f"key_{letter}": f"value_{letter}" for letter in "bcde"}
    play("tag_resource_response", "tag_resource", Resource=arn, Tags=more)
    seen("postaddtags")
    again = {"key_b": "value_b", "key_c": "value_x"}
    play("tag_resource_overwrite", "tag_resource", Resource=arn, Tags=again)
    seen("overwrite")
    play.quietly("untag_resource", Resource=arn, TagKeys=["key_c", "key_d"])
    seen("postuntag")
    play.quietly("untag_resource", Resource=arn, TagKeys=["key_a", "key_b", "key_e"])
    seen("postuntagall")
    play.quietly("delete_function", FunctionName=FUNCTION)
    play("list_tags_postdelete", "list_tags", Resource=arn)


@scenario("TestLambdaTags::test_tag_limits")
def fifty_tags(play):
    arn = play.function(Timeout=30, Handler="handler.handler")
    tags = {f"{number}_key": f"{number}_value" for number in range(51)}
    play("tag_lambda_too_many_tags", "tag_resource", Resource=arn, Tags=tags)
    tags.pop("50_key")
    play("tag_response", "tag_resource", Resource=arn, Tags=tags)
    play("list_tags_response", "list_tags", Resource=arn)
    play("get_fn_response", "get_function", FunctionName=FUNCTION)
    one_more = {"a_key": "a_value"}
    play("tag_lambda_too_many_tags_additional", "tag_resource", Resource=arn, Tags=one_more)
    play(
        "create_function_invalid_tags",
        "create_function",
        FunctionName="another",
        Runtime="python3.12",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive(SOURCE)},
        Tags={**tags, **one_more},
    )


@scenario("TestLambdaTags::test_tag_exceptions")
def tags_refused(play):
    arn, tags = play.function(), {"key_a": "value_a"}
    play("tag_lambda_invalidarn", "tag_resource", Resource="arn:aws:something", Tags=tags)
    play("tag_lambda_doesnotexist", "tag_resource", Resource=f"{ARN}:doesnotexist", Tags=tags)
    play("tag_lambda_qualifier_doesnotexist", "tag_resource", Resource=f"{arn}:v1", Tags=tags)
    play("list_tag_lambda_empty", "list_tags", Resource=arn)
    play("untag_nomatch", "untag_resource", Resource=arn, TagKeys=["somekey"])
    play("untag_empty_keys", "untag_resource", Resource=arn, TagKeys=[])
    play("tag_empty_tags", "tag_resource", Resource=arn, Tags={})


@scenario("TestLambdaTags::test_tag_versions")
def tags_of_versions(play):
    arn, tags = play.function(Tags={"key_a": "value_a"}), {"key_b": "value_b"}
    play.quietly("publish_version", FunctionName=FUNCTION)
    play("tag_resource_exception", "tag_resource", Resource=f"{arn}:1", Tags=tags)
    play("tag_resource_latest_exception", "tag_resource", Resource=f"{arn}:$LATEST", Tags=tags)


@scenario("TestLambdaTag::test_tag_nonexisting_resource")
def tags_of_nothing(play):
    arn = play.function(Timeout=30, Handler="handler.handler")
    play("pre_delete_get_function", "get_function", FunctionName=FUNCTION)
    play.quietly("delete_function", FunctionName=FUNCTION)
    play("not_found_exception_tag", "tag_resource", Resource=arn, Tags={"a": "b"})
    play("not_found_exception_untag", "untag_resource", Resource=arn, TagKeys=["a"])
    play("not_found_exception_list", "list_tags", Resource=arn)


def tagged_elsewhere(kind, resource, qualified):
    """Tags of what is not there, of what is qualified, and of what is no resource at all."""

    @scenario(f"TestLambdaTag::test_tag_exceptions[{kind}]")
    def play_it(play):
        prefix = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
        arn, tags = f"{prefix}:{resource}", {"a": "b"}
        play("not_found_exception_tag", "tag_resource", Resource=arn, Tags=tags)
        play("not_found_exception_untag", "untag_resource", Resource=arn, TagKeys=["a"])
        play("not_found_exception_list", "list_tags", Resource=arn)
        play("aliased_arn_exception", "tag_resource", Resource=f"{arn}:{qualified}", Tags=tags)
        strange = f"{prefix}:foobar:{resource.partition(':')[2]}"
        play("invalid_arn_exception", "tag_resource", Resource=strange, Tags=tags)


tagged_elsewhere("lambda_function", "function:none", "alias")
tagged_elsewhere("event_source_mapping", f"event-source-mapping:{STALE}", "alias")
tagged_elsewhere("capacity_provider", "capacity-provider:none", "alias")


@scenario("TestLambdaRevisions::test_function_revisions_basic")
def revisions_of_updates(play):
    play.function(
        recorded_as="create_function_response_rev1",
        inside={"CreateEventSourceMappingResponse": None},
        Timeout=30,
        Environment={"Variables": {}},
    )
    play("get_function_response_rev2", "get_function", FunctionName=FUNCTION)
    code = {"FunctionName": FUNCTION, "ZipFile": archive(SOURCE)}
    play("update_function_revision_exception", "update_function_code", RevisionId=STALE, **code)
    current = play.revision()
    play("update_function_code_response_rev3", "update_function_code", RevisionId=current, **code)
    play.settled()
    play("get_function_response_rev4", "get_function", FunctionName=FUNCTION)
    change = {"FunctionName": FUNCTION, "Runtime": "python3.8"}
    operation = "update_function_configuration"
    play(f"{operation}_revision_exception", operation, RevisionId=current, **change)
    play(f"{operation}_response_rev5", operation, RevisionId=play.revision(), **change)
    play.settled()
    play("get_function_response_rev6", "get_function", FunctionName=FUNCTION)


@scenario("TestLambdaRevisions::test_function_revisions_version_and_alias")
def revisions_of_versions(play):
    play.function(
        recorded_as="create_function_response_rev1",
        inside={"CreateEventSourceMappingResponse": None},
        Timeout=30,
        Handler="handler.handler",
        Environment={"Variables": {}},
    )
    which = {"FunctionName": FUNCTION}
    play("get_function_active_rev2", "get_function", **which)
    publish = "publish_version"
    play("publish_version_revision_exception", publish, RevisionId=STALE, **which)
    play("publish_version_response_rev_v1", publish, RevisionId=play.revision(), **which)
    play("get_function_published_version_rev_v2", "get_function", Qualifier="1", **which)
    play("get_function_latest_rev3", "get_function", **which)
    alias = {"Name": "revision_alias", **which}
    made = play("create_alias_response_rev_a1", "create_alias", FunctionVersion="1", **alias)
    play("get_function_latest_rev4", "get_function", **which)
    play("get_function_published_version_rev_v3", "get_function", Qualifier="1", **which)
    changed = {"Description": "something changed", **alias}
    play("update_alias_revision_exception", "update_alias", RevisionId=STALE, **changed)
    revision = made.get("RevisionId")
    play("update_alias_response_rev_a2", "update_alias", RevisionId=revision, **changed)


@scenario("TestLambdaVersions::test_publish_version_on_create")
def published_at_creation(play):
    play.function(recorded_as="create_response", Publish=True)
    which = {"FunctionName": FUNCTION}
    play.client.get_waiter("published_version_active").wait(Qualifier="1", **which)
    play("get_function_result", "get_function", **which)
    play("get_function_version_result", "get_function", Qualifier="1", **which)
    play("get_function_latest_result", "get_function", Qualifier="$LATEST", **which)
    play("list_versions_result", "list_versions_by_function", **which)
    play("repeated_publish_response", "publish_version", **which)
    play("list_versions_result_after_publish", "list_versions_by_function", **which)


@scenario("TestLambdaVersions::test_version_lifecycle")
def versions(play):
    play.function(recorded_as="create_response", Description="No version :(")
    which = {"FunctionName": FUNCTION}
    update, publish, versions_of = (
        "update_function_configuration",
        "publish_version",
        "list_versions_by_function",
    )
    play("get_function_result", "get_function", **which)
    play("list_versions_result", versions_of, **which)
    play("first_update_response", update, Description="First version :)", **which)
    play.settled()
    play("first_update_get_function", "get_function", **which)
    described = {"Description": "First version description :)", **which}
    play("first_publish_response", publish, **described)
    play("first_publish_get_function", "get_function", Qualifier="1", **which)
    play(
        "first_publish_get_function_config",
        "get_function_configuration",
        Qualifier="1",
        **which,
    )
    play("second_update_response", update, Description="Second version :))", **which)
    play.settled()
    play("first_publish_get_function_after_update", "get_function", Qualifier="1", **which)
    play("second_publish_response", publish, **which)
    play("third_publish_response", publish, Description="Third version description :)))", **which)
    play("list_versions_result_after_third_publish", versions_of, **which)
    play.quietly("delete_function", Qualifier="1", **which)
    play("list_versions_result_after_deletion_of_first_version", versions_of, **which)


def guarded_publication(name, runtime, refusal, wrong, right):
    """PublishVersion with a guard that is wrong, and then with the right one."""

    @scenario(f"TestLambdaVersions::{name}")
    def play_it(play):
        play.function(recorded_as="create_response", Runtime=runtime)
        which = {"FunctionName": FUNCTION}
        read = play("get_fn_response", "get_function", **which)["Configuration"]
        play(refusal, "publish_version", **which, **wrong)
        play("publish_result", "publish_version", **which, **{right: read[right]})


guarded_publication(
    "test_publish_with_wrong_sha256",
    "python3.12",
    "publish_wrong_sha256_exc",
    {"CodeSha256": "somenonexistentsha256"},
    "CodeSha256",
)


@scenario("TestLambdaVersions::test_publish_with_update")
def published_by_an_update(play):
    play.function(recorded_as="create_response")
    which = {"FunctionName": FUNCTION}
    play("get_function_result", "get_function", **which)
    other = archive(SOURCE + "\n# another\n")
    # At once, while the update is under way.
    code = {"ZipFile": other, "Publish": True, **which}
    play("update_function_code_result", "update_function_code", **code)
    play("get_function_version_result", "get_function", Qualifier="1", **which)
    play("get_function_latest_result", "get_function", Qualifier="$LATEST", **which)
    play.settled()


def two_versions(play, **creation):
    """A function whose two versions differ in a variable."""
    staging, production = ({"Variables": {"testenv": stage}} for stage in ("staging", "prod"))
    play.function(recorded_as="create_response", Environment=staging, **creation)
    play("publish_v1", "publish_version", FunctionName=FUNCTION)
    play.quietly(
        "update_function_configuration", FunctionName=FUNCTION, Environment=production
    )
    play.settled()
    play("publish_v2", "publish_version", FunctionName=FUNCTION)


def split(weights):
    """A RoutingConfig."""
    return {"RoutingConfig": {"AdditionalVersionWeights": weights}}


@scenario("TestLambdaAlias::test_alias_lifecycle")
def aliases(play):
    two_versions(play)
    which = {"FunctionName": FUNCTION}

    def make(suffix, version, **more):
        name = {"Name": f"aliasname{suffix}", **which}
        play(f"create_alias_{suffix}", "create_alias", FunctionVersion=version, **name, **more)
        play(f"get_alias_{suffix}", "get_alias", **name)

    described = {"Description": "custom-alias"}
    make("1_1", "1", **described, **split({"2": 0.2}))
    play("get_function_alias_1_1", "get_function", Qualifier="aliasname1_1", **which)
    arn = f"{ARN}:{FUNCTION}"
    play("get_function_byarn_alias_1_1", "get_function", FunctionName=f"{arn}:aliasname1_1")
    missing = "aliasdoesnotexist"
    play("get_function_alias_notfound_exc", "get_function", Qualifier=missing, **which)
    play("get_function_alias_byarn_notfound_exc", "get_function", FunctionName=f"{arn}:{missing}")
    make("1_2", "1", **described)
    make("1_3", "1")
    make("2", "2", **described)
    play("update_alias_1_1", "update_alias", Name="aliasname1_1", **split({}), **which)
    play("get_alias_1_1_after_update", "get_alias", Name="aliasname1_1", **which)
    play("list_aliases_for_fnname_after_update", "list_aliases", **which)
    play("update_alias_1_2", "update_alias", Name="aliasname1_2", **which)
    play("get_alias_1_2_after_update", "get_alias", Name="aliasname1_2", **which)
    play("list_aliases_for_fnname_after_update_2", "list_aliases", **which)
    play("list_aliases_for_version", "list_aliases", FunctionVersion="1", **which)
    play("delete_alias_response", "delete_alias", Name="aliasname1_1", **which)
    play("list_aliases_for_fnname_afterdelete", "list_aliases", **which)


@scenario("TestLambdaAlias::test_notfound_and_invalid_routingconfigs")
def aliases_refused(play):
    two_versions(play, Publish=True)

    def make(name, version="1", weights=None, function=FUNCTION, alias="custom"):
        routing = {} if weights is None else split(weights)
        which = {"FunctionName": function, "Name": alias, "FunctionVersion": version}
        play(name, "create_alias", **which, **routing)

    refused = "routing_config_exc"
    make(f"{refused}_toomany", weights={"1": 0.8, "2": 0.2})
    make(f"{refused}_toohigh", weights={"2": 2})
    make(f"{refused}_subzero", weights={"2": -1})
    make(f"{refused}_sameversion", weights={"1": 0.5})
    make("target_version_doesnotexist", "10", {"2": 0.5})
    make(f"{refused}_version_doesnotexist", weights={"10": 0.5})
    make("target_version_exc_version_latest", "$LATEST", {"1": 0.5})
    make(f"{refused}_version_latest", weights={"$LATEST": 0.5})
    make("create-alias-latest", "$LATEST", alias="custom-latest")
    make(f"{refused}_fn_doesnotexist", weights={"2": 0.5}, function=f"{FUNCTION}-unknown")
    make("create_alias_empty_routingconfig", weights={}, alias="custom-empty-routingconfig")
    make("create_alias_response", weights={"2": 0.5})
    make(f"{refused}_already_exist", weights={"2": 0.5})
    missing = {"FunctionName": FUNCTION, "Name": "non-existent"}
    play("alias_does_not_exist_esc", "get_alias", **missing)


@scenario("TestLambdaAlias::test_alias_naming")
def names_of_aliases(play):
    play.function(recorded_as="create_response", Environment={"Variables": {"testenv": "staging"}})
    which = {"FunctionName": FUNCTION}
    play("publish_v1", "publish_version", **which)
    make = {"FunctionVersion": "1", "Description": "custom-alias", **which}
    play("create_alias_date", "create_alias", Name="2024-01-02", **make)
    play("get_alias_date", "get_alias", Name="2024-01-02", **which)
    play("create_alias_number_exception", "create_alias", Name="2024", **make)


def missing_alias(name, recorded, operation):
    """An alias that is not there, deleted or updated."""

    @scenario(f"TestLambdaAlias::{name}")
    def play_it(play):
        environment = {"Variables": {"testenv": "staging"}}
        play.function(recorded_as="create_response", Environment=environment)
        play(recorded, operation, FunctionName=FUNCTION, Name="non-existent")


missing_alias("test_non_existent_alias_deletion", "delete_alias_response", "delete_alias")
missing_alias("test_non_existent_alias_update", "update_alias_response", "update_alias")


@scenario("TestLambdaReservedConcurrency::test_function_concurrency")
def concurrency(play):
    play.function()
    which = {"FunctionName": FUNCTION}
    for reserved in (0, 1):
        play(
            f"put_function_concurrency_with_reserved_{reserved}",
            "put_function_concurrency",
            ReservedConcurrentExecutions=reserved,
            **which,
        )
    play("get_function_concurrency", "get_function_concurrency", **which)
    play("delete_response", "delete_function_concurrency", **which)
    play("get_function_concurrency_after_delete", "get_function_concurrency", **which)


@scenario("TestLambdaReservedConcurrency::test_function_concurrency_exceptions")
def concurrency_refused(play):
    put = "put_function_concurrency"
    missing = f"{put}_with_function_name_doesnotexist"
    nowhere = {"FunctionName": "doesnotexist"}
    play(missing, put, ReservedConcurrentExecutions=1, **nowhere)
    too_many = {"ReservedConcurrentExecutions": 1_000_000}
    play(f"{missing}_and_invalid_concurrency", put, **too_many, **nowhere)
    arn = play.function()
    qualified = {"FunctionName": f"{arn}:$LATEST", "ReservedConcurrentExecutions": 1}
    play(f"{put}_with_qualified_arn", put, **qualified)


@scenario("TestLambdaReservedConcurrency::test_function_concurrency_limits")
def concurrency_of_the_account(play):
    play.function()
    put, which = "put_function_concurrency", {"FunctionName": FUNCTION}
    settings = play.quietly("get_account_settings")["AccountLimit"]
    free = settings["UnreservedConcurrentExecutions"]
    for name, reserved in (
        (f"{put}_account_limit_exceeded", free + 1),
        (f"{put}_below_unreserved_min_value", free - 1),
    ):
        play(name, put, ReservedConcurrentExecutions=reserved, **which)
