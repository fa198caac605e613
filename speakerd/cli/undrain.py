"""`speakerd undrain`: let this host answer again; what has moved away stays until it has a cause to move."""

import argparse

from speakerd.cli import FINE, NO_AGENT, asking


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.epilog = "Example: speakerd undrain"


def run(args: argparse.Namespace) -> int:
    """Ask for it."""
    answer = asking.told(asking.socket(args), "undrain")
    if answer is None:
        return NO_AGENT
    print(answer.decode().strip() if args.output == "json" else "undrained: may answer again")
    return FINE
