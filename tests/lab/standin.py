"""nftables rules that stand in for kube-proxy: a VIP's traffic goes to the pods of its Service."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from tests.lab.net import Host, Lan, inside, tool
from tests.lab.traffic import PORT

TABLE = "inet standin"
MARK = "0x4000"
"""On what must look to the pod as if the node had sent it, so that the answer comes back this way."""


class Forward(Struct, frozen=True):
    """Traffic to `vip` and `port`, TCP and UDP, goes to the pods of `nodes`.

    `policy` as Service.spec.externalTrafficPolicy: Local takes the node's own pod only and keeps the client's address.
    `target`: where the pods listen.
    """

    vip: str
    port: int
    nodes: Sequence[Host]
    policy: Literal["Cluster", "Local"] = "Cluster"
    target: int = PORT


def forward(lan: Lan, forwards: Iterable[Forward]) -> None:
    """Let every node forward just these."""
    wanted = list(forwards)
    for node in lan.nodes:
        with inside(node.namespace):
            tool("nft", "-f", "-", feed=ruleset(node, wanted))


def ruleset(node: Host, forwards: Iterable[Forward]) -> str:
    """The whole table of `node`; loading it replaces the one before."""
    rules = "".join(_rule(node, each) for each in forwards)
    return f"""table {TABLE}
delete table {TABLE}
table {TABLE} {{
  chain to-pods {{
    type nat hook prerouting priority dstnat
{rules}  }}
  chain from-node {{
    type nat hook postrouting priority srcnat
    meta mark {MARK} masquerade
  }}
}}
"""


def _rule(node: Host, wanted: Forward) -> str:
    """The rule for one VIP on `node`; none where it has no pod to send to."""
    local = wanted.policy == "Local"
    nodes = [each for each in wanted.nodes if not local or each == node]
    if not nodes:
        return ""
    family, pods = ("ip6", [n.pod6 for n in nodes]) if ":" in wanted.vip else ("ip", [n.pod4 for n in nodes])
    choice = ", ".join(f"{number} : {pod}" for number, pod in enumerate(pods))
    mark = "" if local else f"meta mark set {MARK} "
    return (
        f"    {family} daddr {wanted.vip} meta l4proto {{ tcp, udp }} th dport {wanted.port} {mark}"
        f"dnat {family} to numgen inc mod {len(pods)} map {{ {choice} }} : {wanted.target}\n"
    )
