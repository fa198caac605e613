"""`speakerd version`: which build this is, and whether it is whole."""

import argparse
import os
import sys

from speakerd import __version__
from speakerd.cli import FINE, NOT_VALID, fail


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.add_argument("--check", action="store_true", help="also test this very program, as each start does")
    parser.epilog = "Example: speakerd version -o json"


def run(args: argparse.Namespace) -> int:
    """Print it; tell by the exit code whether the program is whole, where that is asked for."""
    python, machine = ".".join(map(str, sys.version_info[:3])), os.uname().machine
    if args.output == "json":
        print(f'{{"version": "{__version__}", "python": "{python}", "machine": "{machine}"}}')
    else:
        print(f"speakerd {__version__} (Python {python}, {machine})")
    return _checked() if args.check else FINE


def _checked() -> int:
    """Errors for what is broken, warnings for what the host does not grant to whoever asks."""
    from speakerd import selftest  # noqa: PLC0415  `version` alone loads nothing

    broken = selftest.problems()
    for what in broken:
        fail("this build", what, selftest.REMEDY)
    for what, remedy in selftest.lacking():
        fail("this host", what, remedy, "warning")
    return NOT_VALID if broken else FINE
