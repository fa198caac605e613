"""Which key signs a message and which ones are believed: HKDF (RFC 5869) of the cluster's shared secret; pure.

Two keys are in use while a change of the secret spreads: each message is signed with the newest one its receiver knows,
so that the change cuts nobody off.
"""

from collections.abc import Iterable

from speakerd.digest import Mac, same
from speakerd.exchange import Key, Member

HASH_BYTES = 32
IN_USE = 2
"""Keys, newest first: that of now, and that which some members may still have alone."""
ID_BYTES = 4
"""By which a message names its key: enough to tell two apart."""
TAG_BYTES = 16
"""HMAC-SHA-256 cut to 128 bits (RFC 4868 section 2.3)."""
SIGNING, NAMING = b"speakerd mesh signature 1", b"speakerd mesh key id 1"


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 section 2.2): a uniform key of whatever `material`; no salt is one of zeros."""
    return Mac(salt or bytes(HASH_BYTES)).of(material)


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3): `length` octets, at most 8,160, for the purpose of `info`."""
    mac, block, found = Mac(key), b"", b""
    for number in range(1, -(-length // HASH_BYTES) + 1):
        block = mac.of(block + info + bytes((number,)))
        found += block
    return found[:length]


def key_id(material: bytes) -> str:
    """By what name records and messages mention a key; says nothing of its material."""
    return expand(extract(b"", material), NAMING, ID_BYTES).hex()


class Signer:
    """A key in use; `id` as it stands in messages."""

    def __init__(self, key: Key) -> None:
        self.name, self.id = key.id, bytes.fromhex(key.id)
        self._mac = Mac(expand(extract(b"", key.material), SIGNING, HASH_BYTES))

    def tag(self, data: bytes) -> bytes:
        """The signature of `data`."""
        return self._mac.of(data)[:TAG_BYTES]

    def signed(self, data: bytes, tag: bytes) -> bool:
        """Whether `tag` is the signature of `data`; a wrong one takes as long to refuse wherever it differs."""
        return same(self.tag(data), tag)


class Keyring:
    """Keys from `keys`, newest first, by what the members' records say they know. Without a key it is false.

    The older key is believed until every record reports the newer.
    """

    def __init__(self, keys: Iterable[Key] = (), members: Iterable[Member] = ()) -> None:
        signers = tuple(map(Signer, tuple(keys)[:IN_USE]))
        reported = {each.name: each.keys for each in members}
        if signers and reported and all(signers[0].name in names for names in reported.values()):
            signers = signers[:1]
        self._all = signers
        self._named = {each.id: each for each in signers}
        self._known = {
            member: next(((each,) for each in signers if each.name in names), signers)
            for member, names in reported.items()
        }

    def __bool__(self) -> bool:
        return bool(self._all)

    def signers(self, receiver: str) -> tuple[Signer, ...]:
        """Who sign a message: the newest key `receiver` knows; each in turn where that is not known, or for all."""
        return self._known.get(receiver, self._all)

    def named(self, key: bytes) -> Signer | None:
        """The key that a message names, if it is believed."""
        return self._named.get(key)

    def heard(self, sender: str, key: bytes) -> None:
        """A message of `sender` was signed with `key`: who signs with the newest knows it, whatever its record says.

        (A node that sees records change no longer would sign with the older one for ever.)
        """
        if sender in self._known and key == self._all[0].id:
            self._known[sender] = self._all[:1]
