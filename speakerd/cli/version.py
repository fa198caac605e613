"""`speakerd version`: which build this is."""

import argparse
import platform

from speakerd import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """No options beside the format."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.epilog = "Example: speakerd version -o json"


def run(args: argparse.Namespace) -> int:
    """Print it."""
    python, machine = platform.python_version(), platform.machine()
    if args.output == "json":
        print(f'{{"version": "{__version__}", "python": "{python}", "machine": "{machine}"}}')
    else:
        print(f"speakerd {__version__} (Python {python}, {machine})")
    return 0
