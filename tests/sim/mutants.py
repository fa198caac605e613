"""The cores broken on purpose, one way at a time: a simulation that does not notice is worth nothing.

This is the one place where code of ours is replaced while it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from speakerd.gossip import Gossip
from speakerd.membership import detector, peer
from speakerd.membership.effects import Effect
from speakerd.mesh import Mesh
from speakerd.ownership import contest, rivals, witness
from speakerd.ownership.effects import Announce
from speakerd.ownership.handover import Handover
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.owner import Owner
from speakerd.ownership.rivals import Rivals
from speakerd.ownership.selfcheck import SelfCheck
from speakerd.ownership.takeover import Free, Takeover
from speakerd.segments import Segments
from tests.sim.run import Result, play_seed

Patch = Callable[[], None]


def _replace(owner: Any, name: str, value: object) -> Patch:  # noqa: ANN401
    return lambda: setattr(owner, name, value)


def _nothing(*_arguments: object, **_named: object) -> list[object]:
    return []


def _every_vip_is_free(self: Takeover, _ip: bytes, _stake: object, now: float) -> Free:
    del self
    return Free(now - 10, "first")


def _own_vote_suffices(self: detector.Detector, suspect: peer.Peer, now: float) -> list[Effect]:
    return self._died(suspect, now) if suspect.votes else []


def _silent_before_taken(self: Handover, ip: bytes, cause: str, now: float, to: str = "") -> None:
    _move(self, ip, cause, now, to)
    if ip in self._moves:
        self._holdings.fall_silent(ip)


def _contest_in_silence(self: Rivals, *arguments: Any) -> list[object]:  # noqa: ANN401
    return [each for each in _contest(self, *arguments) if not isinstance(each, Announce)]


def _never_announce_again() -> None:
    """Neither by who won, nor when the tables of who was lost have been compared."""
    _replace(Rivals, "_contest", _contest_in_silence)()
    _replace(Gossip, "compared", _nothing)()


def _at_once(self: detector.Detector, suspect: peer.Peer) -> float:
    return suspect.heard if suspect.missed else _due(self, suspect)


def _goes_on_answering(self: Handover, claim: Any, now: float) -> None:  # noqa: ANN401
    self.drop(claim.ip)
    self._holdings.follow(claim, now)


def _claims_at_once(self: Mesh, now: float) -> list[object]:
    self._hold._seconds = 0.0
    return _wanted(self, now)  # type: ignore[return-value]


def _opens_at_once(self: Mesh, interfaces: Any, now: float) -> list[object]:  # noqa: ANN401
    found = _interfaces(self, interfaces, now)
    self._hold._closed = dict.fromkeys(self._hold.closed, now)
    self._end_silence(now)
    return found  # type: ignore[return-value]


_due = detector.Detector._due
_move = Handover.move
_contest = Rivals._contest
_wanted = Mesh.wanted
_interfaces = Mesh.interfaces

MUTANTS: Mapping[str, Patch] = {
    "deaths are ignored": _replace(Takeover, "died", _nothing),
    "a live owner may be robbed": _replace(Takeover, "_free", _every_vip_is_free),
    "one vote suffices for a death": _replace(detector.Detector, "_judge", _own_vote_suffices),
    "both sides of a contest win": _replace(contest, "wins", lambda _ours, _theirs, _rank_by: True),
    "both sides of a contest lose": _replace(contest, "wins", lambda _ours, _theirs, _rank_by: False),
    "claims of others are ignored where served": _replace(Rivals, "_challenged", _nothing),
    "epochs are not compared": _replace(rivals, "order", lambda _claim: (0, 0)),
    "nothing is announced after a contest": _never_announce_again,
    "tables are never compared": _replace(Mesh, "_beat", _nothing),
    "nothing is pushed or offered": _replace(Owner, "flush", _nothing),
    "a pause is not noticed": _replace(Mesh, "paused", _nothing),
    "messages may come twice, or late": _replace(peer.Peer, "is_new", lambda _self, _envelope: True),
    "the old owner goes on answering": _replace(Handover, "taken", _goes_on_answering),
    "the old owner is silent before the successor answers": _replace(Handover, "move", _silent_before_taken),
    "a node claims at once when it starts": _replace(Mesh, "wanted", _claims_at_once),
    "the wire is never silent": _replace(witness.Inquiry, "verdict", lambda _self, _now: witness.Verdict.PENDING),
    "who is late is looked at again and again": _replace(detector.Detector, "_due", _at_once),
    "heartbeats are never missed": _replace(peer.Peer, "miss_at", lambda _self, _number, _now: 1e12),
    "what is drained stays": _replace(Handover, "_cause_to_go", lambda _self, _stake: ""),
    "what is withdrawn is still answered": _replace(Holdings, "fall_silent", _nothing),
    "a dead segment is kept": _replace(Segments, "look", _nothing),
    "what another heard for us is forgotten": _replace(SelfCheck, "heard", _nothing),
    "who is back answers before claims are compared": _replace(Mesh, "interfaces", _opens_at_once),
}
"""By name, each a patch of the process that runs it."""


def hunt(name: str, seeds: int) -> Result | None:
    """Break the cores so, in this process, and run scenarios until one notices; None where none of them does."""
    MUTANTS[name]()
    for seed in range(seeds):
        result = play_seed(seed)
        if result.broken:
            return result
    return None
