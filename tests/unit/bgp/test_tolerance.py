"""What an error costs, as RFC 7606 has it: an attribute, some routes, a family, and only then the session."""

import pytest

from speakerd.bgp import update
from speakerd.bgp.error import Fault, Notification
from speakerd.bgp.family import IPV4, IPV6, Negotiated
from speakerd.bgp.tolerance import Routes
from speakerd.bgp.update import Update
from speakerd.bgp.values import Approach
from tests.unit.bgp.golden import (
    BOTH,
    BY_SIX,
    HOP,
    HOST,
    NET,
    NET_SIX,
    OLD,
    ORIGIN,
    PATH,
    PATH_TWO,
    REACH_SIX,
    TERMS,
    block,
    octets,
    sensible,
)

DISCARD, WITHDRAW, DISABLE = Approach
INTERNAL = Negotiated(four_octet=True, families=BOTH, external=False)
ROUTES = Routes(IPV4, octets(NET), 1, octets("c0000201"))
GONE = Routes(IPV4, octets(NET), 1)


def read(body: bytes, negotiated: Negotiated = TERMS) -> Update:
    found = update.decode(body, negotiated)
    sensible(found)
    return found


def cost(said: Update) -> list[tuple[Approach, int]]:
    """Each flaw: what it costs, and its subcode."""
    assert all(flaw.notification.code == 3 for flaw in said.flaws)
    return [(flaw.approach, flaw.notification.subcode) for flaw in said.flaws]


def fault(body: bytes, negotiated: Negotiated = TERMS) -> Notification:
    with pytest.raises(Fault) as caught:
        update.decode(body, negotiated)
    return caught.value.notification


WITHDRAWN = [
    ("7.1 ORIGIN of no octet", "40 01 00", 5),
    ("7.1 ORIGIN of two octets", "40 01 02 0000", 5),
    ("7.1 ORIGIN that is undefined", "40 01 01 03", 6),
    ("7.2 AS_PATH of an unknown kind", "40 02 06 05 01 0000fde8", 11),
    ("7.2 AS_PATH of kind 0", "40 02 06 00 01 0000fde8", 11),
    ("7.2 AS_PATH overrun", "40 02 06 02 02 0000fde8", 11),
    ("7.2 AS_PATH underrun", "40 02 07 02 01 0000fde8 02", 11),
    ("7.2 AS_PATH with an empty segment", "40 02 02 02 00", 11),
    ("AS_PATH of 257 segments", "50 02 0606 " + "02 01 0000fde8 " * 257, 11),
    ("RFC 7607 AS_PATH with AS 0", "40 02 06 02 01 00000000", 11),
    ("RFC 5065 AS_PATH with a confederation", "40 02 06 03 01 0000fde8", 11),
    ("7.3 NEXT_HOP of three octets", "40 03 03 c00002", 5),
    ("7.3 NEXT_HOP of sixteen octets", f"40 03 10 {BY_SIX}", 5),
    ("RFC 4271 6.3 NEXT_HOP nowhere", "40 03 04 00000000", 8),
    ("RFC 4271 6.3 NEXT_HOP a group", "40 03 04 e0000001", 8),
    ("7.4 MULTI_EXIT_DISC of three octets", "80 04 03 000000", 5),
    ("7.8 COMMUNITIES of five octets", "c0 08 05 0000000000", 5),
    ("7.8 COMMUNITIES of none", "c0 08 00", 5),
    ("7.14 EXTENDED COMMUNITIES of four octets", "c0 10 04 00000000", 5),
    ("7.14 EXTENDED COMMUNITIES of none", "c0 10 00", 5),
    ("RFC 8092 LARGE_COMMUNITY of eight octets", "c0 20 08 0000000000000000", 5),
    ("RFC 8092 LARGE_COMMUNITY of none", "c0 20 00", 5),
    ("3 c ORIGIN optional", "c0 01 01 00", 4),
    ("3 c AS_PATH not transitive", "00 02 06 02 01 0000fde8", 4),
    ("3 c NEXT_HOP optional, not transitive", "80 03 04 c0000201", 4),
    ("3 c MULTI_EXIT_DISC transitive", "c0 04 04 00000000", 4),
    ("3 c COMMUNITIES well-known", "40 08 04 00000000", 4),
    ("3 c AGGREGATOR not transitive", "80 07 08 0000fde8 c0000201", 4),
]
NAMES = {1: ORIGIN, 2: PATH, 3: HOP}


