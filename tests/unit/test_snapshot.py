"""The one door in: what the API says becomes the model, and what did not change stays one object."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd import settings as settings_
from speakerd.annotations import deprecated, request
from speakerd.config.resources import (
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
)
from speakerd.decision import Snapshot
from speakerd.exchange import Member
from speakerd.kube import objects
from speakerd.kube.objects import (
    Endpoint,
    EndpointConditions,
    Labelled,
    NodeAddress,
    NodeCondition,
    NodeStatus,
)
from speakerd.model import Endpoints, FamilyPolicy, Node, Reason, Request, Service, Sharing
from speakerd.settings import Settings
from speakerd.snapshot import Memo, build, endpoint_slice, node, service
from tests import wishes
from tests.unit.seen import META, api_service, api_slice, stores
from tests.wishes import Asked


def test_a_service_is_read_whole() -> None:
    annotations = {"metallb.io/ip-allocated-from-pool": "p", "metallb.io/address-pool": "q"}
    found = api_service(
        "10.0.0.1",
        "",
        metadata=replace(META, annotations=annotations),
        external_traffic_policy="Local",
        ip_family_policy="PreferDualStack",
    )
    assert service(found, "") == Service(
        "ns/web",
        "uid",
        "7",
        "2026-01-01T00:00:00Z",
        ours=True,
        local_policy=True,
        cluster_ips=(ip_address("10.96.0.1"), ip_address("fd96::1")),
        family_policy=FamilyPolicy.PREFER_DUAL,
        ips=(ip_address("10.0.0.1"),),
        pool="p",
        request=Request(pool="q"),
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [("", "", True), ("x", "x", True), ("x", "", None), ("", "x", None)]
)
def test_only_services_of_our_class_are_ours(ours: str, theirs: str, expected: bool | None) -> None:
    found = service(api_service(load_balancer_class=theirs), ours)
    assert (found.ours if found else None) is expected


def test_a_foreign_service_counts_while_it_holds_an_address() -> None:
    found = service(api_service("10.0.0.1", load_balancer_class="theirs"), "")
    assert found
    assert (found.ours, found.lapsed) == (False, False)


def test_another_type_counts_while_status_or_annotation_remember_us() -> None:
    annotated = replace(META, annotations={"metallb.io/ip-allocated-from-pool": "p"})
    for found in (api_service("10.0.0.1", type="ClusterIP"), api_service(metadata=annotated, type="NodePort")):
        seen = service(found, "")
        assert seen
        assert (seen.ours, seen.lapsed) == (False, True)
    assert service(api_service(type="ClusterIP"), "") is None


def test_a_service_being_deleted_keeps_what_it_has_and_gets_nothing_new() -> None:
    leaving = replace(META, deletion_timestamp="2026-01-02T00:00:00Z")
    holder = service(api_service("10.0.0.1", metadata=leaving), "")
    assert holder
    assert holder.ours
    assert service(api_service(metadata=leaving), "") is None


def test_a_headless_service_has_no_cluster_ip() -> None:
    found = service(api_service(cluster_ips=(), cluster_ip="None"), "")
    assert found
    assert found.cluster_ips == ()


@pytest.mark.parametrize("prefix", ["metallb.io", "metallb.universe.tf"])
@pytest.mark.parametrize(
    ("policy", "selector", "backend"),
    [("Cluster", {"b": "2", "a": "1"}, ""), ("Local", {"b": "2", "a": "1"}, "a=1,b=2"), ("Local", None, "")],
)
def test_services_share_by_key_and_ports_and_under_policy_local_also_by_selector(
    prefix: str, policy: str, selector: dict[str, str] | None, backend: str
) -> None:
    ports = (objects.ServicePort("TCP", 80), objects.ServicePort("UDP", 53))
    found = api_service(external_traffic_policy=policy, selector=selector, ports=ports)
    shared = replace(found, metadata=replace(found.metadata, annotations={f"{prefix}/allow-shared-ip": "k"}))
    seen, alone = service(shared, ""), service(found, "")
    assert seen
    assert alone
    assert seen.sharing == Sharing("k", backend, frozenset({("TCP", 80), ("UDP", 53)}))
    assert alone.sharing is None


@pytest.mark.parametrize(
    ("annotations", "ip", "expected"),
    [
        ({}, "", Request()),
        ({}, "10.0.0.1", Request((ip_address("10.0.0.1"),))),
        ({"metallb.io/loadBalancerIPs": "10.0.0.1"}, "", Request((ip_address("10.0.0.1"),))),
        (
            {"metallb.io/loadBalancerIPs": "fd00::1, 10.0.0.1"},
            "",
            Request((ip_address("fd00::1"), ip_address("10.0.0.1"))),
        ),
        ({"metallb.universe.tf/address-pool": "p"}, "", Request(pool="p")),
        ({"metallb.io/address-pool": "", "metallb.universe.tf/address-pool": "p"}, "", Request()),
        ({"metallb.io/loadBalancerIPs": "::ffff:10.0.0.1"}, "", Request((ip_address("10.0.0.1"),))),
    ],
)
def test_requests_are_read_in_every_spelling(annotations: dict[str, str], ip: str, expected: Request) -> None:
    assert request(annotations, ip) == expected


@pytest.mark.parametrize(
    ("text", "ip", "reason"),
    [
        ("10.0.0.1", "10.0.0.1", Reason.TWO_REQUESTS),
        ("10.0.0", "", Reason.MALFORMED_ADDRESS),
        ("10.0.0.1,", "", Reason.MALFORMED_ADDRESS),
        ("", "host.example", Reason.MALFORMED_ADDRESS),
        ("fe80::1%eth0", "", Reason.MALFORMED_ADDRESS),
        ("10.0.0.1,10.0.0.2", "", Reason.BAD_COMBINATION),
        ("10.0.0.1,fd00::1,fd00::2", "", Reason.BAD_COMBINATION),
        ("," * 100_000, "", Reason.BAD_COMBINATION),
    ],
)
def test_a_request_that_cannot_be_read_says_why(text: str, ip: str, reason: Reason) -> None:
    found = request({"metallb.io/loadBalancerIPs": text, "metallb.io/address-pool": "p"}, ip)
    assert (found.ips, found.pool, found.reason) == ((), "p", reason)
    assert len(found.message) < 200


def test_annotations_that_count_in_the_old_spelling_are_known() -> None:
    old = {"metallb.universe.tf/address-pool": "p", "metallb.universe.tf/allow-shared-ip": "k"}
    assert deprecated(old) == ("metallb.universe.tf/address-pool", "metallb.universe.tf/allow-shared-ip")
    assert deprecated({**old, "metallb.io/address-pool": ""}) == ("metallb.universe.tf/allow-shared-ip",)
    assert deprecated({"metallb.universe.tf/other": "x"}) == ()


@pytest.mark.parametrize("asked", wishes.VALID.values(), ids=wishes.VALID.keys())
def test_a_wish_in_a_valid_form_is_read(asked: Asked) -> None:
    assert request(asked.annotations, asked.field).reason == Reason.NONE


@pytest.mark.parametrize(("reason", "asked"), wishes.INVALID.values(), ids=wishes.INVALID.keys())
def test_a_wish_in_an_invalid_form_is_refused_with_its_reason(reason: Reason, asked: Asked) -> None:
    assert request(asked.annotations, asked.field).reason == reason


@pytest.mark.parametrize(
    ("ready", "serving", "serves"),
    [(None, None, True), (True, None, True), (False, True, True), (False, None, False), (False, False, False)],
)
def test_an_endpoint_serves_when_ready_or_serving_says_so(
    ready: bool | None, serving: bool | None, serves: bool
) -> None:
    found = endpoint_slice(api_slice("s", "web", Endpoint(EndpointConditions(ready, serving), "a")))
    assert found
    ready_here = frozenset("a" if ready is not False else "")
    assert found.endpoints == (Endpoints(True, frozenset("a"), ready_here) if serves else Endpoints())


def test_a_node_is_ready_as_long_as_one_endpoint_there_is_not_ending() -> None:
    ending, ready = EndpointConditions(ready=False, serving=True), EndpointConditions(ready=True, serving=True)
    ends = (Endpoint(ending, "a"), Endpoint(ready, "a"), Endpoint(ending, "b"))
    found = endpoint_slice(api_slice("s", "web", *ends))
    assert found
    assert found.endpoints == Endpoints(True, frozenset("ab"), frozenset("a"))


def test_an_endpoint_without_a_node_serves_somewhere() -> None:
    found = endpoint_slice(api_slice("s", "web", Endpoint()))
    assert found
    assert found.endpoints == Endpoints(True)
    assert endpoint_slice(api_slice("s", "")) is None


def test_a_node_is_excluded_by_label_and_unavailable_by_condition() -> None:
    label = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}
    conditions = (NodeCondition("Ready", "False"), NodeCondition("NetworkUnavailable", "True"))
    addresses = (NodeAddress("Hostname", "a"), NodeAddress("InternalIP", "192.0.2.1"))
    found = node(objects.Node(Labelled("a", uid="u", labels=label), NodeStatus(conditions, addresses)))
    assert found == Node("a", "u", excluded=True, network_unavailable=True, addresses=("192.0.2.1",))
    assert node(objects.Node(Labelled("a"))) == Node("a")


def test_the_slices_of_a_service_are_one_and_vanish_with_the_last() -> None:
    one, two = api_slice("one", "web", Endpoint(node_name="a")), api_slice("two", "web", Endpoint(node_name="b"))
    slices = {"ns/one": one, "ns/two": two}
    seen, memo = build(stores(slices=slices), Settings(), Memo())
    settings = memo.settings
    assert seen.endpoints == {"ns/web": Endpoints(True, frozenset("ab"), frozenset("ab"))}
    slices["ns/two"] = api_slice("two", "other", Endpoint(node_name="b"))
    seen, memo = build(stores(slices=slices), settings, memo)
    one_each = {"ns/web": Endpoints(True, frozenset("a"), frozenset("a"))}
    assert seen.endpoints == one_each | {"ns/other": Endpoints(True, frozenset("b"), frozenset("b"))}
    slices.clear()
    seen, memo = build(stores(slices=slices), settings, memo)
    assert not seen.endpoints


def test_members_are_known_by_the_node_they_record() -> None:
    lease = objects.Lease(replace(META, name="speakerd-node-a"), objects.LeaseSpec(holder_identity="a"))
    seen, _ = build(stores(members={"ns/speakerd-node-a": lease}), Settings(), Memo())
    assert seen.members == {"a": Member("a")}


def test_pools_of_file_and_cluster_are_one_configuration() -> None:
    in_file = settings_.FilePool(name="f", addresses=("10.1.0.0/24",))
    pool = IPAddressPool(replace(META, name="c"), IPAddressPoolSpec(("10.2.0.0/24",)))
    settings = Settings(address_pools=(in_file,))
    seen, memo = build(stores(), settings, Memo())
    assert [each.name for each in seen.config.pools] == ["f"]
    seen, memo = build(stores(pools={"ns/c": pool}), settings, memo)
    assert [each.name for each in seen.config.pools] == ["c", "f"]
    again, memo = build(stores(pools={"ns/c": pool}), settings, memo)
    assert again.config is seen.config


def selecting(name: str, **spec: object) -> dict[str, L2Advertisement]:
    return {f"ns/{name}": L2Advertisement(Metadata(name, "ns"), replace(L2AdvertisementSpec(), **spec))}


def labelled_nodes(**labels: dict[str, str]) -> dict[str, objects.Node]:
    return {name: objects.Node(Labelled(name, labels=own)) for name, own in labels.items()}


def test_a_label_that_a_selector_asks_for_changes_the_configuration_and_no_other_does() -> None:
    spec = {"node_selectors": (LabelSelector({"zone": "a"}),)}
    kinds: dict[str, Mapping[str, object]] = {"advertisements": selecting("l", **spec)}
    settings = Settings()
    kinds["nodes"] = labelled_nodes(n1={"zone": "a"}, n2={"zone": "b"})
    first, memo = build(stores(**kinds), settings, Memo())
    assert first.config.advertisements[0].nodes == frozenset({"n1"})
    kinds["nodes"] = labelled_nodes(n1={"zone": "a", "rack": "7"}, n2={"zone": "b"})
    second, memo = build(stores(**kinds), settings, memo)
    assert second.config is first.config
    assert second.nodes is first.nodes
    kinds["nodes"] = labelled_nodes(n1={"zone": "a"}, n2={"zone": "a"})
    third, memo = build(stores(**kinds), settings, memo)
    assert third.config.advertisements[0].nodes == frozenset({"n1", "n2"})


def test_without_selectors_the_labels_of_nodes_change_nothing() -> None:
    settings = Settings()
    first, memo = build(stores(nodes=labelled_nodes(n1={"zone": "a"})), settings, Memo())
    second, memo = build(stores(nodes=labelled_nodes(n1={"zone": "b"})), settings, memo)
    assert second.config is first.config
    assert second.nodes is first.nodes


def test_a_service_knows_the_advertisements_that_choose_it_by_label() -> None:
    web = replace(META, labels={"app": "web"})
    kinds: dict[str, Mapping[str, object]] = {"services": {"ns/web": api_service("10.0.0.1", metadata=web)}}
    settings = Settings()
    before, memo = build(stores(**kinds), settings, Memo())
    assert before.services["ns/web"].advertised_by == ()
    kinds["advertisements"] = {
        **selecting("l", service_selectors=(LabelSelector({"app": "web"}),)),
        **selecting("m", service_selectors=(LabelSelector({"app": "other"}),)),
        **selecting("all"),
    }
    seen, memo = build(stores(**kinds), settings, memo)
    assert seen.services["ns/web"].advertised_by == ("l",)
    kinds["advertisements"] = selecting("all")
    after, memo = build(stores(**kinds), settings, memo)
    assert after.services["ns/web"].advertised_by == ()


def test_selectors_of_the_settings_file_count_too() -> None:
    chosen = LabelSelector({"app": "web"})
    own = settings_.FileL2Advertisement(name="f", node_selectors=(chosen,), service_selectors=(chosen,))
    web = replace(META, labels={"app": "web"})
    kinds: dict[str, Mapping[str, object]] = {"services": {"ns/web": api_service("10.0.0.1", metadata=web)}}
    kinds["nodes"] = labelled_nodes(n1={"app": "web"}, n2={})
    seen, _ = build(stores(**kinds), Settings(l2_advertisements=(own,)), Memo())
    assert seen.services["ns/web"].advertised_by == ("f",)
    assert seen.config.advertisements[0].nodes == frozenset({"n1"})


def both(first: str, second: str) -> tuple[Snapshot, Snapshot]:
    """Two looks at a store whose Service `two` was changed in place in between."""
    services = {f"ns/{n}": api_service(first, metadata=replace(META, name=n)) for n in ("one", "two")}
    slices = {"ns/s": api_slice("s", "one", Endpoint(node_name="a"))}
    kinds: dict[str, Mapping[str, object]] = {"services": services, "slices": slices}
    kinds["nodes"] = {"a": objects.Node(Labelled("a"))}
    settings = Settings()
    before, memo = build(stores(**kinds), settings, Memo())
    services["ns/two"] = api_service(second, metadata=replace(META, name="two"))
    after, _ = build(stores(**kinds), settings, memo)
    return before, after


def test_what_did_not_change_stays_one_object() -> None:
    before, after = both("10.0.0.1", "10.0.0.2")
    assert after.services["ns/one"] is before.services["ns/one"]
    assert after.services["ns/two"] != before.services["ns/two"]
    assert after.endpoints is before.endpoints
    assert after.nodes is before.nodes
    assert after.config is before.config


def test_a_snapshot_does_not_change_when_the_store_does() -> None:
    before, _ = both("10.0.0.1", "10.0.0.2")
    assert before.services["ns/two"].ips == (ip_address("10.0.0.1"),)


def test_equal_objects_are_no_change() -> None:
    before, after = both("10.0.0.1", "10.0.0.1")
    assert after.services is before.services


def test_settings_are_carried_into_the_snapshot() -> None:
    settings = Settings(node=settings_.Node("me"), announce="none", layer2=settings_.Layer2(refresh=5.0))
    seen, _ = build(replace(stores(), settled=False, row_version=9), settings, Memo())
    assert (seen.me, seen.announce, seen.layer2.refresh) == ("me", False, 5.0)
    assert (seen.settled, seen.row_version, seen.ledger) == (False, 9, None)
