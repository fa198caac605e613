"""`speakerd undrain`: let this host answer again; what has moved away stays until it has a cause to move."""

import argparse

from speakerd.cli import FINE, asking
from speakerd.control import Request


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.epilog = "Example: speakerd undrain. Exit code 3: no agent runs here."


def run(args: argparse.Namespace) -> int:
    """Ask for it."""
    answer = asking.told(asking.socket(args), Request("undrain"))
    print(answer.decode().rstrip("\n") if args.output == "json" else "undrained: may answer again")
    return FINE
