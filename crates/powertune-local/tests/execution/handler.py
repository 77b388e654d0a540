"""Does what its event says, and tells what the tests want to know about its environment."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import sigv4

print("initialised")
STARTED = time.monotonic()
LARGEST_GAP = 0.0


def tick():
    global LARGEST_GAP
    last = time.monotonic()
    while True:
        time.sleep(0.001)
        now = time.monotonic()
        LARGEST_GAP, last = max(LARGEST_GAP, now - last), now


def background(_):
    if len(threading.enumerate()) == 1:
        threading.Thread(target=tick, daemon=True).start()
    return LARGEST_GAP


def meet(event):
    """Announces itself and waits for the others: only ends when all run at once."""
    folder = event["folder"]
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while len(os.listdir(folder)) < event["others"]:
        time.sleep(0.005)


def hold(event):
    begin = time.monotonic()
    time.sleep(event["seconds"])
    return [begin, time.monotonic()]


def invoke(event):
    """Calls functions of the endpoint that this one runs on, all at once."""
    def call(name):
        url = f"{os.environ['AWS_ENDPOINT_URL_LAMBDA']}/2015-03-31/functions/{name}/invocations"
        body = json.dumps(event["event"]).encode()
        request = urllib.request.Request(url, body, sigv4.headers("POST", url, body))
        with urllib.request.urlopen(request) as response:
            answers.append(json.load(response))

    answers = []
    calls = [threading.Thread(target=call, args=[name]) for name in event["functions"]]
    for thread in calls:
        thread.start()
    for thread in calls:
        thread.join()
    return answers


def fill(_):
    blocks = []
    while True:
        block = bytearray(1024 * 1024)
        block[::4096] = b"x" * 256
        blocks.append(block)


def child(_):
    """Leaves a process behind that is in no group of ours."""
    return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid


def write(event):
    sys.stdout.write(event["text"])


def fail(_):
    raise ValueError("as asked")


def files(_):
    """What each open file is, by what the system calls it."""
    folder = "/proc/self/fd"
    found = [os.path.join(folder, name) for name in os.listdir(folder)]
    # The folder itself is closed again.
    return [os.readlink(name) for name in found if os.path.lexists(name)]


ACTIONS = {
    "background": background,
    "child": child,
    "crash": lambda event: ctypes.string_at(0),
    "environment": lambda _: dict(os.environ),
    "exit": lambda event: os._exit(event["status"]),
    "fail": fail,
    "files": files,
    "fill": fill,
    "hold": hold,
    "invoke": invoke,
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "meet": meet,
    "unencodable": lambda _: object(),
    "where": lambda _: [os.getcwd(), os.environ["TMPDIR"]],
    "write": write,
}


def handler(event, context):
    result = ACTIONS[event["do"]](event) if "do" in event else None
    return {"pid": os.getpid(), "id": context.aws_request_id, "result": result}
