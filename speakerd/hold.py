"""When a node must not answer yet: at its start, after a pause, on an interface whose carrier is back; a core.

Others may have taken over meanwhile. So it is silent until they have told what they claim, or a short time is over.
"""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet

START = 1.0
"""Seconds a node waits at most for the claims of all recorded members before it claims anything."""
INTERVALS = 3
"""The same in intervals, where that is longer: a pull that was lost is sent again with the next heartbeat."""
COMPARE = 0.1
"""Seconds a node that stood still, or was cut off, is silent at most until others have told their claims."""
SILENT_LINK = 1.0
"""Seconds an interface whose carrier is back waits at most for a first frame."""
ENOUGH = 2
"""Members whose claims suffice after a pause; at the start it takes all of them."""


class Hold:
    """`active`: silent altogether; `closed`: interfaces that are silent. From the start of an announcer it is active.

    `restarted`: an earlier announcer of this life of the host claimed VIPs; `resume`: it died a moment ago.
    """

    def __init__(self, *, restarted: bool, resume: bool) -> None:
        self._seconds = 0.0 if resume else COMPARE if restarted else START
        self._everybody = not restarted
        self._until: float | None = None
        self._closed: dict[int, float] = {}
        self._compared: set[str] = set()
        self.active = True

    @property
    def closed(self) -> AbstractSet[int]:
        """Indexes of interfaces."""
        return self._closed.keys()

    def wanted(self, now: float, interval: float, *, in_company: bool) -> None:
        """What is wanted is known: from here on the start takes its time."""
        if self.active and self._until is None:
            seconds = max(START, INTERVALS * interval) if self._seconds == START else self._seconds
            self._until = now + (seconds if in_company else 0.0)

    def paused(self, now: float) -> None:
        """This node stood still."""
        self.active, self._everybody, self._until = True, False, now + COMPARE
        self._compared.clear()

    def came(self, indexes: Iterable[int], now: float) -> None:
        """Carrier is back on these."""
        for index in indexes:
            self._closed[index] = now + SILENT_LINK
            self._compared.clear()

    def went(self, indexes: Iterable[int]) -> None:
        """Carrier is lost on these, which ends the wait for claims there."""
        for index in indexes:
            self._closed.pop(index, None)

    def frame_came(self, index: int, now: float) -> None:
        """The first frame on an interface that was cut off: from here on claims are compared."""
        if index in self._closed:
            self._closed[index] = min(self._closed[index], now + COMPARE)

    def lost(self, name: str) -> None:
        """A member is dead: what it claimed is compared anew."""
        self._compared.discard(name)

    def compared(self, name: str, living: int, recorded: Collection[str], now: float) -> None:
        """The claims of `name` are known, one of the others `living`; silence ends once enough are."""
        if not self.active and not self._closed:
            return
        self._compared.add(name)
        enough = len(self._compared) >= min(ENOUGH, max(1, living))
        if enough:
            self._closed = dict.fromkeys(self._closed, now)
        if self._until is not None and (self._compared >= set(recorded) or (enough and not self._everybody)):
            self._until = now

    def deadlines(self) -> list[float]:
        """When to ask `over` and `opened`."""
        return [*self._closed.values(), *([self._until] if self.active and self._until is not None else [])]

    def over(self, now: float) -> bool:
        """Whether the silence ends now."""
        if not self.active or self._until is None or now < self._until:
            return False
        self.active = self._everybody = False
        return True

    def opened(self, now: float) -> list[int]:
        """Interfaces whose silence ends now."""
        found = [index for index, until in self._closed.items() if until <= now]
        self.went(found)
        return found
