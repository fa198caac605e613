"""Whatever happens in whatever order, the peer's table comes to be what is wanted, and no octet more is said for it."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import origination
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6
from speakerd.bgp.frame import MOST
from speakerd.bgp.rib import Rib
from tests.unit.bgp.golden import BOTH
from tests.unit.bgp.receiver import HOPS, INTERNAL, PLENTY, Receiver, table, wish

PREFIXES = [f"10.0.{i}.0/{20 + i}" for i in (0, 4, 8)] + [f"192.0.2.{i}/32" for i in range(6)]
PREFIXES += ["0.0.0.0/0", "::/0", "2001:db8::/32"] + [f"2001:db8::{i}/128" for i in range(3)]
SAID = [
    Attributes(local_pref=100),
    Attributes(local_pref=200, communities=(1, 2)),
    Attributes(med=0, large=((1, 2, 3),)),
]
TOO_LONG = Attributes(communities=tuple(range(1020)))
WISHES = st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from([*SAID, TOO_LONG]), max_size=12)
STEPS = st.one_of(
    st.tuples(st.just("want"), WISHES),
    st.tuples(st.just("take"), st.integers(0, 200)),
    st.tuples(st.just("take"), st.just(MOST)),
    st.tuples(st.just("refresh"), st.sampled_from((IPV4, IPV6))),
    st.tuples(st.sampled_from(("up", "down", "drain", "serve", "withdraw_all")), st.none()),
)


class Run:
    """A core, the router at its other end, and what the core was told, kept in the plainest way."""

    def __init__(self) -> None:
        self.rib = Rib()
        self.peer = Receiver()
        self.wanted: dict[str, Attributes] = {}
        self.manner = "serve"
        self.is_up = False

    @property
    def expected(self) -> dict[str, Attributes]:
        """What the router is to know."""
        fitting = {net: said for net, said in self.wanted.items() if said is not TOO_LONG}
        match self.manner:
            case "withdraw_all":
                return {}
            case "drain":
                return {net: origination.shutdown(said) for net, said in fitting.items()}
        return fitting

    def step(self, what: str, given: object) -> None:
        match what, given:
            case "want", dict():
                self.wanted = given
                self.rib.want(wish(given))
            case "take", int():
                self.take(given)
            case "refresh", _:
                self.refresh(6 if given == IPV6 else 4)
            case "up", _:
                self.is_up, self.peer = True, Receiver()
                self.rib.up(INTERNAL, BOTH, HOPS, MOST)
            case "down", _:
                self.is_up, self.peer = False, Receiver()
                self.rib.down()
            case _:
                self.manner = what
                getattr(self.rib, what)()

    def refresh(self, version: int) -> None:
        self.peer.again |= {net for net in self.peer.table if net.version == version}
        self.rib.refresh(IPV6 if version == 6 else IPV4)

    def take(self, budget: int) -> None:
        """Take a slice: within its budget, of what is wanted now, and each word of it needed."""
        before = len(self.peer.heard)
        messages = self.rib.take(budget)
        assert sum(map(len, messages)) <= budget
        assert self.is_up or not messages
        self.peer.read(messages)
        wanted = table(self.expected)
        for net in self.peer.heard[before:]:
            assert self.peer.table[net] == wanted[net]
        assert not self.peer.idle
        counts = [sum(net.version == version for net in self.peer.table) for version in (4, 6)]
        assert counts == [self.rib.sent(IPV4), self.rib.sent(IPV6)]


def ran(steps: Iterable[tuple[str, object]]) -> Run:
    run = Run()
    for what, argument in steps:
        run.step(what, argument)
    return run


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=200)
def test_after_any_history_the_peer_holds_what_is_wanted_and_heard_each_end_once(
    steps: list[tuple[str, object]],
) -> None:
    run = ran(steps)
    if not run.is_up:
        run.step("up", None)
    run.take(PLENTY)
    assert run.peer.table == table(run.expected)
    assert run.peer.ended == [IPV4, IPV6]
    assert not run.peer.again
    assert not run.rib.pending
    assert run.rib.take(PLENTY) == []


@given(st.lists(STEPS, max_size=15), WISHES, st.integers(130, 300))
@settings(max_examples=100)
def test_slices_come_to_the_same_as_one_piece(
    steps: list[tuple[str, object]], wanted: dict[str, Attributes], budget: int
) -> None:
    whole, sliced = ran([*steps, ("up", None), ("want", wanted)]), ran([*steps, ("up", None), ("want", wanted)])
    whole.take(PLENTY)
    while sliced.rib.pending:
        sliced.take(budget)
    assert sliced.peer.table == whole.peer.table
    assert sliced.peer.heard == whole.peer.heard


@given(st.lists(STEPS, max_size=15))
@settings(max_examples=50)
def test_a_history_that_repeats_gives_the_same_octets(steps: list[tuple[str, object]]) -> None:
    assert ran(steps).rib.take(PLENTY) == ran(steps).rib.take(PLENTY)
