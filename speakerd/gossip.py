"""Whose tables of claims are compared, and who has to be told anew what is answered here; a core."""

from speakerd.membership.peer import FRAMES_EVERY

SILENT, PERIODS = 3.0, 3
"""Seconds without a frame, and times that a frame is due at least, after which a segment counts as silent.

Its hosts may have missed what was announced.
"""


class Gossip:
    """One pull an interval; a member that was lost, or whose segment was silent, may know nothing of announcements."""

    def __init__(self) -> None:
        self._pull_at = 0.0
        self._missed: set[str] = set()
        self._frames: dict[int, float] = {}
        self._ready: set[str] = set()

    def pulls(self, interval: float, now: float) -> bool:
        """Whether a table that differs may be pulled now."""
        if now < self._pull_at:
            return False
        self._pull_at = now + interval
        return True

    def returned(self, name: str) -> None:
        """A member is heard again."""
        self._missed.add(name)

    def frame_came(self, index: int, sender: str, interval: float, now: float) -> None:
        """A frame of a member came by an interface; heartbeats come once in `interval` seconds."""
        if now - self._frames.get(index, float("-inf")) > max(SILENT, PERIODS * FRAMES_EVERY * interval):
            self._missed.add(sender)
        self._frames[index] = now

    def knows(self, name: str, *, ready: bool) -> bool:
        """Whether a member that claims what we know is as `ready` as before, and knows what was announced."""
        return ready == (name in self._ready) and name not in self._missed

    def changed(self, name: str, *, ready: bool) -> bool:
        """Whether a member may be given VIPs since its last heartbeat, or may no more."""
        if ready == (name in self._ready):
            return False
        self._ready ^= {name}
        return True

    def compared(self, name: str) -> bool:
        """The claims of `name` are known now; whether what is ours has to be announced again."""
        missed = name in self._missed
        self._missed.discard(name)
        return missed
