"""Runs a Python function: asks the Lambda Runtime API for events and hands them to the handler.

Used where AWS's own runtime interface client is not installed; needs the standard library only.
"""

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime"
JSON_LOGS = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


class RuntimeFailure(Exception):
    """A failure of the function that has a name of Lambda's own."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)


class RuntimeApi:
    """One connection to the Runtime API, kept open."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def next(self):
        response, body = self.call("GET", "/invocation/next")
        return response.headers, body

    def respond(self, request_id, body):
        response, _ = self.call("POST", f"/invocation/{request_id}/response", body)
        if response.status == 413:
            print(f"[ERROR] Response of {len(body)} bytes is too large", flush=True)

    def fail(self, path, report):
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Function-Error-Type": report["errorType"],
        }
        self.call("POST", path, json.dumps(report).encode(), headers)

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, API + path, body, headers or {})
        response = self.connection.getresponse()
        return response, response.read()


class CognitoIdentity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Client:
    def __init__(self, values):
        self.installation_id = values.get("installation_id")
        self.app_title = values.get("app_title")
        self.app_version_name = values.get("app_version_name")
        self.app_version_code = values.get("app_version_code")
        self.app_package_name = values.get("app_package_name")


class ClientContext:
    def __init__(self, values):
        self.client = Client(values.get("client") or {})
        self.custom = values.get("custom")
        self.env = values.get("env")


class Context:
    """What a handler is told about its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = CognitoIdentity()
        context = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = ClientContext(json.loads(context)) if context else None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class LogHandler(logging.Handler):
    """Writes log records as Lambda's Python runtime does."""

    request_id = ""

    def emit(self, record):
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        if JSON_LOGS:
            line = {
                "timestamp": f"{seconds}Z",
                "level": record.levelname,
                "message": record.getMessage(),
                "logger": record.name,
                "requestId": self.request_id,
            }
            if record.exc_info:
                line["errorType"] = record.exc_info[0].__name__
                line["errorMessage"] = str(record.exc_info[1])
                line["stackTrace"] = traceback.format_tb(record.exc_info[2])
            text = json.dumps(line)
        else:
            stamp = f"{seconds}.{int(record.msecs):03d}Z"
            message = self.format(record)
            text = f"[{record.levelname}]\t{stamp}\t{self.request_id}\t{message}"
        sys.stdout.write(text + "\n")


def load_handler(name):
    """The function that `module.function` names."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise RuntimeFailure(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFailure(
            "Runtime.ImportModuleError",
            f"Unable to import module '{module_name}': {error}",
        ) from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise RuntimeFailure(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            [where],
        ) from error
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        raise RuntimeFailure(
            "Runtime.HandlerNotFound",
            f"Handler '{function_name}' missing on module '{module_name}'",
        ) from error


def encode(result):
    try:
        return json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except Exception as error:
        raise RuntimeFailure(
            "Runtime.MarshalError", f"Unable to marshal response: {error}"
        ) from error


def report_of(error, request_id):
    """An error in the shape that callers of Invoke see."""
    if isinstance(error, RuntimeFailure):
        error_type, trace = error.error_type, error.trace
    else:
        error_type = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        # The frames of this file are not the function's.
        trace = traceback.format_list([f for f in frames if f.filename != __file__])
    report = {"errorMessage": str(error), "errorType": error_type}
    report["requestId"] = request_id
    report["stackTrace"] = trace
    return report


def log_error(report):
    if JSON_LOGS:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"timestamp": now, "log_level": "ERROR", **report}
        text = json.dumps(line)
    else:
        text = f"[ERROR] {report['errorType']}: {report['errorMessage']}"
        if report["stackTrace"]:
            text += "\nTraceback (most recent call last):\n" + "".join(report["stackTrace"])
    print(text.rstrip("\n"), flush=True)


def serve(api, handler, log_handler):
    while True:
        headers, body = api.next()
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        log_handler.request_id = request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        try:
            event = json.loads(body)
            result = encode(handler(event, Context(headers)))
        except Exception as error:
            report = report_of(error, request_id)
            log_error(report)
            api.fail(f"/invocation/{request_id}/error", report)
        else:
            api.respond(request_id, result)


def main():
    # The folder of this file comes first otherwise, and its names are not the function's business.
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    log_handler = LogHandler()
    logging.getLogger().addHandler(log_handler)
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        report = report_of(error, "")
        log_error(report)
        api.fail("/init/error", report)
        sys.exit(1)
    serve(api, handler, log_handler)


main()
