"""kube-proxy in nftables mode in every node's namespace: it carries a VIP's traffic, as in a real cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.kube.controlplane import BINARIES, ControlPlane
from tests.lab.net import Lan, end, tool

FLAGS = (
    "--proxy-mode=nftables",
    # These sysctls are the machine's, not the namespace's.
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
    "--profiling=false",
)

VIPS = ("10.99.10.", "fd99::5:")
"""How the addresses that the tests' Services are given begin, in nft's notation."""


@contextmanager
def proxies(lan: Lan, plane: ControlPlane) -> Iterator[None]:
    """One a node, for as long as the block lasts; the Nodes must be there."""
    running = []
    try:
        for node in lan.nodes:
            config = plane.kubeconfig(f"proxy-{node.name}")
            command = (str(BINARIES / "kube-proxy"), f"--kubeconfig={config}", f"--hostname-override={node.name}")
            running.append(lan.spawn(node, *command, *FLAGS, log=plane.folder / f"proxy-{node.name}.log"))
        yield
    finally:
        for process in running:
            end(process)


def forgotten(lan: Lan) -> bool:
    """Whether no node has rules for a VIP any more: kube-proxy lags, and a Service with a former one's VIP met them."""
    rules = (tool("ip", "netns", "exec", node.namespace, "nft", "list", "ruleset") for node in lan.nodes)
    return not any(vip in listed for listed in rules for vip in VIPS)