@pytest.mark.parametrize(("said", "subcode"), [each[1:] for each in WITHDRAWN], ids=[each[0] for each in WITHDRAWN])
def test_routes_with_such_an_attribute_are_withdrawn(said: str, subcode: int) -> None:
    number = octets(said)[1]
    others = [text for each, text in NAMES.items() if each != number]
    found = read(block(*others, said, come=NET, gone=HOST))
    assert cost(found) == [(WITHDRAW, subcode)]
    assert found.flaws[0].notification.data == octets(said)
    assert (found.announced, found.attributes) == ((), None)
    assert found.withdrawn == (Routes(IPV4, octets(HOST), 1), GONE)
    assert fault(block(*others, said)) == Notification(3, subcode, octets(said)), "5.2: no route came with it"


INTERNALS = [
    ("7.5 LOCAL_PREF of three octets", "40 05 03 000000"),
    ("7.9 ORIGINATOR_ID of three octets", "80 09 03 000000"),
    ("7.10 CLUSTER_LIST of five octets", "80 0a 05 0000000000"),
    ("7.10 CLUSTER_LIST of none", "80 0a 00"),
]


@pytest.mark.parametrize("said", [each[1] for each in INTERNALS], ids=[each[0] for each in INTERNALS])
def test_what_only_internal_peers_may_send_is_judged_only_from_them(said: str) -> None:
    body = block(ORIGIN, PATH, HOP, said, come=NET)
    assert cost(read(body, INTERNAL)) == [(WITHDRAW, 5)]
    found = read(body)
    assert cost(found) == [(DISCARD, 1)]
    assert found.announced == (ROUTES,)


@pytest.mark.parametrize("said", ["40 05 04 00000064", "80 09 04 c0000201", "80 0a 08 c0000201 c0000202"])
def test_what_only_internal_peers_may_send_is_kept_from_them_and_discarded_from_others(said: str) -> None:
    body = block(ORIGIN, PATH, HOP, said, come=NET)
    assert not read(body, INTERNAL).flaws
    found = read(body)
    assert cost(found) == [(DISCARD, 1)]
    assert found.attributes
    assert found.attributes.local_pref is None


def test_a_path_of_many_segments_is_a_path() -> None:
    found = read(block(ORIGIN, "50 02 0600 " + "02 01 0000fde8 " * 256, HOP, come=NET))
    assert not found.flaws


def test_a_confederation_is_understood_among_its_members() -> None:
    found = read(block(ORIGIN, "40 02 0c 03 01 0000fde8 02 01 0000fde9", HOP, come=NET), INTERNAL)
    assert not found.flaws


DISCARDED = [
    ("7.6 ATOMIC_AGGREGATE of one octet", "40 06 01 00", 5),
    ("7.7 AGGREGATOR of six octets", "c0 07 06 fde8 c0000201", 5),
    ("RFC 7607 AGGREGATOR with AS 0", "c0 07 08 00000000 c0000201", 9),
    ("RFC 6793 6 AS4_PATH of one who knows four octets", "c0 11 06 02 01 0000fde8", 1),
    ("RFC 6793 6 AS4_AGGREGATOR of one who knows four octets", "c0 12 08 0000fde8 c0000201", 1),
]


@pytest.mark.parametrize(("said", "subcode"), [each[1:] for each in DISCARDED], ids=[each[0] for each in DISCARDED])
def test_such_an_attribute_is_discarded_and_its_routes_stand(said: str, subcode: int) -> None:
    found = read(block(ORIGIN, PATH, HOP, said, come=NET))
    assert cost(found) == [(DISCARD, subcode)]
    assert found.flaws[0].notification.data == octets(said)
    assert found.announced == (ROUTES,)
    assert found.attributes == read(block(ORIGIN, PATH, HOP, come=NET)).attributes
    assert cost(read(block(ORIGIN, PATH, HOP, said))) == [(DISCARD, subcode)], "5.2: the session stays without routes"


