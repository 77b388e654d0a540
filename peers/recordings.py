"""Holds `powertune local` against answers of AWS that LocalStack's contributors recorded.

    recordings.py FOLDER --powertune POWERTUNE   FOLDER has their *.snapshot.json files
    --unequal                                    prints every field that is not as recorded

The recordings hold answers. The calls that led to them stand in scenarios.py, in our own words, and
each scenario bears the name of its recording. Every field of an answer is compared by itself: a
value, a field that is missing here, and one too many count alike. Nothing of the recordings is part
of powertune.
"""

import argparse
import json
import pathlib
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import refusals  # noqa: F401 (it adds its scenarios)
import scenarios
import servers
from lifecycle import SOURCE, archive

# How the recordings write the account, and how `powertune local` calls it.
RECORDED_ACCOUNT = "111111111111"
# What the recordings have in place of a value: a word in angle brackets, or that of a date.
PLACE = re.compile(r"<([^<>]+)>")
DATES = ("date", "datetime")
# Values that depend on where and on what code a scenario ran.
INCOMPARABLE = ("HTTPHeaders", "RequestId", "RetryAttempts", "CodeSize", "CodeSha256")


def leaves(value, at=""):
    """Every field of an answer by its path; what is empty is a field too."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            if key not in INCOMPARABLE:
                yield from leaves(inner, f"{at}.{key}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}[{index}]")
    elif not (isinstance(value, dict) and at.endswith("Variables")):
        yield at, value


class Comparison:
    """Holds the answers of one scenario against its recording."""

    def __init__(self, recorded):
        self.recorded = recorded
        # Which value stands for which place: the same one throughout, and each for one place.
        self.values, self.places = {}, {}
        self.equal, self.unequal = 0, []

    def hold(self, name, answer):
        """Compares one answer, field by field."""
        wanted, found = dict(leaves(self.recorded[name])), dict(leaves(answer))
        for at in sorted(wanted.keys() | found.keys()):
            there = at in wanted and at in found
            if there and self.same(wanted[at], found[at]):
                self.equal += 1
            else:
                missing = "(no such field)"
                self.unequal.append(
                    (name + at, wanted.get(at, missing), found.get(at, missing))
                )

    def same(self, wanted, found):
        """Whether a value is the recorded one."""
        if not isinstance(wanted, str):
            return wanted == found
        if wanted in DATES:
            return True
        places = PLACE.findall(wanted)
        if not places:
            return wanted.replace(RECORDED_ACCOUNT, scenarios.ACCOUNT) == found
        pattern = "(.+)".join(
            re.escape(part.replace(RECORDED_ACCOUNT, scenarios.ACCOUNT))
            for part in PLACE.split(wanted)[::2]
        )
        match = re.fullmatch(pattern, str(found), re.DOTALL)
        return bool(match) and all(map(self.stands_for, places, match.groups()))

    def stands_for(self, place, value):
        """Whether a value can stand in a place: a numbered id is one value, for no other place."""
        if ":" not in place or not place.startswith("uuid"):
            return True
        return (
            self.values.setdefault(place, value) == value
            and self.places.setdefault(value, place) == place
        )


class Play:
    """One scenario as it is played: its calls, each under the name of the recorded answer."""

    def __init__(self, client, recorded):
        self.client = client
        self.comparison = Comparison(recorded)

    def __call__(self, name, operation, **parameters):
        """Makes a call and compares its answer with the recorded one of this name."""
        answer = self.quietly(operation, **parameters)
        self.comparison.hold(name, answer)
        return answer

    def quietly(self, operation, **parameters):
        """Makes a call whose answer was not recorded."""
        try:
            answer = getattr(self.client, operation)(**parameters)
        except ClientError as refused:
            answer = refused.response
        # As it came, dates and all.
        return json.loads(json.dumps(answer, default=str))

    def function(self, name="recorded-function", recorded_as=None, inside=None, **changes):
        """Creates a function and waits until it is active; `changes` go over the usual call."""
        parameters = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": scenarios.ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": archive(SOURCE)},
            **changes,
        }
        answer = self.quietly("create_function", **parameters)
        if recorded_as:
            # Some recordings have the answer within that of a helper of theirs.
            whole = answer if inside is None else {**inside, "CreateFunctionResponse": answer}
            self.comparison.hold(recorded_as, whole)
        self.client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return self.quietly("get_function", FunctionName=name)["Configuration"]["FunctionArn"]

    def settled(self, name="recorded-function"):
        """Waits until an update is in force."""
        self.client.get_waiter("function_updated_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def revision(self, name="recorded-function"):
        """The RevisionId of $LATEST."""
        return self.quietly("get_function", FunctionName=name)["Configuration"]["RevisionId"]

    def clean(self):
        """Leaves nothing for the next scenario."""
        for function in self.client.list_functions()["Functions"]:
            self.client.delete_function(FunctionName=function["FunctionName"])


def connect(endpoint):
    """A client that judges no parameter and retries nothing."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return boto3.client("lambda", endpoint_url=endpoint, config=config)


def recordings(folder):
    """All recorded answers of a folder, by the name of their scenario."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.snapshot.json")):
        for name, recorded in json.loads(path.read_text()).items():
            found[name.rpartition("/")[2].partition("::")[2]] = recorded["recorded-content"]
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("--powertune", required=True, help="the powertune binary")
    arguments.add_argument("--unequal", action="store_true")
    chosen = arguments.parse_args()
    found = recordings(chosen.folder)
    played, equal, unequal = 0, 0, 0
    with servers.powertune(chosen.powertune, "--cpu", "unlimited", "--update-delay", "300") as environment:
        servers.use(environment)
        client = connect(environment["AWS_ENDPOINT_URL_LAMBDA"])
        for name, scenario in scenarios.ALL.items():
            if name not in found:
                print(f"NOT RECORDED: {name}")
                continue
            play = Play(client, found[name])
            scenario(play)
            play.clean()
            held = play.comparison
            played, equal, unequal = played + 1, equal + held.equal, unequal + len(held.unequal)
            for at, wanted, here in held.unequal if chosen.unequal else ():
                print(f"{name}: {at}: AWS {wanted!r}, here {here!r}")
    total = equal + unequal
    if not total:
        sys.exit(f"there are no recordings in {chosen.folder}")
    print(
        f"figure: fields of AWS's recorded answers that the local Lambda has too: {equal} of"
        f" {total} ({100 * equal / total:.1f} %) in {played} of {len(found)} scenarios"
    )


if __name__ == "__main__":
    main()
