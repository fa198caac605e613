"""What ownership has to know of the other members; who lives is somebody else's business."""

from collections.abc import Collection
from typing import Protocol


class Circle(Protocol):
    """The members as this node sees them now; names as in the records."""

    def here(self, name: str) -> bool:
        """Whether it is thought to live."""

    def hears(self, name: str) -> bool:
        """Whether messages of it reach this node now."""

    def ready(self, name: str) -> bool:
        """Whether it may be given a VIP: it lives, is past its start, neither leaves nor drains, and can announce."""

    def starting(self, name: str) -> bool:
        """Whether it lives, and will be ready soon."""

    def boot(self, name: str) -> int:
        """The life of it that is known; 0 before any is."""

    def recorded(self, name: str) -> bool:
        """Whether there is a record of it."""

    def side(self) -> int:
        """The members on this node's side: the fewest it has held alive lately, itself counted."""

    def age(self) -> float:
        """Seconds since the start of the member that has run longest, this node included."""

    def unheard(self) -> bool:
        """Whether this node has heard others for a while, and none of them hears it."""

    def listed(self, name: str) -> bool:
        """Whether a member that is heard says that it hears `name`."""

    def living(self) -> Collection[str]:
        """All others that are thought to live."""

    def segments(self, name: str) -> tuple[int, ...]:
        """Our interfaces on which its frames were heard."""

    def meets(self, name: str, indexes: Collection[int], since: float) -> bool:
        """Whether it and this node hear each other's frames now, on one of our interfaces: its wire is alive.

        And whether nobody had a doubt of its life from `since` on.
        """

    def macs(self, name: str) -> tuple[bytes, ...]:
        """The addresses it announces from."""

    def who(self, mac: bytes) -> str:
        """The member that announces from `mac`, or ""."""
