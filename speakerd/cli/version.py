"""`speakerd version`: which build this is."""

import argparse
import os
import sys

from speakerd import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """No options beside the format."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.epilog = "Example: speakerd version -o json"


def run(args: argparse.Namespace) -> int:
    """Print it."""
    python, machine = ".".join(map(str, sys.version_info[:3])), os.uname().machine
    if args.output == "json":
        print(f'{{"version": "{__version__}", "python": "{python}", "machine": "{machine}"}}')
    else:
        print(f"speakerd {__version__} (Python {python}, {machine})")
    return 0
