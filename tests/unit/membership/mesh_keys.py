"""Keys and records for tests: the secrets and what members report of them."""

from speakerd.exchange import Key, Member
from speakerd.membership.keys import key_id

OLD, NEW = (Key(key_id(material), material) for material in (b"the first secret\n", b"the second secret"))


def member(name: str, *keys: Key, addresses: tuple[str, ...] = ()) -> Member:
    """A record that reports these keys, newest first."""
    return Member(name, addresses, keys=tuple(key.id for key in keys))
