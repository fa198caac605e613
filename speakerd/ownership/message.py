"""What members tell one another about VIPs: claims, pulls, heirs, offers, and questions on the wire.

Bodies of messages as MessagePack arrays, which grow at their end alone, as rows and lives do; names stand once in a
message, not once a VIP.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from speakerd.exchange import Claim
from speakerd.wire import UNDECODABLE, DecodeError

ROOM = 600
"""Octets of a body that fits a message, whatever its sender and receiver are called."""
ROW, LIFE = 24, 13
"""Octets of a claim beside its address, and of a life beside its name, at most in practice."""
ROWS = 32
"""Claims in one message, however short."""
ADDRESSES = 32
"""Addresses in one message, IPv6 among them."""
BUCKETS = 64
"""Of the digest: 10,000 claims are 156 a bucket, pulled in five messages."""

OTHER = "other"
CAUSES = (
    "first owner-dead owner-left drain not-candidate interface-lost preference rebalance contest-lost restored "
    f"{OTHER}".split()
)
"""Why a VIP moves; the closed list, in the order the wire counts them. The last: a cause of a later version."""

Name = Annotated[str, Meta(max_length=253)]
Address = Annotated[bytes, Meta(min_length=4, max_length=16)]
Addresses = Annotated[tuple[Address, ...], Meta(max_length=ADDRESSES)]
Count = Annotated[int, Meta(ge=0)]
Nonce = Annotated[bytes, Meta(max_length=16)]


class Life(Struct, frozen=True, array_like=True):
    """A member in one of its lives; `boot` 0: whichever (an heir)."""

    name: Name
    boot: Count


class Row(Struct, frozen=True, array_like=True):
    """A claim; `owner` and `heir` are places in the message's list of lives, -1 none."""

    ip: Address
    epoch: Count
    version: Count
    owner: Annotated[int, Meta(ge=-1, lt=3 * ROWS)]
    heir: Annotated[int, Meta(ge=-1, lt=3 * ROWS)]
    previous: Annotated[int, Meta(ge=-1, lt=3 * ROWS)]
    cause: Count


class Claims(Struct, frozen=True, array_like=True):
    """Claims the sender knows. `side` and `yields` are the sender's, for contests.

    `final`: all that was pulled is told now; `offer`: the offer that these answer, 0 none; `lost`: the sender has
    just fallen silent for these.
    """

    lives: Annotated[tuple[Life, ...], Meta(max_length=3 * ROWS)]
    rows: Annotated[tuple[Row, ...], Meta(max_length=ROWS)]
    side: Count = 0
    yields: bool = False
    final: bool = False
    offer: Count = 0
    lost: bool = False


