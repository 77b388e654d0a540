"""How a script ends at the first thing that is not as it has to be."""

import sys


def expect(what, found, wanted):
    """Ends the script where something was found that is not what is wanted."""
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")
