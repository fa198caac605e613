"""Whether a life of a member is new: it has to sign a nonce of ours before anything it says counts."""

from collections.abc import Callable

from speakerd.membership import heartbeat
from speakerd.membership.envelope import Envelope, Kind, Post
from speakerd.membership.heartbeat import Nonce, Refutation
from speakerd.membership.peer import Peer

NONCE_AGAIN = 0.5
"""Intervals until an unknown life is asked again to prove itself."""
MOST_LIVES = 4
"""Unproven lives of one name asked at a time; a cluster has one, or two while it restarts."""


def ask(peer: Peer, envelope: Envelope, random: Callable[[], float], interval: float, now: float) -> list[Post]:
    """Ask the life that sent `envelope` to sign a nonce, unless it was asked just now."""
    nonce, at = peer.nonces.get(envelope.boot, (b"", float("-inf")))
    if now - at < NONCE_AGAIN * interval:
        return []
    if not nonce:
        while len(peer.nonces) >= MOST_LIVES:
            del peer.nonces[next(iter(peer.nonces))]
        nonce = int(random() * (1 << 53)).to_bytes(8)
    peer.nonces[envelope.boot] = (nonce, now)
    return [_back(envelope, Kind.HELLO, heartbeat.encode(Nonce(nonce)))]


def given(peer: Peer, envelope: Envelope) -> bool:
    """Whether the life that sent `envelope` signs the nonce it was asked to sign. Raises DecodeError."""
    wanted, _ = peer.nonces.get(envelope.boot, (b"", 0.0))
    return bool(wanted) and heartbeat.decode(envelope.body, Nonce).nonce == wanted


def give(envelope: Envelope) -> Post:
    """Sign the nonce that `envelope` brings. Raises DecodeError."""
    return _back(envelope, Kind.PROOF, heartbeat.encode(heartbeat.decode(envelope.body, Nonce)))


def refuse(peer: Peer, envelope: Envelope) -> list[Post]:
    """Tell a second host of a name that another one lives by it."""
    told = heartbeat.encode(Refutation(peer.name, peer.boot, peer.sequence))
    return [_back(envelope, Kind.REFUTATION, told)] if envelope.kind is Kind.HEARTBEAT else []


def _back(envelope: Envelope, kind: Kind, body: bytes) -> Post:
    """An answer by the way the question came."""
    return Post(envelope.sender, envelope.carrier, envelope.index, kind, body)
