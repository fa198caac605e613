"""`speakerd rbac`: the service account of the agent, with the least rights it needs."""

import argparse
import sys

from speakerd.cli import FINE
from speakerd.config.rbac import rbac
from speakerd.settings import Kubernetes


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument(
        "--namespace", default=Kubernetes().namespace, help="where MetalLB's resources are (default: %(default)s)"
    )
    parser.epilog = "Example: speakerd rbac | kubectl apply -f -"


def run(args: argparse.Namespace) -> int:
    """Print them."""
    sys.stdout.write(rbac(args.namespace))
    return FINE
