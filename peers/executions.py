"""Becomes the server of executions that executions.cjs is, which says how to talk to it.

    executions.py

The environment leads to the Lambda that the state machine's functions are on.
"""

import os

import interpreters
import servers

# One attempt: its client would repeat an invocation that may have run.
environment = interpreters.node_environment({"AWS_MAX_ATTEMPTS": "1"})
os.execve(interpreters.NODE, [interpreters.NODE, servers.HERE / "executions.cjs"], environment)
