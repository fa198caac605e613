"""A decision with a memo ends where one without does, whatever changed in between."""

from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.decide import Memo, decide
from speakerd.decision import Plan
from speakerd.model import (
    IP,
    Advertisement,
    Config,
    Endpoints,
    Holder,
    Node,
    Pool,
    Range,
    Reservation,
    Service,
    ServiceRef,
    Sharing,
)
from speakerd.terms import digest
from tests.unit.deciding import FIRST, ips, lease, service, world

a_service = st.builds(
    lambda name, held, local, ours, version, key, port, by: replace(
        service(name, *held, local_policy=local, ours=ours, lapsed=not ours),
        resource_version=str(version),
        sharing=Sharing(key, ports=frozenset({("TCP", port)})) if key else None,
        advertised_by=by,
    ),
    st.sampled_from(["a1", "b1", "c2", "d3"]),
    st.lists(st.sampled_from(["10.0.0.0", "10.0.0.1", "10.0.0.2"]), max_size=1),
    st.booleans(),
    st.sampled_from([True, True, False]),
    st.integers(1, 9),
    st.sampled_from(["", "k"]),
    st.sampled_from([80, 443]),
    st.sampled_from([(), ("two",)]),
)
some_endpoints = st.dictionaries(
    st.sampled_from(["ns/a1", "ns/b1", "ns/c2"]),
    st.builds(Endpoints, st.booleans(), st.frozensets(st.sampled_from("abc")), st.frozensets(st.sampled_from("abc"))),
)
some_configs = st.builds(
    lambda pool, *advertisements: Config((pool,), tuple(filter(None, advertisements))),
    st.sampled_from([Pool("p", (Range(4, FIRST, FIRST + 3),)), Pool("q", (Range(4, FIRST, FIRST + 1),))]),
    st.sampled_from([Advertisement("all"), Advertisement("one", frozenset("p"), nodes=frozenset("ab"))]),
    st.sampled_from([None, Advertisement("two", nodes=frozenset("bc"), by_service=True, weights=(("b", 3),))]),
)
some_nodes = st.dictionaries(
    st.sampled_from("abc"), st.builds(Node, st.sampled_from("abc"), excluded=st.booleans())
).map(lambda found: {name: replace(each, name=name) for name, each in found.items()})
some_leases = st.dictionaries(
    st.sampled_from(ips("10.0.0.0", "10.0.0.1")),
    st.lists(
        st.builds(
            Holder,
            st.sampled_from([ServiceRef("ns/a1", "uid-a1"), ServiceRef("ns/b1", "uid-b1"), ServiceRef("x", "y")]),
            st.sampled_from(["", *(digest(Sharing("k", ports=frozenset({("TCP", port)}))) for port in (80, 443))]),
        ),
        min_size=1,
        max_size=2,
    ),
).map(lambda found: {ip: reduce(Reservation.joined, named, lease(ip)) for ip, named in found.items()})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(a_service, max_size=4),
            some_endpoints,
            some_nodes,
            st.one_of(st.none(), some_leases),
            st.booleans(),
            some_configs,
        ),
        max_size=6,
    )
)
def test_a_memo_never_changes_the_plan(
    history: list[
        tuple[list[Service], dict[str, Endpoints], dict[str, Node], dict[IP, Reservation] | None, bool, Config]
    ],
) -> None:
    memo = Memo()
    for services, endpoints, nodes, ledger, announce, config in history:
        snapshot = replace(
            world(services, nodes="ab"),
            endpoints=endpoints,
            nodes=nodes,
            ledger=ledger,
            announce=announce,
            config=config,
        )
        plan, memo = decide(snapshot, memo)
        fresh, _ = decide(snapshot, Memo())
        for part in ("assignments", "refused", "shared", "writes"):
            assert getattr(plan, part) == getattr(fresh, part), part
        assert set(plan.releases) == set(fresh.releases)
        assert set(plan.adoptions) == set(fresh.adoptions)
        assert resolved(plan) == resolved(fresh)


def resolved(plan: Plan) -> dict[bytes, object]:
    sets = plan.wanted.candidate_sets
    return {raw: (replace(vip, candidates=0), sets[vip.candidates]) for raw, vip in plan.wanted.vips.items()}
