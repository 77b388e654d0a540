"""What a client can get wrong, and what it is told: a part of the walk of lifecycle.py."""

INVALID = "InvalidParameterValueException"


def make_mistakes(walk, function):
    """Makes them on a function that is there, which stays as it was."""
    client = walk.client
    missing = (404, "ResourceNotFoundException")
    arn = client.get_function_configuration(FunctionName=function)["FunctionArn"]
    walk.step("unknown.get", lambda: client.get_function(FunctionName="ghost"), *missing)
    walk.step(
        "unknown.configuration",
        lambda: client.get_function_configuration(FunctionName="ghost"),
        *missing,
    )
    walk.step("unknown.invoke", lambda: client.invoke(FunctionName="ghost"), *missing)
    walk.step("unknown.publish", lambda: client.publish_version(FunctionName="ghost"), *missing)
    walk.step("unknown.delete", lambda: client.delete_function(FunctionName="ghost"), *missing)
    for name, memory in (("small", 64), ("large", 20_000)):
        walk.step(
            f"memory.{name}",
            lambda memory=memory: client.update_function_configuration(
                FunctionName=function, MemorySize=memory
            ),
            400,
            "ValidationException",
        )
    walk.step("tags.none", lambda: client.tag_resource(Resource=arn, Tags={}), 400, INVALID)
    many = {f"key-{number}": "value" for number in range(51)}
    walk.step("tags.many", lambda: client.tag_resource(Resource=arn, Tags=many), 400, INVALID)
    walk.step(
        "environment.large",
        # One byte more than 4,096 as a JSON object.
        lambda: client.update_function_configuration(
            FunctionName=function, Environment={"Variables": {"BIG": "x" * 4087}}
        ),
        400,
        INVALID,
    )
    # For a server that took it: the steps that follow are to start alike.
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {"STAGE": "test"}}
    )
    walk.wait("environment.wait", "function_updated_v2", FunctionName=function)
    walk.step(
        "name.bad", lambda: client.get_function(FunctionName="no!such"), 400, "ValidationException"
    )
    walk.step(
        "alias.bad",
        lambda: client.create_alias(FunctionName=function, Name="123", FunctionVersion="1"),
        400,
        "ValidationException",
    )
