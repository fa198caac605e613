"""`speakerd crds`: the CustomResourceDefinitions of the kinds we obey, and policies for what those cannot say."""

import argparse
import sys

from speakerd.cli import FINE
from speakerd.config.crds import crds
from speakerd.config.policies import policies
from speakerd.settings import Kubernetes

DEFAULT = Kubernetes()


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument(
        "--namespace", default=DEFAULT.namespace, help="where MetalLB's resources are (default: %(default)s)"
    )
    parser.add_argument(
        "--load-balancer-class",
        metavar="CLASS",
        default=DEFAULT.load_balancer_class,
        help="warn of Services of this loadBalancerClass, as in the settings (default: of those without one)",
    )
    parser.add_argument(
        "--no-policies",
        action="store_true",
        help="the CustomResourceDefinitions alone, for a Kubernetes before 1.30",
    )
    parser.epilog = "Example: speakerd crds | kubectl apply -f -"


def run(args: argparse.Namespace) -> int:
    """Print them."""
    sys.stdout.write(crds())
    if not args.no_policies:
        sys.stdout.write(policies(args.namespace, args.load_balancer_class))
    return FINE
