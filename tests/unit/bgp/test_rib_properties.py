"""Whatever happens in whatever order, the peer's table comes to be what is wanted, and no octet more is said for it."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import nlri, origination
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import MOST
from speakerd.bgp.rib import WORK, Rib
from tests.unit.bgp.golden import BOTH
from tests.unit.bgp.receiver import (
    HOPS,
    INTERNAL,
    PLENTY,
    Network,
    Receiver,
    everything,
    family_of,
    table,
    wish,
)

T = TypeVar("T")

PREFIXES = [f"10.0.{i}.0/{20 + i}" for i in (0, 4, 8)] + [f"192.0.2.{i}/32" for i in range(6)]
PREFIXES += ["0.0.0.0/0", "::/0", "2001:db8::/32"] + [f"2001:db8::{i}/128" for i in range(3)]
NETWORKS = [ip_network(each) for each in PREFIXES]
SAID = [
    Attributes(local_pref=100),
    Attributes(local_pref=200, communities=(1, 2)),
    Attributes(med=0, large=((1, 2, 3),)),
]
LONGEST = 200
TOO_LONG = Attributes(communities=tuple(range(50)))
WISHES = st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from([*SAID, TOO_LONG, None]), max_size=12)
SLICES = st.tuples(st.one_of(st.integers(0, LONGEST), st.just(MOST)), st.integers(1, 200))
WAYS = {IPV4: (b"", HOPS[IPV4], bytes((10, 0, 0, 1)), HOPS[IPV6]), IPV6: (b"", HOPS[IPV6], HOPS[IPV6] * 2, HOPS[IPV4])}
STEPS = st.one_of(
    st.tuples(st.just("change"), WISHES),
    st.tuples(st.just("take"), SLICES),
    st.tuples(st.just("refresh"), st.sampled_from((IPV4, IPV6))),
    st.tuples(st.just("next_hop"), st.sampled_from([(family, hop) for family, hops in WAYS.items() for hop in hops])),
    st.tuples(st.sampled_from(("up", "down", "drain", "serve", "withdraw_all")), st.none()),
)


class Run:
    """A core, the router at its other end, and what the core was told, kept in the plainest way."""

    def __init__(self) -> None:
        self.rib = Rib()
        self.peer = Receiver()
        self.wanted: dict[str, Attributes] = {}
        self.hops = dict(HOPS)
        self.manner = "serve"
        self.is_up = False

    @property
    def expected(self) -> dict[Network, tuple[Attributes, bytes]]:
        """What the router is to know."""
        if self.manner == "withdraw_all" or not self.is_up:
            return {}
        said = {net: each for net, each in self.wanted.items() if each is not TOO_LONG}
        if self.manner == "drain":
            said = {net: origination.shutdown(each) for net, each in said.items()}
        ways = {IPV4: (4, 16, 32), IPV6: (16, 32)}
        told = table(said, self.hops)
        return {net: route for net, route in told.items() if len(route[1]) in ways[family_of(net)]}

    def step(self, what: str, given: object) -> None:
        match what, given:
            case "change", dict():
                left = {net: said for net, said in self.wanted.items() if net not in given}
                self.wanted = left | {net: said for net, said in given.items() if said is not None}
                wish(self.rib, given)
            case "take", (int() as budget, int() as work):
                self.take(budget, work)
            case "refresh", Family():
                self.again(given)
                self.rib.refresh(given)
            case "next_hop", (Family() as family, bytes() as hop):
                self.next_hop(family, hop)
            case "up", _:
                self.is_up, self.peer = True, Receiver()
                self.rib.up(INTERNAL, BOTH, self.hops, LONGEST)
            case "down", _:
                self.is_up, self.peer = False, Receiver()
                self.rib.down()
            case _:
                self.manner = what
                getattr(self.rib, what)()
        self.true()

    def again(self, family: Family) -> None:
        self.peer.again |= {net for net in self.peer.table if family_of(net) == family}

    def next_hop(self, family: Family, hop: bytes) -> None:
        if hop != self.hops[family]:
            self.hops[family] = hop
            self.again(family)
        self.rib.next_hop(family, hop)

    def take(self, budget: int, work: int = WORK) -> None:
        """Take a slice: within its budget, of what is wanted now, and each word of it needed."""
        before, expected = len(self.peer.heard), self.expected
        messages = self.rib.take(budget, work)
        assert sum(map(len, messages)) <= budget
        assert self.is_up or not messages
        for each in messages:
            ended = len(self.peer.ended)
            self.peer.read([each])
            for family in self.peer.ended[ended:]:
                assert of(family, self.peer.table) == of(family, expected), "an end before all was told"
        for net in self.peer.heard[before:]:
            assert self.peer.table[net] == expected[net]
        assert not self.peer.idle

    def settle(self, budget: int = PLENTY) -> None:
        """Take slices for as long as there is anything to do."""
        while self.rib.pending:
            self.take(budget)

    def true(self) -> None:
        """What the core says of itself is so, finished or not."""
        expected = self.expected
        for family in (IPV4, IPV6):
            has, due = of(family, self.peer.table), of(family, expected)
            differs = {net for net in has | due if has.get(net) != due.get(net) or net in self.peer.again}
            assert len(has) == self.rib.sent(family)
            assert len(differs) <= self.rib.due(family) <= len({*has, *due, *of(family, table(self.wanted))})
            assert self.rib.pending or not differs
        for net in NETWORKS:
            assert (self.rib.why(family_of(net), nlri.encode(net)) is None) == (net in expected)


def of(family: Family, routes: dict[Network, T]) -> dict[Network, T]:
    return {net: route for net, route in routes.items() if family_of(net) == family}


def ran(steps: Iterable[tuple[str, object]]) -> Run:
    run = Run()
    for what, argument in steps:
        run.step(what, argument)
    return run


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=200, deadline=None)
def test_after_any_history_the_peer_holds_what_is_wanted_and_heard_each_end_once(
    steps: list[tuple[str, object]],
) -> None:
    run = ran(steps)
    if not run.is_up:
        run.step("up", None)
    run.settle()
    assert run.peer.table == run.expected
    assert run.peer.ended == [IPV4, IPV6]
    assert not run.peer.again
    assert run.rib.due(IPV4) == run.rib.due(IPV6) == 0
    assert run.rib.take(PLENTY) == []
    missing = len(run.wanted) - len(run.expected)
    assert sum(sum(run.rib.unsent(family).values()) for family in (IPV4, IPV6)) == missing


@given(st.lists(STEPS, max_size=15), WISHES, st.integers(130, 300), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_slices_come_to_the_same_as_one_piece(
    steps: list[tuple[str, object]], wanted: dict[str, Attributes | None], budget: int, work: int
) -> None:
    whole, sliced = ran([*steps, ("up", None), ("change", wanted)]), ran([*steps, ("up", None), ("change", wanted)])
    whole.settle()
    while sliced.rib.pending:
        sliced.take(budget, work)
        sliced.true()
    assert sliced.peer.table == whole.peer.table
    assert sliced.peer.heard == whole.peer.heard


@given(st.lists(STEPS, max_size=15))
@settings(max_examples=50, deadline=None)
def test_a_history_that_repeats_gives_the_same_octets(steps: list[tuple[str, object]]) -> None:
    assert everything(ran(steps).rib) == everything(ran(steps).rib)
