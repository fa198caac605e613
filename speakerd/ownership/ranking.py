"""In which order candidates take a VIP: preference first, then rendezvous hashing.

The hash is SHA-256 of `NODE#ADDRESS`, smallest first: the order MetalLB's speakers use, so that a cluster that switches
keeps its owners. Each node computes it alone; when one goes, only its own VIPs move.
"""

from collections.abc import Iterable
from functools import lru_cache

from speakerd.digest import sha256
from speakerd.exchange import Candidate
from speakerd.model import unpacked

REMEMBERED = 1 << 16
"""Weights kept: 300 VIPs x 200 nodes, about 10 MiB at most; a miss costs a microsecond."""


@lru_cache(maxsize=REMEMBERED)
def weight(node: str, ip: bytes) -> bytes:
    """The place of `node` for `ip` (4 or 16 bytes) among nodes of equal preference; smallest first."""
    return sha256(f"{node}#{_text(ip)}".encode()).digest()


@lru_cache(maxsize=64)
def _text(ip: bytes) -> str:
    """An address for people; to write it takes longer than to hash it, and all nodes are weighed for one in a row."""
    return str(unpacked(ip))


def ranking(ip: bytes, candidates: Iterable[Candidate]) -> tuple[str, ...]:
    """Names of `candidates`, first in line first."""
    ordered = sorted(candidates, key=lambda each: (-each.score, weight(each.node, ip)))
    return tuple(each.node for each in ordered)


def first(ip: bytes, candidates: Iterable[Candidate]) -> str:
    """Who is first in line, or nobody ("")."""
    return min(
        candidates,
        key=lambda each: (-each.score, weight(each.node, ip)),
        default=Candidate(""),
    ).node