@pytest.mark.parametrize(
    ("said", "subcode"),
    [
        ("c0 07 08 0000fde8 c0000201", 5),
        ("c0 11 05 02 01 0000fd", 5),
        ("c0 11 00", 5),
        ("c0 11 06 07 01 0000fde8", 9),
        ("c0 11 06 02 02 0000fde8", 9),
        ("c0 11 06 02 01 00000000", 9),
        ("c0 12 06 fde8 c0000201", 5),
        ("c0 12 08 00000000 c0000201", 9),
    ],
)
def test_what_helps_old_speakers_is_discarded_if_malformed(said: str, subcode: int) -> None:
    found = read(block(ORIGIN, PATH_TWO, HOP, said, come=NET), OLD)
    assert cost(found) == [(DISCARD, subcode)]
    assert found.announced == (ROUTES,)


def test_a_confederation_in_an_as4_path_is_dropped_from_it() -> None:
    found = read(block(ORIGIN, "40 02 04 02 01 5ba0", HOP, "c0 11 0c 03 01 0000fde9 02 01 fa56ea00", come=NET), OLD)
    assert not found.flaws
    assert found.attributes
    assert [each.numbers for each in found.attributes.path] == [(4200000000,)]


@pytest.mark.parametrize(("left", "number"), [((PATH, HOP), 1), ((ORIGIN, HOP), 2), ((ORIGIN, PATH), 3)])
def test_routes_without_a_mandatory_attribute_are_withdrawn(left: tuple[str, ...], number: int) -> None:
    """3 d."""
    found = read(block(*left, come=NET))
    assert cost(found) == [(WITHDRAW, 3)]
    assert found.flaws[0].notification.data == bytes((number,))
    assert found.withdrawn == (GONE,)


def test_routes_in_an_attribute_need_no_next_hop_beside_it_and_all_else() -> None:
    assert not read(block(REACH_SIX, ORIGIN, PATH)).flaws
    found = read(block(REACH_SIX, PATH))
    assert cost(found) == [(WITHDRAW, 3)]
    assert found.withdrawn == (Routes(IPV6, octets(NET_SIX), 1),)


def test_withdrawals_need_no_attribute_at_all() -> None:
    assert read(block(gone=NET)).flaws == read(block(f"80 0f 0c 0002 01 {NET_SIX}")).flaws == ()


def test_of_two_the_first_counts() -> None:
    """3 g: even where the second is malformed."""
    found = read(block(ORIGIN, PATH, HOP, "80 04 04 00000001", "80 04 03 000000", "80 04 00", come=NET))
    assert cost(found) == [(DISCARD, 1)]
    assert found.attributes
    assert found.attributes.med == 1


@pytest.mark.parametrize("said", [REACH_SIX, f"80 0f 0c 0002 01 {NET_SIX}"])
def test_routes_in_an_attribute_that_comes_twice_end_the_session(said: str) -> None:
    """3 g."""
    assert fault(block(said, said, ORIGIN, PATH)) == Notification(3, 1)


def test_the_harshest_approach_wins() -> None:
    """3 h."""
    found = read(block(ORIGIN, PATH, HOP, "40 06 01 00", "80 04 03 000000", come=NET))
    assert cost(found) == [(DISCARD, 5), (WITHDRAW, 5)]
    assert found.withdrawn == (GONE,)


@pytest.mark.parametrize("rest", ["80 04 05 00000000", "90 04 0005 00000000", "80 04", "80", "90 04 00"])
def test_an_attribute_longer_than_what_is_left_withdraws_the_routes(rest: str) -> None:
    """4: the routes are still found by the length of all attributes."""
    found = read(block(ORIGIN, PATH, HOP, rest, come=NET))
    assert cost(found) == [(WITHDRAW, 5)]
    assert found.withdrawn == (GONE,)
    assert fault(block(ORIGIN, PATH, HOP, rest)) == Notification(3, 5, octets(rest)), "5.2"


@pytest.mark.parametrize("kind", ["0e", "0f"])
def test_routes_cut_short_by_the_attributes_end_the_session(kind: str) -> None:
    rest = f"80 {kind} 1e 0002 01"
    assert fault(block(ORIGIN, PATH, HOP, rest, come=NET)) == Notification(3, 9, octets(rest))


