"""Who allocates: the holder of Lease `speakerd-allocator`; a core without socket or clock.

As client-go's leader election, with two differences: another host's timestamps are never compared with our clock (a
holder is judged by when *we* saw its record change), and before each write the holder asks `held`, which is stricter
than the Lease itself.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from speakerd.kube.objects import Lease

DURATION = 15.0
"""Seconds without a sign of the holder until another may take over."""
RENEW = 5.0
"""Seconds between two renewals."""
SURE = 10.0
"""Seconds after its own last renewal (its sending, not its answer) for which the holder may write."""
NAME = "speakerd-allocator"


class Write(Struct, frozen=True):
    """Create the Lease (`resource_version` ""), or replace it; `holder` "" gives it up.

    `acquired`: since when its holder has it, as the record says; "" for one who takes it now.
    """

    resource_version: str
    holder: str
    transitions: int
    acquired: str = ""


class Election:
    """Takes part under the name `me`, unless not `willing`; what it has `seen` comes from a watch on the Lease."""

    def __init__(self, me: str, *, willing: bool, random: Callable[[], float]) -> None:
        self.me = me
        self._willing = willing
        self._random = random
        self._lease: Lease | None = None
        self._changed = 0.0
        self._sent = 0.0
        self._renewed: float | None = None
        self._due: float | None = None
        self._looked = False
        self._failures = 0
        self._defers = self._yields = False

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen; "" for nobody."""
        return (self._lease.spec.holder_identity or "") if self._lease else ""

    def held(self, now: float) -> bool:
        """Whether this node surely is the allocator, and so may write."""
        return self._renewed is not None and self.holder == self.me and now - self._renewed < SURE and not self._yields

    def defer(self, now: float, *, wanted: bool) -> bool:
        """Let others go first, or no longer; whether that changed anything.

        The holder gives the Lease up, once: where nobody takes it in DURATION this node is better than none.
        """
        if wanted == self._defers:
            return False
        self._defers, self._yields = wanted, wanted and self.holder == self.me
        if self._looked and self._willing:
            self._due = now if self._yields else self._next(now)
        return True

    def deadline(self) -> float | None:
        """When `step` is due; None: not before the Lease was seen."""
        return self._due

    def step(self, now: float) -> Write | None:
        """What to write now."""
        if self._due is None or now < self._due:
            return None
        self._sent = now
        self._due = now + RENEW
        if self._yields:
            return self.farewell()
        if self._lease is None:
            return Write("", self.me, 0)
        transitions, version = self._lease.spec.lease_transitions or 0, self._lease.metadata.resource_version
        if self.holder == self.me:
            return Write(version, self.me, transitions, self._lease.spec.acquire_time or "")
        return Write(version, self.me, transitions + 1)

    def seen(self, lease: Lease | None, now: float, *, written: bool = False) -> None:
        """The Lease as the API shows it (None: there is none); `written`: as the answer to our own write."""
        if not written and (lease == self._lease or _older(lease, self._lease)) and self._looked:
            return
        self._lease, self._changed, self._looked, self._failures = lease, now, True, 0
        if self.holder != self.me:
            self._renewed, self._yields = None, False
        elif written:
            self._renewed = self._sent
        self._due = self._next(now) if self._willing else None

    def failed(self, now: float) -> None:
        """The write did not take: again soon, spread out, so that one lost packet costs no Lease; later more rarely.

        A holder seen alive meanwhile keeps its time.
        """
        again = now + min(RENEW, 2.0**self._failures) * (1.0 + self._random())
        others = self.holder not in ("", self.me)
        self._due = max(again, self._changed + DURATION) if others else again
        self._failures = min(self._failures + 1, 3)

    def farewell(self) -> Write | None:
        """What gives the Lease up at a clean stop; None where it is another's."""
        if self._lease is None or self.holder != self.me:
            return None
        return Write(self._lease.metadata.resource_version, "", self._lease.spec.lease_transitions or 0)

    def _next(self, now: float) -> float:
        """When to act on the Lease as it is now; those who wait are spread out."""
        if self.holder == self.me:
            return self._sent + RENEW if self._renewed is not None else now
        patience = DURATION if self._defers else 0.0
        if not self.holder:
            return max(now, self._changed + patience) + 0.1 * self._random()
        return self._changed + DURATION + patience + 0.5 * self._random()


def _older(lease: Lease | None, than: Lease | None) -> bool:
    """Whether a watch that lags shows what our own write has replaced already."""
    if lease is None or than is None:
        return False
    version, known = lease.metadata.resource_version, than.metadata.resource_version
    same = lease.metadata.uid == than.metadata.uid
    return same and version.isdecimal() and known.isdecimal() and int(version) < int(known)


def spec(write: Write, wall: float) -> dict[str, object]:
    """LeaseSpec of a write; `wall`: for people who read it, nobody compares it."""
    when = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "holderIdentity": write.holder,
        "leaseDurationSeconds": int(DURATION),
        "acquireTime": write.acquired or when,
        "renewTime": when,
        "leaseTransitions": write.transitions,
    }
