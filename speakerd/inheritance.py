"""What an earlier controller told the announcer, and the next one does not take back without a reason."""

from collections.abc import Mapping, Sequence

import msgspec

from speakerd.exchange import Key
from speakerd.link import BGP, FIRST, HEAD, PREFIXES, BgpHead, Head, Shard
from speakerd.model import Record
from speakerd.peering import Password


class Inheritance(msgspec.Struct, frozen=True):
    """The `keys` of the members' messages; `hints`: who owned the VIPs at its start, None where nobody was before.

    `passwords`: of BGP sessions, by the name of their Secret.
    """

    keys: tuple[Key, ...] = ()
    hints: Mapping[bytes, Record] | None = None
    passwords: Mapping[str, Password] = {}


def inherited(sections: Sequence[bytes]) -> Inheritance:
    """As the sections of the way down say it; none: this controller is the first."""
    if not sections:
        return Inheritance()
    head = msgspec.msgpack.decode(sections[HEAD], type=Head)
    bgp = msgspec.msgpack.decode(sections[BGP], type=BgpHead)
    shards = (msgspec.msgpack.decode(each, type=Shard) for each in sections[FIRST:PREFIXES])
    hints = {vip.ip: Record(vip.owner, vip.epoch) for shard in shards for vip in shard.vips if vip.epoch}
    held = ((each.peer.secret, each.password) for each in bgp.neighbours)
    return Inheritance(head.keys, hints, {secret: password for secret, password in held if secret and password})
