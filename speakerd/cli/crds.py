"""`speakerd crds`: the CustomResourceDefinitions of the kinds we obey."""

import argparse
import sys

from speakerd.cli import FINE
from speakerd.config.crds import crds


def configure(parser: argparse.ArgumentParser) -> None:
    """No options."""
    parser.epilog = "Example: speakerd crds | kubectl apply -f -"


def run(_args: argparse.Namespace) -> int:
    """Print them."""
    sys.stdout.write(crds())
    return FINE
