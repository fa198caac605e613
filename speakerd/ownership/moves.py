"""Planned moves: an offer, the successor answers, then the old owner falls silent; a core.

An offer that nobody took is void after 150 ms, and the next in line is asked.
"""

from collections.abc import Collection

from msgspec import Struct

VOID = 0.150
"""Seconds an offer stands: a dozen round trips."""
AGAIN = 1.0
"""Seconds until those who could not take a VIP are asked again."""


class Move(Struct):
    """The offer of one VIP that stands: to whom, under which number, until when; `tried`: who was asked before."""

    number: int
    to: str
    cause: str
    until: float
    tried: frozenset[str]


class Moves:
    """The offers that stand, by address, and those to be sent: by successor and cause."""

    def __init__(self) -> None:
        self._number = 0
        self._moves: dict[bytes, Move] = {}
        self._leaving: dict[tuple[str, str], list[bytes]] = {}

    def __contains__(self, ip: bytes) -> bool:
        return ip in self._moves

    def stands(self, ip: bytes, now: float) -> float | None:
        """Until when an offer of `ip` stands, None where none does."""
        move = self._moves.get(ip)
        return move.until if move and now < move.until else None

    def tried(self, ip: bytes, cause: str) -> frozenset[str]:
        """Who was offered `ip` for `cause`."""
        move = self._moves.get(ip)
        return move.tried if move and move.cause == cause else frozenset()

    def offer(self, ip: bytes, to: str, cause: str, now: float) -> float:
        """Offer `ip` to `to`; until when."""
        tried = self.tried(ip, cause) | {to}
        self._moves[ip] = Move(0, to, cause, now + VOID, tried)
        self._leaving.setdefault((to, cause), []).append(ip)
        return now + VOID

    def drop(self, ip: bytes) -> None:
        """No offer of `ip` stands any more."""
        self._moves.pop(ip, None)

    def refused(self, number: int, ips: Collection[bytes]) -> list[bytes]:
        """Those of `ips` that were offered under this number: they may be offered to the next one now."""
        found = [ip for ip in ips if ip in self._moves and self._moves[ip].number == number]
        for ip in found:
            self._moves[ip].until = 0.0
        return found

    def given(self, ip: bytes, to: str) -> bool:
        """Whether `ip` was offered to `to`; one that took it late has it all the same."""
        move = self._moves.get(ip)
        return move is not None and to in move.tried

    def take(self) -> list[tuple[int, str, str, list[bytes]]]:
        """Offers to send, each with its number: (number, to, cause, addresses)."""
        found = []
        for (to, cause), asked in self._leaving.items():
            self._number += 1
            ips = [ip for ip in asked if ip in self._moves and self._moves[ip].to == to]
            for ip in ips:
                self._moves[ip].number = self._number
            found.append((self._number, to, cause, ips))
        self._leaving.clear()
        return found
