"""What is said of our own routes depends on the route and on what the peer is to us."""

import pytest

from speakerd.bgp import attribute, origination
from speakerd.bgp.aspath import Path, Segment, SegmentKind
from speakerd.bgp.attribute import Attributes, Origin
from speakerd.bgp.origination import GRACEFUL_SHUTDOWN, Side
from speakerd.config import communities
from speakerd.peering import Wording
from tests.unit.bgp.golden import TERMS, octets

EXTERNAL, INTERNAL = Side(65000, external=True), Side(65000, external=False)


def path(*numbers: int) -> Path:
    return (Segment(SegmentKind.SEQUENCE, numbers),)


def test_a_route_that_asks_for_nothing_is_ours_alone_to_another_as() -> None:
    assert origination.attributes(Wording(), EXTERNAL) == Attributes(Origin.IGP, path(65000))


def test_a_route_that_asks_for_nothing_has_the_usual_preference_and_no_path_in_our_own_as() -> None:
    assert origination.attributes(Wording(), INTERNAL) == Attributes(Origin.IGP, (), local_pref=100)


def test_a_preference_is_for_our_own_as_only() -> None:
    wording = Wording(local_pref=4294967295)
    assert origination.attributes(wording, EXTERNAL).local_pref is None
    assert origination.attributes(wording, INTERNAL).local_pref == 4294967295


@pytest.mark.parametrize(("times", "sizes"), [(0, [1]), (2, [3]), (254, [255]), (255, [255, 1]), (600, [255, 255, 91])])
def test_prepending_repeats_our_number_and_no_segment_is_overfull(times: int, sizes: list[int]) -> None:
    said = origination.attributes(Wording(prepend=times), Side(4200000000, external=True))
    assert [len(each.numbers) for each in said.path] == sizes
    assert {number for each in said.path for number in each.numbers} == {4200000000}
    assert attribute.encode(said, octets("c0000201"), TERMS)


def test_prepending_is_left_out_in_our_own_as_where_it_would_look_like_a_loop() -> None:
    assert origination.attributes(Wording(prepend=3), INTERNAL).path == ()


@pytest.mark.parametrize("side", [EXTERNAL, INTERNAL])
def test_med_and_communities_go_to_every_peer_sorted_and_once(side: Side) -> None:
    wording = Wording(communities=("large:1:2:3", "65535:65281", "64512:1", "large:0:4294967295:0", "64512:1"), med=0)
    said = origination.attributes(wording, side)
    assert said.med == 0
    assert said.communities == (0xFC000001, 0xFFFFFF01)
    assert said.large == ((0, 4294967295, 0), (1, 2, 3))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0:0", 0), ("65000:100", 0xFDE80064), ("65535:65281", 0xFFFFFF01), ("65535:0", GRACEFUL_SHUTDOWN)],
)
def test_a_community_is_its_two_halves(text: str, number: int) -> None:
    assert communities.literal(text) == text
    assert origination.number(text) == number


@pytest.mark.parametrize("text", ["", "1", "1:", "1:2:3", "65536:0", "-1:2", "a:b", "+1:2", "\u0661:2", "large:1:2"])
def test_what_is_no_community_is_refused(text: str) -> None:
    assert not communities.literal(text)
    with pytest.raises(ValueError, match="no community"):
        origination.number(text)
    with pytest.raises(ValueError, match="no community"):
        origination.attributes(Wording(communities=(text,)), EXTERNAL)


@pytest.mark.parametrize("text", ["large:1:2", "large:1:2:3:4", "large:4294967296:0:0", "large:1::3"])
def test_what_is_no_large_community_is_refused(text: str) -> None:
    assert not communities.literal(text)
    with pytest.raises(ValueError, match="no community"):
        origination.large(text)


def test_a_route_about_to_go_says_so_once_and_is_the_last_choice_of_our_own_as() -> None:
    said = origination.attributes(Wording(local_pref=200, communities=("1:1",)), INTERNAL)
    going = origination.shutdown(said)
    assert going == Attributes(local_pref=0, communities=(0x10001, GRACEFUL_SHUTDOWN))
    assert origination.shutdown(going) == going


def test_a_route_about_to_go_has_no_preference_for_another_as() -> None:
    said = origination.attributes(Wording(), EXTERNAL)
    assert origination.shutdown(said) == Attributes(path=path(65000), communities=(GRACEFUL_SHUTDOWN,))
