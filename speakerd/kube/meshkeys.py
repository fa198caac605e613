"""The keys that sign members' messages, from Secret `memberlist`: the newest and the one before it.

A core. A Secret that vanishes (it is MetalLB's until MetalLB goes) changes nothing; a new one comes first, and the old
one stays in use until every member's record says that it knows the new one.
"""

from collections.abc import Iterable

from speakerd.exchange import Key, Member
from speakerd.membership.keys import key_id

SECRET, ENTRY = "memberlist", "secretkey"
MATERIAL_BYTES = 32
"""Of chance in a key we make, written in base64 as MetalLB's controller does: as much as HMAC-SHA-256 can use."""
PATIENCE = 5.0
"""Seconds without a Secret until one is created: MetalLB's controller, or another host, may be about to."""


class MeshKeys:
    """`value`: the keys in use, newest first.

    `known`: those in use before this process; `given`: material from a file, in place of the Secret's.
    """

    def __init__(self, given: bytes = b"", known: tuple[Key, ...] = ()) -> None:
        self.value = known
        self._given = bool(given)
        self._missing_since: float | None = None
        if given:
            self._take(given)

    def see(self, material: bytes | None, now: float) -> None:
        """Take what the Secret holds, b"" for no key; None: there is no Secret."""
        if self._given:
            return
        if material is not None:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = now
        if material:
            self._take(material)

    def spread(self, members: Iterable[Member]) -> None:
        """Give the older key up once all members with a record know the newer one."""
        known = [member.keys for member in members]
        if len(self.value) > 1 and known and all(self.value[0].id in each for each in known):
            self.value = self.value[:1]

    def deadline(self) -> float | None:
        """When the Secret is to be created, unless it turns up before."""
        return None if self._missing_since is None else self._missing_since + PATIENCE

    @property
    def newest(self) -> bytes:
        """The material of the newest key, b"" where there is none."""
        return self.value[0].material if self.value else b""

    def _take(self, material: bytes) -> None:
        newest = Key(key_id(material), material)
        if self.value[:1] != (newest,):
            older = [each for each in self.value if each.id != newest.id]
            self.value = (newest, *older[:1])
