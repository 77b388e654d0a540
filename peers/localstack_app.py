"""LocalStack with the functions of its state machines on another Lambda, at TASKS_ENDPOINT.

LocalStack runs functions in Docker. Here a state machine's Lambda tasks are invoked elsewhere; the
interpreter itself is untouched but for two things that it does not do as AWS: what Lambda refuses
(throttling, for example) bears AWS's name, `Lambda.TooManyRequestsException`, so that Retry finds
it; and it listens on loopback only.
"""

import functools
import json
import os

import boto3
from botocore.exceptions import ClientError
from localstack.runtime.main import main
from localstack.runtime.server import twisted
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task import (
    lambda_eval_utils,
)
from localstack.services.stepfunctions.asl.utils import boto_client


class Tasks:
    """The Lambda that tasks are invoked on."""

    def __init__(self, region):
        self.client = boto3.client(
            "lambda",
            endpoint_url=os.environ["TASKS_ENDPOINT"],
            region_name=region,
            # Waits as long as a task may take, and repeats nothing.
            config=boto_client._BOTO_CLIENT_CONFIG,
        )

    def invoke(self, **parameters):
        """Invokes a function; what Lambda refuses is thrown as what a function throws is."""
        try:
            return self.client.invoke(**parameters)
        except ClientError as refused:
            error = refused.response["Error"]
            thrown = {"errorType": f"Lambda.{error['Code']}", "errorMessage": error["Message"]}
            raise lambda_eval_utils.LambdaFunctionErrorException(
                "Unhandled", json.dumps(thrown, separators=(",", ":"))
            ) from refused


def tasks_for(service, region, state_credentials):
    """In place of a client of LocalStack's own Lambda."""
    return Tasks(region)


lambda_eval_utils.boto_client_for = tasks_for

# LocalStack listens on every interface, whichever it is told.
twisted.endpoints.TCP4ServerEndpoint = functools.partial(
    twisted.endpoints.TCP4ServerEndpoint, interface="127.0.0.1"
)

if __name__ == "__main__":
    main()
