"""ministack with one request id an invocation.

On AWS the id in an answer's header is the one that the function sees and that its REPORT line
bears. ministack makes two unrelated ones, so a client that looks for its own invocation's REPORT
line finds none. Here the header bears the function's; nothing else is touched.
"""

import contextvars

from ministack import app as ministack
from ministack.services import lambda_svc

FUNCTIONS_ID = contextvars.ContextVar("the ids that functions saw in this request", default=None)

dispatch = lambda_svc._execute_function_dispatch


def noting_dispatch(func, config, event, request_id, started):
    """Notes the id that a function is about to see."""
    seen = FUNCTIONS_ID.get()
    if seen is not None:
        seen.append(request_id)
    return dispatch(func, config, event, request_id, started)


lambda_svc._execute_function_dispatch = noting_dispatch


async def app(scope, receive, send):
    """ministack's application, its answer's request id replaced where a function ran."""
    seen = []
    FUNCTIONS_ID.set(seen)

    async def send_with_id(message):
        if seen and message["type"] == "http.response.start":
            headers = [header for header in message["headers"] if header[0] != b"x-amzn-requestid"]
            message = {**message, "headers": [*headers, (b"x-amzn-requestid", seen[0].encode())]}
        await send(message)

    await ministack.app(scope, receive, send_with_id)
