"""The cluster's key comes from its Secret, survives the Secret's going, and a change of it cuts nobody off."""

from base64 import b64encode

import msgspec
import pytest

from speakerd.config.resources import Metadata
from speakerd.exchange import Key, Member
from speakerd.kube import body
from speakerd.kube.meshkeys import PATIENCE, MeshKeys
from speakerd.kube.objects import Lease, Secret
from speakerd.membership.keys import key_id
from speakerd.model import Node

OLD, NEW, LATER = b"old", b"new\n", bytes(range(200))
STRANGERS = ((bytes((192, 0, 2, 9)), b"\2\xff\0\0\0\1"), (bytes(15) + b"\1", b"\2\xff\0\0\0\2"))


def key(material: bytes) -> Key:
    return Key(key_id(material), material)


def member(*materials: bytes, name: str = "a") -> Member:
    return Member(name, keys=tuple(map(key_id, materials)))


@pytest.mark.parametrize("material", [OLD, NEW, LATER])
def test_any_bytes_are_a_key(material: bytes) -> None:
    keys = MeshKeys()
    keys.see(material, 0.0)
    assert keys.value == (key(material),)
    assert keys.newest == material


def test_a_new_secret_comes_first_and_the_old_one_stays_until_every_member_knows_the_new() -> None:
    keys = MeshKeys()
    keys.see(OLD, 0.0)
    keys.see(NEW, 1.0)
    assert keys.value == (key(NEW), key(OLD))
    keys.spread([member(NEW), member(OLD, name="b")])
    assert keys.value == (key(NEW), key(OLD))
    keys.spread([])
    assert keys.value == (key(NEW), key(OLD))
    keys.spread([member(NEW), member(NEW, OLD, name="b")])
    assert [each.material for each in keys.value] == [NEW]


def test_of_three_keys_the_two_newest_are_in_use() -> None:
    keys = MeshKeys()
    for material in (OLD, NEW, LATER):
        keys.see(material, 0.0)
    assert keys.value == (key(LATER), key(NEW))


def test_a_secret_that_goes_back_to_what_it_was_turns_the_keys_around() -> None:
    keys = MeshKeys()
    for material in (OLD, NEW, OLD):
        keys.see(material, 0.0)
    assert keys.value == (key(OLD), key(NEW))


def test_a_secret_that_vanishes_changes_nothing_and_is_to_be_created_again_with_the_newest() -> None:
    keys = MeshKeys()
    keys.see(OLD, 0.0)
    assert keys.deadline() is None
    keys.see(None, 10.0)
    keys.see(None, 12.0)
    assert keys.value == (key(OLD),)
    assert keys.deadline() == 10.0 + PATIENCE
    assert keys.newest == OLD
    keys.see(OLD, 13.0)
    assert keys.deadline() is None


def test_a_secret_without_a_key_is_not_created_over() -> None:
    keys = MeshKeys()
    keys.see(None, 0.0)
    keys.see(b"", 1.0)
    assert keys.deadline() is None
    assert keys.value == ()


def test_keys_of_before_a_restart_hold_until_others_are_seen() -> None:
    keys = MeshKeys(known=(key(NEW), key(OLD)))
    assert keys.value == (key(NEW), key(OLD))
    keys.see(NEW, 0.0)
    assert keys.value == (key(NEW), key(OLD))
    keys.see(LATER, 0.0)
    assert keys.value == (key(LATER), key(NEW))


def test_a_key_from_a_file_stands_in_place_of_the_secret_s() -> None:
    keys = MeshKeys(NEW, (key(OLD),))
    keys.see(LATER, 0.0)
    keys.see(None, 1.0)
    assert keys.value == (key(NEW), key(OLD))
    assert keys.deadline() is None
    keys.spread([member(NEW)])
    assert [each.material for each in keys.value] == [NEW]


def test_a_secret_reads_back_as_it_was_written() -> None:
    found = msgspec.json.decode(body.mesh_secret("ns", LATER), type=Secret)
    assert body.mesh_material({"ns/memberlist": found}) == LATER
    assert LATER.hex() not in repr(found)
    assert b64encode(LATER).decode() not in repr(found)


@pytest.mark.parametrize(
    ("data", "expected"),
    [({}, b""), ({"secretkey": "?"}, b""), ({"other": "AAAA"}, b""), ({"secretkey": "YQ=="}, b"a")],
)
def test_a_secret_that_holds_no_key_is_told_from_none(data: dict[str, str], expected: bytes) -> None:
    assert body.mesh_material({"ns/memberlist": Secret(Metadata("memberlist"), data=data)}) == expected
    assert body.mesh_material({}) is None


@pytest.mark.parametrize("drained", [True, False])
def test_a_member_record_reads_back_as_it_was_written(drained: bool) -> None:
    told = Member("n1", ("192.0.2.1", "2001:db8::1"), "1.0", (key_id(NEW), key_id(OLD)), drained, STRANGERS, "0a1b")
    lease = msgspec.json.decode(body.member_lease("ns", Node("n1", "uid"), told), type=Lease)
    assert body.member(lease) == told


@pytest.mark.parametrize("text", ["192.0.2.9", "192.0.2.9=02:00:0g", "x=02:00", "=,="])
def test_strangers_of_a_record_that_are_none_are_passed_over(text: str) -> None:
    annotations = {body.STRANGERS_ANNOTATION: text}
    assert body.member(Lease(Metadata("speakerd-node-n1", annotations=annotations))).strangers == ()


def test_key_ids_of_a_record_that_are_none_are_passed_over() -> None:
    annotations = {body.KEYS_ANNOTATION: f"{key_id(NEW)},oops,{'0' * 400},"}
    found = body.member(Lease(Metadata("speakerd-node-n1", annotations=annotations)))
    assert found.keys == (key_id(NEW),)
