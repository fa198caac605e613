"""Who takes over, chosen in calm: the best class of candidates, then rendezvous hashing with bounded load; pure."""

from collections.abc import Collection, Mapping
from math import ceil

from speakerd.exchange import Candidate
from speakerd.ownership.ranking import weight

SLACK = 1.25
"""VIPs a node may have for each one of an even share (consistent hashing with bounded loads)."""


def bound(vips: int, nodes: int) -> int:
    """VIPs one of `nodes` should have at most when they share `vips`."""
    return ceil(SLACK * vips / max(1, nodes))


def best(candidates: Collection[Candidate]) -> list[Candidate]:
    """Those of the highest score."""
    top = max((each.score for each in candidates), default=0)
    return [each for each in candidates if each.score == top]


def choose(ip: bytes, candidates: Collection[Candidate], loads: Mapping[str, int], most: int) -> str:
    """The heir of a VIP that ranks by `ip`: first in line whose load leaves room, else first in line; "" for none.

    Never out of a lower class while the highest has a candidate.
    """
    line = sorted(best(candidates), key=lambda each: weight(each.node, ip))
    roomy = (each.node for each in line if loads.get(each.node, 0) < most)
    return next(roomy, line[0].node if line else "")