@pytest.mark.parametrize("said", ["80 0e 00", "80 0e 02 0002", "80 0f 02 0002", "80 0f 00"])
def test_routes_of_nobody_knows_which_family_end_the_session(said: str) -> None:
    """RFC 4760 section 7: there is no family to disable."""
    assert fault(block(said, ORIGIN, PATH)) == Notification(3, 9, octets(said))


DISABLED = [
    ("7.11 next hop of no octet", "80 0e 05 0002 01 00 00"),
    ("7.11 next hop of four octets", f"80 0e 12 0002 01 04 c0000201 00 {NET_SIX}"),
    ("7.11 next hop longer than the attribute", "80 0e 08 0002 01 10 20010db8"),
    ("7.11 no next hop at all", "80 0e 03 0002 01"),
    ("7.11 nothing after the next hop", f"80 0e 14 0002 01 10 {BY_SIX}"),
    ("5.3 prefix of 129 bits", f"80 0e 16 0002 01 10 {BY_SIX} 00 81"),
    ("5.3 prefix cut short", f"80 0e 18 0002 01 10 {BY_SIX} 00 40 2001"),
    ("5.3 withdrawn prefix of 129 bits", "80 0f 04 0002 01 81"),
    ("5.3 withdrawn prefix cut short", "80 0f 05 0002 01 40 20"),
]


@pytest.mark.parametrize("said", [each[1] for each in DISABLED], ids=[each[0] for each in DISABLED])
def test_a_family_whose_routes_cannot_be_read_is_disabled_and_the_session_stays(said: str) -> None:
    found = read(block(said, ORIGIN, PATH, HOP, come=NET))
    assert cost(found) == [(DISABLE, 9)]
    assert found.disabled == {IPV6}
    assert found.announced == (ROUTES,)
    assert found.attributes == read(block(ORIGIN, PATH, HOP, come=NET)).attributes


def test_a_disabled_family_is_passed_over_from_then_on() -> None:
    left = Negotiated(four_octet=True, families=TERMS.families - {IPV6})
    assert read(block(DISABLED[5][1], ORIGIN, PATH), left) == Update()


def test_ipv4_is_disabled_with_all_its_routes_wherever_they_stand() -> None:
    found = read(block("80 0e 09 0001 01 03 c00002 00 00", ORIGIN, PATH, HOP, come=NET, gone=HOST))
    assert found == Update(flaws=found.flaws, disabled=frozenset({IPV4}))
    assert cost(found) == [(DISABLE, 9)]


def test_ipv4_by_way_of_ipv6_needs_to_have_been_agreed_on() -> None:
    """RFC 8950 section 4."""
    body = block(f"80 0e 19 0001 01 10 {BY_SIX} 00 {NET}", ORIGIN, PATH)
    assert read(body).announced
    assert read(body, INTERNAL).disabled == {IPV4}


def test_routes_in_an_attribute_with_wrong_flags_are_withdrawn() -> None:
    """3 c."""
    found = read(block("c0" + REACH_SIX[2:], ORIGIN, PATH))
    assert cost(found) == [(WITHDRAW, 4)]
    assert found.withdrawn == (Routes(IPV6, octets(NET_SIX), 1),)


def test_a_well_known_attribute_that_nobody_knows_ends_the_session() -> None:
    """RFC 4271 section 6.3, which RFC 7606 leaves as it was."""
    assert fault(block(ORIGIN, PATH, HOP, "40 63 01 00", come=NET)) == Notification(3, 2, octets("40 63 01 00"))


def test_lengths_in_two_octets_and_unused_flags_are_no_fault() -> None:
    assert not read(block("5f 01 0001 00", PATH, HOP, come=NET)).flaws


def test_attributes_in_any_order_say_the_same() -> None:
    """5: a receiver must be prepared for them out of order."""
    assert read(block(HOP, PATH, ORIGIN, come=NET)) == read(block(ORIGIN, PATH, HOP, come=NET))


def test_flaws_are_few_however_many_attributes_come() -> None:
    body = block(ORIGIN, PATH, HOP, "80 04 00 " * 20000, come=NET)
    assert cost(read(body)) == [(WITHDRAW, 5), (DISCARD, 1)]
