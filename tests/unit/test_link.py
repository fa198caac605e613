"""What the controller wants reaches the announcer whole, and only what changed is read again."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.bell import COUNT, NEWS
from speakerd.board import Board, LinkFull
from speakerd.exchange import Candidate, Claim, Counters, Facts, Key, Observed, Stake, Vip, Wanted
from speakerd.inheritance import Inheritance, inherited
from speakerd.link import (
    SECTIONS,
    BgpHead,
    Link,
    SightReader,
    SightWriter,
    WantedReader,
    WantedWriter,
)
from speakerd.model import Interface, Record
from speakerd.peering import (
    BfdProfile,
    BgpSettings,
    Neighbour,
    Password,
    Peer,
    Prefix,
    Said,
    SessionSeen,
    Wording,
)

A, B, C = Candidate("a"), Candidate("b"), Candidate("c", score=5)


def vip(number: int, candidates: int = 0) -> Vip:
    ip = IPv4Address(0x0A000000 + number).packed
    return Vip(ip, f"default/s{number}", ip, candidates)


def wanted(*vips: Vip, sets: tuple[tuple[Candidate, ...], ...] = ((A, B),)) -> Wanted:
    return Wanted("a", {each.ip: each for each in vips}, sets)


def taken(reader: WantedReader) -> dict[bytes, Stake | None]:
    reader.look()
    changes: dict[bytes, Stake | None] = {}
    while reader.pending:
        changes |= reader.changes().vips
    return changes


class Pair:
    def __init__(self, link: Link) -> None:
        self.writer = WantedWriter(link.controller())
        self.ends = link.announcer()
        self.reader = WantedReader(self.ends)


@pytest.fixture
def link() -> Iterator[Link]:
    with Link() as made:
        yield made


@pytest.fixture
def pair(link: Link) -> Pair:
    return Pair(link)


def test_nothing_is_read_before_anything_is_written(pair: Pair) -> None:
    assert taken(pair.reader) == {}
    assert pair.reader.head is None


def test_what_is_wanted_arrives_with_its_candidates(pair: Pair) -> None:
    pair.writer.apply(wanted(vip(1), vip(2, 1), sets=((A, B), (C,))))
    changes = taken(pair.reader)
    first, second = changes[vip(1).ip], changes[vip(2).ip]
    assert first is not None
    assert second is not None
    assert (first.candidates, second.candidates) == ((A, B), (C,))
    assert pair.reader.head is not None
    assert pair.reader.head.me == "a"


def test_only_what_changed_is_handed_out_again(pair: Pair) -> None:
    vips = [vip(i) for i in range(1000)]
    pair.writer.apply(wanted(*vips))
    assert len(taken(pair.reader)) == 1000
    pair.writer.apply(wanted(*vips[1:], vip(2000)))
    changes = taken(pair.reader)
    assert changes.keys() == {vips[0].ip, vip(2000).ip}
    assert changes[vips[0].ip] is None


def test_a_clock_that_has_run_out_before_the_last_section_leaves_nothing_pending_for_ever(pair: Pair) -> None:
    pair.writer.apply(wanted(*(vip(i) for i in range(1000))))
    pair.reader.look()
    slices = 0
    changes: dict[bytes, Stake | None] = {}
    while pair.reader.pending:
        slices += 1
        for each in pair.reader.within(until=1.0, clock=lambda: 2.0):
            changes |= each.vips
    assert len(changes) == 1000
    assert slices > 2


def test_new_candidates_reach_every_vip(pair: Pair) -> None:
    vips = [vip(i) for i in range(10)]
    pair.writer.apply(wanted(*vips))
    taken(pair.reader)
    pair.writer.apply(wanted(*vips, sets=((A,),)))
    assert [stake.candidates for stake in taken(pair.reader).values() if stake] == [(A,)] * 10


def test_the_same_wish_twice_is_written_once(pair: Pair) -> None:
    assert pair.writer.apply(wanted(vip(1)))
    assert not pair.writer.apply(wanted(vip(1)))


def test_a_new_reader_finds_all_that_is_wanted(pair: Pair) -> None:
    pair.writer.apply(wanted(vip(1), vip(2)))
    taken(pair.reader)
    assert taken(WantedReader(pair.ends)).keys() == {vip(1).ip, vip(2).ip}


@given(st.lists(st.sets(st.integers(0, 300)), max_size=6))
def test_a_reader_that_misses_revisions_ends_where_the_writer_is(
    wishes: list[set[int]],
) -> None:
    held: dict[bytes, Stake | None] = {}
    with Link() as link:
        pair = Pair(link)
        for number, wish in enumerate(wishes):
            pair.writer.apply(wanted(*(vip(i) for i in wish)))
            if number % 2:
                held |= taken(pair.reader)
        held |= taken(pair.reader)
    held = {ip: stake for ip, stake in held.items() if stake}
    assert held.keys() == {vip(i).ip for i in (wishes[-1] if wishes else ())}


def test_a_write_cut_short_leaves_the_last_whole_revision() -> None:
    board = Board(slot_bytes=1 << 16)
    board.write([b"one", b"two"])
    _, slot = board._newest()
    start = board._start(1 - slot)
    board._map[start : start + 8] = b"\xff" * 8
    assert [board.section(each) for each in board.directory()] == [b"one", b"two"]


def test_a_section_written_over_while_being_read_is_not_believed() -> None:
    board = Board(slot_bytes=1 << 16)
    board.write([b"old"])
    (stale,) = board.directory()
    board.write([b"new"])
    board.write([b"one more, longer"])
    assert board.section(stale) is None


def test_what_does_not_fit_is_refused_and_the_last_word_stands() -> None:
    board = Board(slot_bytes=4096)
    board.write([b"fits"])
    with pytest.raises(LinkFull):
        board.write([b"x" * 5000])
    assert [board.section(each) for each in board.directory()] == [b"fits"]


def test_what_the_announcer_sees_comes_up(link: Link) -> None:
    writer, reader = SightWriter(link.announcer()), SightReader(link.controller().into)
    claim = Claim(vip(1).ip, 3, "a", 1.5, "first")
    counted = Counters(claim.ip, 3, 2, 1)
    interface = Interface(2, "eth0", mac=b"\2abcde")
    strangers = {claim.ip: b"\2\xff\0\0\0\1"}
    facts = Facts(pid=7, locked=True)
    writer.apply(Observed((interface,), {claim.ip: claim}, {claim.ip: counted}, facts, strangers=strangers))
    seen = reader.observed()
    assert seen.claims == {claim.ip: claim}
    assert seen.interfaces[0].name == "eth0"
    assert seen.facts.pid == 7
    assert seen.counters == {claim.ip: counted}
    assert seen.strangers == strangers
    writer.apply(Observed())
    assert reader.observed().claims == {}


def test_claims_that_change_in_place_are_noticed(link: Link) -> None:
    writer, reader = SightWriter(link.announcer()), SightReader(link.controller().into)
    claims: dict[bytes, Claim] = {}
    for number in (1, 2):
        claims[vip(number).ip] = Claim(vip(number).ip, 1, "a", 1.5, "first")
        writer.apply(Observed(claims=claims))
        assert reader.observed().claims.keys() == claims.keys()


def test_what_the_announcer_sees_of_sessions_comes_up(link: Link) -> None:
    writer, reader = SightWriter(link.announcer()), SightReader(link.controller().into)
    session = SessionSeen("tor", "Established", 1.5, announced=7, families=("ipv4",), sent={"open": 1})
    writer.apply(Observed(sessions=(session,)))
    assert reader.observed().sessions == (session,)


# -- BGP

TOR = Neighbour(Peer("tor", 64512, 64513), Password(b"hunter2"), BfdProfile("fast"))
SAID: Said = ((Wording(5, ("1:2",), 0, 2), ("spine", "tor")),)
SETTINGS = BgpSettings(router_id="192.0.2.7")


def prefix(number: int, said: Said = SAID) -> Prefix:
    return Prefix(4, b"\x20" + IPv4Address(0x0A000000 + number).packed, said)


def routed(*prefixes: Prefix, **fields: object) -> Wanted:
    return replace(Wanted("a", {}, prefixes={each.key: each for each in prefixes}), **fields)


def learnt(reader: WantedReader) -> dict[bytes, Prefix | None]:
    reader.look()
    changes: dict[bytes, Prefix | None] = {}
    while reader.pending:
        changes |= reader.changes().prefixes
    return changes


def test_neighbours_and_settings_arrive_and_stay_one_object_until_they_change(pair: Pair) -> None:
    wish = routed(neighbours=(TOR,), bgp=SETTINGS)
    pair.writer.apply(wish)
    learnt(pair.reader)
    first = pair.reader.bgp
    assert first == BgpHead(SETTINGS, (TOR,))
    pair.writer.apply(replace(wish, blind=7))
    learnt(pair.reader)
    assert pair.reader.head is not None
    assert (pair.reader.head.blind, pair.reader.bgp is first) == (7, True)
    pair.writer.apply(replace(wish, neighbours=()))
    learnt(pair.reader)
    assert pair.reader.bgp == BgpHead(SETTINGS)


def test_a_password_is_in_no_text_of_what_the_announcer_reads(pair: Pair) -> None:
    pair.writer.apply(routed(neighbours=(TOR,)))
    learnt(pair.reader)
    assert "hunter2" not in repr(pair.reader.bgp)


def test_prefixes_of_both_families_arrive_whole_and_what_is_said_of_many_is_one_object_a_section(pair: Pair) -> None:
    six = Prefix(6, b"\x40" + bytes(8), ())
    many = [prefix(number) for number in range(1000)]
    pair.writer.apply(routed(*many, six))
    assert learnt(pair.reader) == {each.key: each for each in (*many, six)}
    again = [each for each in learnt(WantedReader(pair.ends)).values() if each]
    assert len({id(each.said) for each in again}) <= SECTIONS + 1


def test_only_the_section_of_a_prefix_that_changed_is_written_and_read_again(pair: Pair) -> None:
    many = [prefix(number) for number in range(10_000)]
    pair.writer.apply(routed(*many))
    learnt(pair.reader)
    before = pair.ends.into.directory()
    pair.writer.apply(routed(*many[1:], prefix(20_000)))
    after = pair.ends.into.directory()
    changed = [number for number, (a, b) in enumerate(zip(before, after, strict=True)) if a.crc != b.crc]
    assert len(changed) == 2
    assert all(after[number].length < 1500 for number in changed)
    assert learnt(pair.reader) == {many[0].key: None, prefix(20_000).key: prefix(20_000)}


def test_a_prefix_of_which_other_things_are_said_is_handed_out_again(pair: Pair) -> None:
    pair.writer.apply(routed(prefix(1), prefix(2)))
    learnt(pair.reader)
    pair.writer.apply(routed(prefix(1), prefix(2, ())))
    assert learnt(pair.reader) == {prefix(2).key: prefix(2, ())}


def test_vips_and_prefixes_do_not_mix(pair: Pair) -> None:
    pair.writer.apply(replace(wanted(vip(1)), prefixes={prefix(1).key: prefix(1)}))
    pair.reader.look()
    found = []
    while pair.reader.pending:
        found.append(pair.reader.changes())
    assert [each.vips.keys() for each in found if each.vips] == [{vip(1).ip}]
    assert [each.prefixes for each in found if each.prefixes] == [{prefix(1).key: prefix(1)}]


@given(st.lists(st.dictionaries(st.integers(0, 300), st.sampled_from([SAID, ()])), max_size=6))
def test_a_reader_that_misses_revisions_has_the_prefixes_that_the_writer_has(wishes: list[dict[int, Said]]) -> None:
    held: dict[bytes, Prefix | None] = {}
    wish: list[Prefix] = []
    with Link() as link:
        pair = Pair(link)
        for number, numbers in enumerate(wishes):
            wish = [prefix(each, said) for each, said in numbers.items()]
            pair.writer.apply(routed(*wish))
            if number % 2:
                held |= learnt(pair.reader)
        held |= learnt(pair.reader)
    assert {key: each for key, each in held.items() if each} == {each.key: each for each in wish}


def test_the_next_controller_inherits_keys_owners_and_the_passwords_of_secrets(pair: Pair) -> None:
    keys, owned = (Key("0a", b"new"),), replace(vip(1), owner="b", epoch=7)
    by_secret = replace(TOR, peer=replace(TOR.peer, name="spine", secret="s"))
    neighbours = (TOR, by_secret)
    pair.writer.apply(replace(wanted(owned, vip(2)), keys=keys, neighbours=neighbours, prefixes={b"k": prefix(1)}))
    board = pair.ends.into
    found = inherited([board.section(each) or b"" for each in board.directory()])
    assert found == Inheritance(keys, {owned.ip: Record("b", 7)}, {"s": Password(b"hunter2")})


def test_the_first_controller_inherits_nothing() -> None:
    assert inherited([]) == Inheritance((), None, {})


def test_names_that_claims_have_in_common_are_one_object_for_all(link: Link) -> None:
    writer, reader = SightWriter(link.announcer()), SightReader(link.controller().into)
    rows = (vip(number).ip for number in (1, 2))
    claims = {ip: Claim(ip, 1, "node-a", 1.5, "first", ("eth0",), heir="node-b", previous="node-c") for ip in rows}
    writer.apply(Observed(claims=claims))
    seen = reader.observed().claims
    assert seen == claims
    one, other = seen.values()
    for field in ("owner", "cause", "interfaces", "heir", "previous"):
        assert getattr(one, field) is getattr(other, field)


def test_a_bell_rung_many_times_never_blocks_and_is_heard(link: Link) -> None:
    upper, lower = link.controller().bell, link.announcer().bell
    for _ in range(100_000):
        upper.ring()
    lower.rung()
    upper.ring(COUNT)
    upper.ring()
    assert set(lower.rung()) == set(NEWS + COUNT)
    with pytest.raises(BlockingIOError):
        lower._end.recv(1)
