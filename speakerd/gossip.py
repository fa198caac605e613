"""Whose tables of claims are compared, and who has to be told anew what is answered here; a core."""

SILENT = 3.0
"""Seconds without a frame after which a segment counts as silent: its hosts may have missed what was announced."""


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

    def frame_came(self, index: int, sender: str, now: float) -> None:
        """A frame of a member came by an interface."""
        if now - self._frames.get(index, float("-inf")) > SILENT:
            self._missed.add(sender)
        self._frames[index] = now

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
