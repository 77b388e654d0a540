"""More scenarios for scenarios.py: what AWS refuses, and what it does not find."""

import re

from lifecycle import SOURCE, archive
from scenarios import ACCOUNT, ARN, FUNCTION, REGION, ROLE, scenario


def creation(**changes):
    """What CreateFunction takes, with these changes."""
    return {
        "FunctionName": FUNCTION,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "index.handler",
        "Code": {"ZipFile": archive(SOURCE)},
        **changes,
    }


def wrong_configurations(play, operation, usual):
    """A role and runtimes that are refused, at a creation and at an update alike."""
    play("invalid_role_arn_exc", operation, **{**usual, "Role": "r1"})
    play("invalid_runtime_exc", operation, **{**usual, "Runtime": "non-existent-runtime"})
    play("uppercase_runtime_exc", operation, **{**usual, "Runtime": "PYTHON3.9"})


@scenario("TestLambdaFunction::test_create_lambda_exceptions")
def creations_refused(play):
    create = "create_function"
    wrong_configurations(play, create, creation())
    play("multiple_architectures", create, **creation(Architectures=["x86_64", "arm64"]))
    play("uppercase_architecture", create, **creation(Architectures=["X86_64"]))
    play("invalid_zip_exc", create, **creation(Code={"ZipFile": b"this is no zip file"}))


@scenario("TestLambdaFunction::test_update_lambda_exceptions")
def updates_refused(play):
    play.function()
    wrong_configurations(play, "update_function_configuration", {"FunctionName": FUNCTION})


def retired(runtime):
    """A runtime that AWS takes no new functions of."""

    @scenario(
        "TestRuntimeValidation::test_create_deprecated_function_runtime_with_validation_enabled"
        f"[{runtime}]"
    )
    def play_it(play):
        play("deprecation_error", "create_function", **creation(Runtime=runtime))


for one in (
    "dotnetcore3.1 go1.x java8 nodejs12.x nodejs14.x provided python3.7 ruby2.7".split()
):
    retired(one)


@scenario("TestLambdaSizeLimits::test_large_environment_variables_fails")
def environment_too_large(play):
    variables = {"LARGE_VAR": "x" * (4096 - len('{"LARGE_VAR":""}') + 1)}
    large = creation(FunctionName=FUNCTION, Environment={"Variables": variables})
    play("failed_create_fn_result", "create_function", **large)


@scenario("TestLambdaSizeLimits::test_oversized_zipped_create_lambda")
def package_too_large(play):
    package = {"ZipFile": bytes(52_428_800 + 1)}
    play("invalid_param_exc", "create_function", **creation(Code=package))


@scenario("TestLambdaSizeLimits::test_oversized_request_create_lambda")
def request_too_large(play):
    package, variables = {"ZipFile": bytes(52_000_000)}, {"A_LOT": "x" * 1_500_000}
    large = creation(Code=package, Environment={"Variables": variables})
    play("invalid_param_exc", "create_function", **large)


@scenario("TestLambdaFunction::test_delete_on_nonexisting_version")
def deleted_what_is_not_there(play):
    name = "delete_function_response_non_existent"
    play(name, "delete_function", FunctionName="no-such-function")
    which = {"FunctionName": "no-such-function", "Qualifier": "1"}
    play(f"{name}_with_qualifier", "delete_function", **which)


def of_nothing(operation):
    """What an operation says of a function that is not there, and of another region."""

    @scenario(f"TestLambdaFunction::test_ops_on_nonexisting_fn[{operation}]")
    def play_missing(play):
        play("not_found_exception", operation, FunctionName="i-dont-exist")

    @scenario(f"TestLambdaFunction::test_get_function_wrong_region[{operation}]")
    def play_elsewhere(play):
        arn = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:i-exist"
        play("wrong_region_exception", operation, FunctionName=arn)


for one in (
    "get_function get_function_configuration get_function_code_signing_config"
    " get_function_concurrency delete_function".split()
):
    of_nothing(one)


@scenario("TestLambdaFunction::test_get_function_wrong_region[invoke]")
def invoked_elsewhere(play):
    arn = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:i-exist"
    play("wrong_region_exception", "invoke", FunctionName=arn)


def of_no_version(operation):
    """What an operation says of a version that is not there."""

    @scenario(f"TestLambdaFunction::test_ops_on_nonexisting_version[{operation}]")
    def play_it(play):
        play.function()
        which = {"FunctionName": FUNCTION, "Qualifier": "1221"}
        play("version_not_found_exception", operation, **which)


of_no_version("get_function")
of_no_version("get_function_configuration")


@scenario("TestLambdaFeatures::test_invoke_exceptions")
def invoked_what_is_not_there(play):
    play("invoke_function_doesnotexist", "invoke", FunctionName="doesnotexist")


# Names of functions, and qualifiers beside them, that AWS refuses or does not find.
NAMES = {
    "invalid_characters_in_function_name": ("my-function!", None),
    "function_name_is_single_invalid": ("*", None),
    "invalid_characters_in_qualifier": ("my-function", "invalid!"),
    "qualifier_too_long0": ("my-function", "a" * 129),
    "invalid_account_id_in_partial_arn": ("invalid-account:function:my-function", None),
    "invalid_region_in_arn": (
        f"arn:aws:lambda:invalid-region:{ACCOUNT}:function:my-function",
        None,
    ),
    "non_lambda_arn": (f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance:i-1234567890abcdef0", None),
    "function_name_too_long": ("a" * 65, None),
    "full_arn_with_multiple_qualifiers": (f"{ARN}:my-function:1", "2"),
    "incomplete_arn": (ARN, None),
    "partial_arn_with_extra_qualifier": ("function:my-function:$LATEST:extra", None),
    "lowercase_latest_qualifier": (f"{ARN}:my-function", "$latest"),
    "missing_region_in_arn": (f"arn:aws:lambda::{ACCOUNT}:function:my-function", None),
    "missing_account_id_in_arn": (f"arn:aws:lambda:{REGION}::function:my-function", None),
    "misspelled_latest_in_arn": (f"{ARN}:my-function:$LATES", None),
}


def named(case, operation):
    """A name as one operation takes it; recorded are the code and the single violations."""

    @scenario(
        f"TestLambdaFunction::test_function_name_and_qualifier_validation[{case}-{operation}]"
    )
    def play_it(play):
        name, qualifier = NAMES[case]
        if case == "full_arn_with_multiple_qualifiers":
            name, qualifier = f"{name}:{qualifier}", None
        beside = {} if qualifier is None else {"Qualifier": qualifier}
        call = {"FunctionName": name, **beside}
        if operation == "create_function":
            # It has no Qualifier of its own.
            call = creation(FunctionName=name if qualifier is None else f"{name}:{qualifier}")
        error = play.quietly(operation, **call).get("Error", {})
        message = error.get("Message", "")
        found = re.findall(r"Value '.*?' at '.*?' failed to satisfy constraint: [^;]+", message)
        told = {"Errors": sorted(found), "Count": len(found)} if found else {"Message": message}
        play.comparison.hold(f"{operation}_exception", {"Code": error.get("Code"), **told})


for one in NAMES:
    for which_operation in ("get_function", "delete_function", "invoke", "create_function"):
        if (one, which_operation) != ("incomplete_arn", "create_function"):
            named(one, which_operation)
