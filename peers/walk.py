"""A walk over a Lambda endpoint: steps, each with the answer that AWS would give."""

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import shapes


def connect(endpoint):
    """A client that sends what it is told, once: it judges no parameter and retries nothing."""
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        config=Config(
            parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=60
        ),
    )


class Walk:
    """The steps taken so far: each one's shape, and whether it was what AWS gives."""

    def __init__(self, client):
        self.client = client
        self.steps = {}
        self.faults = []

    def step(self, name, call, status, error=None, **expected):
        """Takes one step; `expected` names values of the answer. None stands for an error."""
        answer, failure = None, None
        try:
            answer = call()
            shape = shapes.of_answer(answer)
        except ClientError as caught:
            failure = caught.response
            shape = shapes.of_error(failure)
        except BotoCoreError as caught:
            shape = {"status": None, "error": f"no answer: {type(caught).__name__}", "body": {}}
        self.steps[name] = shape
        self.expect(name, "status", shape["status"], status)
        self.expect(name, "error", shape["error"], error)
        for key, value in expected.items():
            self.expect(name, key, (answer or {}).get(key), value)
        return answer

    def expect(self, name, what, found, wanted):
        """Notes a fault where what was found is not what AWS gives."""
        if found != wanted:
            self.faults.append(f"{name}: {what} is {found!r}, on AWS {wanted!r}")

    def wait(self, name, waiter, **which):
        """A waiter of boto3 that has to end well."""
        try:
            self.client.get_waiter(waiter).wait(
                **which, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )
            ended = "ended"
        except BotoCoreError as caught:
            ended = str(caught)
        self.steps[name] = {"status": None, "error": None, "body": {"waiter": ended}}
        self.expect(name, "the waiter", ended, "ended")
