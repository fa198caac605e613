"""What is for some Services alone, and kinds that are watched where something asks for them."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from speakerd.config import secrets
from speakerd.config.resources import (
    BGPPeerSpec,
    ConfigMap,
    IPAddressPool,
    IPAddressPoolSpec,
    LabelSelector,
    Metadata,
    SecretReference,
    ServiceAllocation,
)
from speakerd.kube import objects
from speakerd.kube.objects import (
    ON_DEMAND,
    Labelled,
)
from speakerd.peering import Password
from speakerd.settings import Settings
from speakerd.snapshot import Memo, Stores, build
from tests.unit.seen import META, api_service, stores


def pinned(name: str, **allocation: object) -> dict[str, IPAddressPool]:
    spec = IPAddressPoolSpec(("10.0.0.0/24",), service_allocation=replace(ServiceAllocation(), **allocation))
    return {f"ns/{name}": IPAddressPool(Metadata(name, "ns"), spec)}


WEB, TEAM = LabelSelector({"app": "web"}), LabelSelector({"team": "a"})


@pytest.mark.parametrize(
    ("allocation", "admitted"),
    [
        ({}, True),
        ({"namespaces": ("ns",)}, True),
        ({"namespaces": ("other",)}, False),
        ({"service_selectors": (LabelSelector({"app": "x"}), WEB)}, True),
        ({"service_selectors": (LabelSelector({"app": "x"}),)}, False),
        ({"namespaces": ("other",), "service_selectors": (WEB,)}, False),
        ({"namespace_selectors": (TEAM,)}, True),
        ({"namespace_selectors": (LabelSelector({"team": "b"}),)}, False),
        ({"namespace_selectors": (LabelSelector({"team": "b"}),), "namespaces": ("ns",)}, True),
    ],
)
def test_a_service_knows_the_pools_that_are_for_it(allocation: dict[str, object], admitted: bool) -> None:
    web = api_service(metadata=replace(META, labels={"app": "web"}))
    found = stores(services={"ns/web": web}, pools=pinned("p", **allocation), namespaces=namespaces(ns={"team": "a"}))
    seen, _ = build(replace(found, known=ON_DEMAND), Settings(), Memo())
    assert seen.services["ns/web"].admitted_by == (("p",) if admitted else ())


def namespaces(**labels: dict[str, str]) -> dict[str, objects.Namespace]:
    return {name: objects.Namespace(Labelled(name, labels=own)) for name, own in labels.items()}


def test_a_label_of_a_namespace_counts_as_soon_as_it_is_there_and_before_any_is_known_nothing_is_decided() -> None:
    kinds = stores(services={"ns/web": api_service()}, pools=pinned("p", namespace_selectors=(TEAM,)))
    settings = Settings()
    first, memo = build(kinds, settings, Memo())
    assert not first.settled
    assert "Namespace" in memo.asks
    kinds = replace(kinds, namespaces=namespaces(ns={}), known=ON_DEMAND)
    second, memo = build(kinds, settings, memo)
    assert (second.settled, second.services["ns/web"].admitted_by) == (True, ())
    third, memo = build(replace(kinds, namespaces=namespaces(ns={"team": "a"})), settings, memo)
    assert third.services["ns/web"].admitted_by == ("p",)


def test_where_namespaces_may_not_be_read_holders_keep_what_a_pool_for_them_gave() -> None:
    mark = {"metallb.io/ip-allocated-from-pool": "p"}
    holder = api_service("10.0.0.1", metadata=replace(META, name="held", annotations=mark))
    services = {"ns/held": holder, "ns/web": api_service()}
    kinds = stores(services=services, pools=pinned("p", namespace_selectors=(TEAM,)))
    seen, _ = build(replace(kinds, known=ON_DEMAND), Settings(), Memo())
    assert {key: each.admitted_by for key, each in seen.services.items()} == {"ns/held": ("p",), "ns/web": ()}


def test_without_a_pool_for_some_namespaces_these_are_not_waited_for() -> None:
    seen, memo = build(stores(pools=pinned("p", namespaces=("ns",))), Settings(), Memo())
    assert seen.settled
    assert "Namespace" not in memo.asks


def test_what_advertises_by_bgp_is_waited_for_once_there_is_a_peer() -> None:
    pools = pinned("p", namespaces=("ns",))
    seen, memo = build(stores(pools=pools), Settings(), Memo())
    assert seen.settled
    assert memo.asks == {"BGPPeer"}
    peer = objects.BGPPeer(Metadata("tor", "metallb-system"), BGPPeerSpec(64512, 64513, peer_address="192.0.2.1"))
    known = stores(pools=pools, peers={"tor": peer})
    seen, memo = build(known, Settings(), Memo())
    assert memo.asks == {"BGPPeer", "BGPAdvertisement", "BFDProfile", "Community"}
    assert not seen.settled
    seen, _ = build(replace(known, known=ON_DEMAND), Settings(), memo)
    assert seen.settled


def tor(name: str = "tor", **spec: object) -> objects.BGPPeer:
    plain = BGPPeerSpec(64512, 64513, peer_address="192.0.2.1")
    return objects.BGPPeer(Metadata(name, "metallb-system"), replace(plain, **spec))


NAMED = SecretReference("s")


def watched(**kinds: Mapping[str, object]) -> Stores:
    """All that can be watched is known."""
    return replace(stores(**kinds), known=ON_DEMAND)


def test_passwords_are_known_by_peer_from_a_secret_or_as_written_and_shown_nowhere() -> None:
    peers = {"tor": tor(password_secret=NAMED), "old": tor("old", password="inline"), "bare": tor("bare")}
    given = watched(peers=peers, passwords={"s": Password(b"hunter2")}, secrets={"s": ""})
    settings = Settings()
    seen, memo = build(given, settings, Memo(settings))
    assert seen.passwords == {"tor": Password(b"hunter2"), "old": Password(b"inline")}
    assert memo.secrets("a") == {"s"}
    again, _ = build(replace(given, row_version=9), settings, memo)
    assert again.passwords is seen.passwords
    assert "hunter2" not in repr(seen) + repr(given)
    assert "inline" not in repr(seen) + repr(given)


def test_a_secret_that_is_not_there_is_a_warning_and_one_that_holds_no_password_takes_the_peer_out() -> None:
    settings, given = Settings(), watched(peers={"tor": tor(password_secret=NAMED)})
    seen, memo = build(given, settings, Memo(settings))
    assert (seen.config.problems, len(seen.config.routing.peers)) == ((), 1)
    seen, memo = build(replace(given, secrets={"s": secrets.MISSING}), settings, memo)
    told = [(each.field, each.reason, each.severity) for each in seen.config.problems]
    assert told == [("spec.passwordSecret", "missing-secret", "warning")]
    assert len(seen.config.routing.peers) == 1
    seen, memo = build(replace(given, secrets={"s": "has no key password"}), settings, memo)
    assert [each.severity for each in seen.config.problems] == ["error"]
    assert seen.config.routing.peers == ()
    assert memo.secrets("a") == {"s"}, "it is watched on, or nobody would see that it is mended"


def test_only_secrets_of_peers_that_select_this_node_are_asked_for() -> None:
    chosen = tor(password_secret=NAMED, node_selectors=(LabelSelector({"rack": "1"}),))
    nodes = {name: objects.Node(Labelled(name, labels={"rack": rack})) for name, rack in (("a", "1"), ("b", "2"))}
    settings, given = Settings(), watched(peers={"tor": chosen}, nodes=nodes)
    _, memo = build(given, settings, Memo(settings))
    assert [sorted(memo.secrets(name)) for name in ("a", "b", "unknown")] == [["s"], [], []]
    quiet = Settings(announce="none")
    _, memo = build(given, quiet, Memo(quiet))
    assert memo.secrets("a") == frozenset()


def config_map(text: str) -> ConfigMap:
    return ConfigMap(Metadata("config", "metallb-system"), {"config": text})


OLD = "address-pools: [{name: p, protocol: layer2, addresses: [10.0.0.0/24]}]"


def test_the_legacy_config_map_counts_where_there_is_no_resource_and_stays_as_it_was_after_a_slip() -> None:
    settings, known = Settings(), replace(stores(legacy={"config": config_map(OLD)}), known=ON_DEMAND)
    seen, memo = build(known, settings, Memo(settings))
    assert "ConfigMap" in memo.asks
    assert [each.name for each in seen.config.pools] == ["p"]
    for slip in ("peers: 7", "peers: [", "address-pools: [{name: p, protocol: layer2}]"):
        seen, memo = build(replace(known, legacy={"config": config_map(f"{OLD}\n{slip}")}), settings, memo)
        assert [each.name for each in seen.config.pools] == ["p"]
        assert any(each.severity == "error" for each in seen.config.problems)
    pool = IPAddressPool(Metadata("new", "metallb-system"), IPAddressPoolSpec(("10.1.0.0/24",)))
    seen, memo = build(replace(known, pools={"new": pool}), settings, memo)
    assert [each.name for each in seen.config.pools] == ["new"]
    assert "ConfigMap" not in memo.asks
    seen, _ = build(replace(known, legacy={}, known=ON_DEMAND - {"ConfigMap"}), settings, memo)
    assert not seen.settled, "whether there is one is not known yet"


def test_whom_a_faulty_pool_is_for_is_as_it_was_when_it_was_good() -> None:
    settings, web = Settings(), api_service("10.0.0.1")
    good = IPAddressPoolSpec(("10.0.0.0/24",), service_allocation=ServiceAllocation(namespaces=("ns",)))
    pool = IPAddressPool(Metadata("p", "metallb-system"), good)
    known = stores(services={"ns/web": web}, pools={"p": pool})
    seen, memo = build(known, settings, Memo(settings))
    assert seen.services["ns/web"].admitted_by == ("p",)
    slip = replace(pool, spec=replace(good, addresses=("10.0.0.0/24", "oops"), service_allocation=None))
    seen, memo = build(replace(known, pools={"p": slip}), settings, memo)
    assert [each.pinned for each in seen.config.pools] == [True]
    assert seen.services["ns/web"].admitted_by == ("p",)
    assert any(each.severity == "error" for each in seen.config.problems)
    seen, _ = build(
        replace(known, pools={"p": replace(pool, spec=replace(good, service_allocation=None))}), settings, memo
    )
    assert (seen.config.pools[0].pinned, seen.config.problems) == (False, seen.config.problems)
    assert not any(each.severity == "error" for each in seen.config.problems)
