"""`speakerd rbac`: the service account of the agent, with the least rights it needs, or a kubeconfig for a host."""

import argparse
import os
import sys

from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, fail
from speakerd.config.rbac import rbac
from speakerd.settings import Kubernetes


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument(
        "--namespace", default=Kubernetes().namespace, help="where MetalLB's resources are (default: %(default)s)"
    )
    parser.add_argument(
        "--kubeconfig",
        metavar="HOST",
        default="",
        help="print a kubeconfig for this host instead, with a token of its own from the cluster: Secret speakerd-HOST"
        " holds it, and ends it when it is deleted",
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="let it read this Secret, too, which a BGPPeer's passwordSecret names; may be given again",
    )
    parser.epilog = (
        "Example: speakerd rbac | kubectl apply -f -, and then, for each host: speakerd rbac --kubeconfig worker-1"
        " | ssh worker-1 sudo install -D -o speakerd -m 600 /dev/stdin /var/lib/speakerd/kubeconfig"
    )


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.kubeconfig:
        return _kubeconfig(args.kubeconfig, args.namespace)
    sys.stdout.write(rbac(args.namespace, args.secret))
    return FINE


def _kubeconfig(host: str, namespace: str) -> int:
    from speakerd.cli.cluster import asked, credentials  # noqa: PLC0415  manifests need no client
    from speakerd.config import written  # noqa: PLC0415
    from speakerd.config.load import load  # noqa: PLC0415
    from speakerd.config.sources import Sources  # noqa: PLC0415
    from speakerd.kube import hostaccount  # noqa: PLC0415
    from speakerd.settings import Settings  # noqa: PLC0415

    if not hostaccount.NAME.fullmatch(host):
        fail("--kubeconfig", f"{host!r} is no name of a host", "use lower case letters, digits, dashes and dots")
        return WRONG_USAGE
    settings = load(Sources(environ=os.environ)).settings or Settings()
    try:
        made = asked(
            settings,
            lambda client: hostaccount.kubeconfig(client, credentials(settings).server, namespace, host),
        )
    except TimeoutError:
        what = f"Secret {hostaccount.secret_name(host)} was given no token"
        fail("cluster", what, "apply what `speakerd rbac` prints first; is kube-controller-manager well?")
        return NOT_VALID
    sys.stdout.write(written.as_yaml([made]))
    return FINE
