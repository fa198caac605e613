"""Hosts are upgraded one after the other: what a later version says is read as far as it is known, by rule.

The rule is in membership/message.py. What is written down (events, Leases) follows the same one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields

from speakerd.diary import Diary
from speakerd.exchange import Member
from speakerd.kube import body, objects
from speakerd.membership import heartbeat, message
from speakerd.membership.envelope import Carrier, Envelope, Kind
from speakerd.membership.heartbeat import Fate, Heartbeat, Nonce, Phase, Refutation, Vote
from speakerd.membership.keys import Keyring
from speakerd.membership.message import Refusal
from speakerd.ownership import message as ownership
from speakerd.ownership.message import (
    OTHER,
    Answer,
    Ask,
    Choice,
    Claims,
    Consent,
    Heard,
    Later,
    Life,
    Offer,
    Proposal,
    Pull,
    Question,
    Row,
)
from speakerd.wire import DecodeError
from tests.sim.later import EVERY, lengthened
from tests.unit.membership.mesh_keys import NEW, member

RING = Keyring((NEW,), [member("n1", NEW)])
(SIGNER,) = RING.signers("n1")
BEAT = Heartbeat(
    Phase.RUNNING, 75, 9, 2, b"abcd", b"", (Fate(b"abcd", 7),), 1, 2, False, True, (bytes(6),), b"digest", b"conf"
)
IP = bytes(4)
SAID: Mapping[Kind, Struct] = {
    Kind.HEARTBEAT: BEAT,
    Kind.HELLO: Nonce(bytes(8)),
    Kind.PROOF: Nonce(bytes(8)),
    Kind.VOTE: Vote("n2", 1, 2),
    Kind.REFUTATION: Refutation("n2", 1, 2),
    Kind.CLAIMS: Claims((Life("n2", 5),), (Row(IP, 1, 2, 0, -1, -1, 3),), 3, True, True, 4, True),
    Kind.PULL: Pull(bytes(8)),
    Kind.PROPOSAL: Proposal((IP,)),
    Kind.CONSENT: Consent((IP,)),
    Kind.OFFER: Offer(1, 0, (IP,)),
    Kind.REFUSAL: ownership.Refusal(1, (IP,)),
    Kind.QUESTION: Question(b"n"),
    Kind.ANSWER: Answer(b"n"),
    Kind.ASK: Ask((IP,)),
    Kind.HEARD: Heard(IP, bytes(6)),
    Kind.LATER: Later(IP, 1, (Choice("n2", 3),)),
}
FIRST_FIELDS: Mapping[type[Struct], int] = {
    Heartbeat: 14, Fate: 2, Nonce: 1, Vote: 3, Refutation: 3, Claims: 2, Life: 2, Row: 7, Pull: 1, Proposal: 1,
    Consent: 1, Offer: 3, ownership.Refusal: 2, Question: 1, Answer: 1, Ask: 1, Heard: 2, Later: 3, Choice: 2,
}  # fmt: skip
"""How many fields version 1 says always; whoever adds one adds a default for those who do not say it."""


def decoded(kind: Kind, said: bytes) -> Struct:
    decode = heartbeat.decode if kind < Kind.CLAIMS else ownership.decode
    return decode(said, EVERY[kind])


@pytest.mark.parametrize("kind", Kind)
def test_a_longer_body_is_read_as_far_as_it_is_known(kind: Kind) -> None:
    said = msgspec.msgpack.encode(SAID[kind])
    longer = lengthened(kind, said)
    assert len(longer) > len(said)
    assert decoded(kind, longer) == SAID[kind]


@pytest.mark.parametrize("body", FIRST_FIELDS)
def test_what_was_added_since_the_first_version_may_be_missing(body: type[Struct]) -> None:
    assert {each.name for each in fields(body)[FIRST_FIELDS[body] :] if each.required} == set()
    assert len(fields(body)) >= FIRST_FIELDS[body]


def structures(body: object) -> Iterator[type[Struct]]:
    """Of a value, and of all in it."""
    if isinstance(body, Struct):
        yield type(body)
        for name in body.__struct_fields__:
            yield from structures(getattr(body, name))
    elif isinstance(body, tuple):
        for each in body:
            yield from structures(each)


def test_every_structure_that_members_say_is_held_to_the_rule() -> None:
    assert set(SAID) == set(EVERY) == set(Kind)
    assert {each for said in SAID.values() for each in structures(said)} == set(FIRST_FIELDS)


def said_by(version: int, kind: int = Kind.HEARTBEAT) -> bytes:
    """A message of a version, signed."""
    text = bytearray(message.encode(Envelope("n2", 1, "n1", Carrier.UDP, 0, 5, Kind.HEARTBEAT, b"body"), SIGNER)[:-16])
    text[1], text[3] = version, kind
    return bytes(text) + SIGNER.tag(bytes(text))


@pytest.mark.parametrize("version", [1, 2, 255])
def test_a_message_of_a_later_version_is_read(version: int) -> None:
    heard = message.decode(said_by(version), RING, Carrier.UDP)
    assert (heard.sender, heard.kind, heard.body) == ("n2", Kind.HEARTBEAT, b"body")


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(DecodeError, match=Refusal.OTHER_VERSION):
        message.decode(said_by(0), RING, Carrier.UDP)


@pytest.mark.parametrize("kind", sorted({*range(256)} - {*Kind}))
def test_a_kind_that_is_not_known_is_counted_by_its_name_once_its_signature_is_right(kind: int) -> None:
    with pytest.raises(DecodeError, match=Refusal.UNKNOWN_KIND):
        message.decode(said_by(2, kind), RING, Carrier.UDP)


def test_a_cause_that_is_not_known_moves_a_vip_all_the_same() -> None:
    later = len(ownership.CAUSES)
    said = Claims((Life("n2", 5),), (Row(IP, 1, 2, 0, -1, -1, later),))
    (claim,) = ownership.claims_of(ownership.decode(ownership.encode(said), Claims), 1.0)
    assert (claim.owner, claim.cause) == ("n2", OTHER)
    sheet = ownership.Sheet()
    assert sheet.add(claim)
    assert ownership.decode(ownership.encode(Offer(1, later, (IP,))), Offer).cause == later


def test_events_of_a_later_version_are_kept_as_far_as_they_are_known(tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(
        b'{"format": 2}\n'
        b'{"number": 1, "time": "2026-01-01T00:00:00.000Z", "event": "vip.lent", "subject": "10.0.0.1", "to": ["n2"]}\n'
        b'{"number": 2, "time": 1767225600, "event": "node.drained"}\n'
        b'["an array", "of a later version"]\n'
        b'{"number": 3, "time": "2026-01-01T00:00:01.000Z", "event": "node.drained", "cause": "new"}\n'
    )
    assert [(each.number, each.event) for each in Diary(tmp_path).ring.told().events] == [
        (1, "vip.lent"),
        (3, "node.drained"),
    ]


def test_a_member_record_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    lease = msgspec.json.decode(
        b'{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "later": {},'
        b'"metadata": {"name": "speakerd-node-a", "namespace": "m",'
        b' "annotations": {"speakerd.io/version": "9.0", "speakerd.io/addresses": "10.0.0.1",'
        b'"speakerd.io/later": "x", "speakerd.io/keys": "38a1c049,+later:1", "speakerd.io/answered-by-strangers": "?",'
        b'"speakerd.io/drained": "until-noon"}}, "spec": {"holderIdentity": "a", "strategy": "later"}}',
        type=objects.Lease,
    )
    assert body.member(lease) == Member("a", ("10.0.0.1",), "9.0", ("38a1c049",))


def test_objects_of_a_later_version_are_read_as_far_as_they_are_known() -> None:
    status = msgspec.json.decode(
        b'{"metadata": {"name": "l2-1", "later": 1}, "later": [], "status": {"node": "a", "serviceName": "web",'
        b'"serviceNamespace": "default", "interfaces": [{"name": "eth0", "vlan": 7}], "since": "now"}}',
        type=objects.ServiceL2Status,
    )
    assert (status.status.node, status.status.interfaces) == ("a", (objects.InterfaceInfo("eth0"),))
