"""Takes one walk over `powertune local`, moto and ministack, and compares the answers' shapes.

    compare.py POWERTUNE           fails on a difference that differences.json does not list,
                                   and on a listed one that occurs no more
    compare.py POWERTUNE --list    prints every difference instead, as JSON

An entry of differences.json names a peer, the steps and the places (both may hold `*`), and why the
difference is accepted; the reason says which of the two is as AWS has it.
"""

import argparse
import fnmatch
import json
import pathlib
import sys

import lifecycle
import servers
import shapes

ACCEPTED = pathlib.Path(__file__).with_name("differences.json")


def shapes_of(server):
    """The shapes that a walk over a server sees."""
    with server as environment:
        servers.use(environment)
        return lifecycle.take(environment["AWS_ENDPOINT_URL_LAMBDA"]).steps


def between(peer, ours, theirs):
    """Every difference between powertune's walk and a peer's."""
    for step in ours.keys() | theirs.keys():
        mine, other = ours.get(step), theirs.get(step)
        if mine and other and bool(mine["error"]) != bool(other["error"]):
            # An error has another body than an answer: that one of them failed is the difference.
            mine, other = {**mine, "body": None}, {**other, "body": None}
        for at, here, there in shapes.differences(mine, other):
            yield {"peer": peer, "step": step, "at": at, "powertune": here, "theirs": there}


def covers(entry, difference):
    """Whether an accepted entry speaks of a difference."""
    return (
        entry["peer"] == difference["peer"]
        and matches(entry["steps"], difference["step"])
        and matches(entry["at"], difference["at"])
    )


def matches(patterns, name):
    """Whether one of the patterns fits; only `*` is special in them, since places hold brackets."""
    return any(fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def judge(found, accepted):
    """The differences that nobody listed, and the patterns listed that fit none."""
    unlisted = [one for one in found if not any(covers(entry, one) for entry in accepted)]
    stale = []
    for entry in accepted:
        covered = [one for one in found if covers(entry, one)]
        for field, key in (("steps", "step"), ("at", "at")):
            for pattern in entry[field]:
                if not any(matches([pattern], one[key]) for one in covered):
                    stale.append(f"{entry['peer']}: {pattern} ({entry['reason']})")
    return unlisted, stale


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("powertune", help="the powertune binary")
    arguments.add_argument("--list", action="store_true")
    chosen = arguments.parse_args()

    ours = shapes_of(servers.powertune(chosen.powertune))
    peers = {"moto": servers.moto(), "ministack": servers.ministack()}
    found = []
    for peer, server in peers.items():
        found += sorted(
            between(peer, ours, shapes_of(server)), key=lambda one: (one["step"], one["at"])
        )
    if chosen.list:
        json.dump(found, sys.stdout, indent=1)
        print()
        return

    accepted = json.loads(ACCEPTED.read_text())
    for entry in accepted:
        steps, places = ", ".join(entry["steps"]), ", ".join(entry["at"])
        print(f"accepted: {entry['peer']}: {steps}: {places}: {entry['reason']}")
    unlisted, stale = judge(found, accepted)
    for one in unlisted:
        print(
            f"NOT LISTED: {one['peer']}: {one['step']}: {one['at']}:"
            f" powertune has {one['powertune']!r}, {one['peer']} has {one['theirs']!r}"
        )
    for pattern in stale:
        print(f"OCCURS NO MORE, remove it: {pattern}")
    print(
        f"{len(ours)} steps on 3 servers: {len(found)} differences under {len(accepted)} reasons,"
        f" {len(unlisted)} not listed, {len(stale)} listed that occur no more"
    )
    sys.exit(1 if unlisted or stale else 0)


if __name__ == "__main__":
    main()