class Pull(Struct, frozen=True, array_like=True):
    """Tell me your claims of these buckets: a bit each."""

    buckets: Annotated[bytes, Meta(min_length=BUCKETS // 8, max_length=BUCKETS // 8)]


class Proposal(Struct, frozen=True, array_like=True):
    """Would you be heir of these?"""

    ips: Addresses


class Consent(Struct, frozen=True, array_like=True):
    """Yes, of these."""

    ips: Addresses


class Offer(Struct, frozen=True, array_like=True):
    """Take these over, and answer at once; void 150 ms after it was sent."""

    number: Count
    cause: Count
    ips: Addresses


class Refusal(Struct, frozen=True, array_like=True):
    """Not these."""

    number: Count
    ips: Addresses


class Choice(Struct, frozen=True, array_like=True):
    """A candidate, with its score."""

    node: Name
    score: Count


class Later(Struct, frozen=True, array_like=True):
    """What the API says of a VIP you answer for, as of resourceVersion `version`: its candidates, first ones first."""

    ip: Address
    version: Count
    candidates: Annotated[tuple[Choice, ...], Meta(min_length=1, max_length=ROWS)]


class Question(Struct, frozen=True, array_like=True):
    """Are you there, on this segment?"""

    nonce: Nonce


class Answer(Struct, frozen=True, array_like=True):
    """I am."""

    nonce: Nonce


class Ask(Struct, frozen=True, array_like=True):
    """Ask the wire who has these, and tell me: nobody hears its own host's answers."""

    ips: Addresses


class Heard(Struct, frozen=True, array_like=True):
    """`mac` answers for `ip`."""

    ip: Address
    mac: Annotated[bytes, Meta(min_length=6, max_length=6)]


T = TypeVar("T", bound=Struct)

encode = msgspec.msgpack.Encoder().encode
_KINDS = (Claims, Pull, Proposal, Consent, Offer, Refusal, Question, Answer, Ask, Heard, Later)
_decoders: dict[type[Struct], msgspec.msgpack.Decoder[Struct]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in _KINDS
}


def decode(body: bytes, kind: type[T]) -> T:
    """`body` as a `kind`. Raises DecodeError."""
    try:
        found = _decoders[kind].decode(body)
    except UNDECODABLE as fault:
        raise DecodeError(str(fault)) from None
    assert isinstance(found, kind)
    return found


def cause_of(number: int) -> str:
    """The cause that the wire counts so; OTHER for one that only later versions know."""
    return CAUSES[number] if number < len(CAUSES) else OTHER


class Sheet:
    """A message of claims in the making: as many as fit."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._lives: dict[Life, int] = {}
        self._left = ROOM

    def add(self, claim: Claim) -> bool:
        """Put a claim in; whether there was room, as there is for the first."""
        lives = (Life(claim.owner, claim.boot), Life(claim.heir, 0), Life(claim.previous, 0))
        new = [life for life in dict.fromkeys(lives) if life.name and life not in self._lives]
        size = ROW + len(claim.ip) + sum(LIFE + len(life.name.encode()) for life in new)
        if self.rows and (len(self.rows) == ROWS or size > self._left):
            return False
        self._left -= size
        for life in new:
            self._lives[life] = len(self._lives)
        owner, heir, previous = (self._lives.get(life, -1) for life in lives)
        self.rows.append(Row(claim.ip, claim.epoch, claim.version, owner, heir, previous, CAUSES.index(claim.cause)))
        return True

    def message(self, side: int, *, yields: bool, final: bool = False, offer: int = 0, lost: bool = False) -> Claims:
        """What was put in, and what the sender says of itself."""
        return Claims(tuple(self._lives), tuple(self.rows), side, yields, final, offer, lost)


def told(claims: Iterable[Claim], side: int, *, yields: bool, final: bool = False, offer: int = 0) -> Iterator[Claims]:
    """`claims` in as few messages as they fit; the last one is `final` if asked for, and there is at least one then."""
    sheet = Sheet()
    for claim in claims:
        if not sheet.add(claim):
            yield sheet.message(side, yields=yields, offer=offer)
            sheet = Sheet()
            sheet.add(claim)
    if sheet.rows or final:
        yield sheet.message(side, yields=yields, final=final, offer=offer)


def claims_of(message: Claims, now: float) -> list[Claim]:
    """The claims in a message, as of `now`. Raises DecodeError where a row points nowhere."""
    lives = (*message.lives, Life("", 0))
    found = []
    for row in message.rows:
        if max(row.owner, row.heir, row.previous) >= len(message.lives):
            raise DecodeError("a row names a life that is not told")
        owner = lives[row.owner]
        found.append(
            Claim(
                row.ip,
                row.epoch,
                owner.name,
                now,
                cause_of(row.cause),
                version=row.version,
                boot=owner.boot,
                heir=lives[row.heir].name,
                previous=lives[row.previous].name,
            )
        )
    return found


def as_known(claim: Claim, known: Claim) -> Claim:
    """A newer claim of the same life, with what was learned here before: since when, and after which gap."""
    return replace(claim, since=known.since, gap=known.gap)


def fitting(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """The first of them, as many as a message holds."""
    found: list[Choice] = []
    room = ROOM
    for each in islice(choices, ROWS):
        room -= len(each.node.encode()) + LIFE
        if found and room < ROW:
            break
        found.append(each)
    return tuple(found)


def places(ips: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Addresses in as many lists as they need."""
    left = list(ips)
    while left:
        yield tuple(left[:ADDRESSES])
        left = left[ADDRESSES:]
