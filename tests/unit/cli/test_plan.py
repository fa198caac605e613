"""`speakerd plan`: its JSON and exit codes are promises; it is the agent's own decision, carried out to its end."""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.cli import main

Object = dict[str, Any]


def pool(name: str, *addresses: str, **spec: object) -> Object:
    metadata = {"name": name, "namespace": "metallb-system"}
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": metadata,
        "spec": {"addresses": [*addresses], **spec},
    }


def advertisement(name: str = "l2", **spec: object) -> Object:
    metadata = {"name": name, "namespace": "metallb-system"}
    return {"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": metadata, "spec": spec}


def node(name: str, **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def service(
    name: str, *held: str, age: int = 0, annotations: Mapping[str, str] | None = None, **spec: object
) -> Object:
    """A Service of type LoadBalancer with one IPv4 cluster IP."""
    metadata = {"name": name, "namespace": "default", "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata | ({"annotations": dict(annotations)} if annotations else {}),
        "spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.1"], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in held]}},
    }


def endpoints(name: str, *nodes: str) -> Object:
    where = [{"addresses": ["10.1.0.1"], "nodeName": each, "conditions": {"ready": True}} for each in nodes]
    metadata = {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "endpoints": where}


class Plan:
    """Runs `speakerd plan` on objects."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = monkeypatch, capsys

    def __call__(self, *objects: Object, options: tuple[str, ...] = (), code: int = 0) -> Object:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]})
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["plan", "-f", "-", "-o", "json", *options]) == code
        found: Object = json.loads(self._capsys.readouterr().out)
        return found


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plan:
    return Plan(monkeypatch, capsys)


def told(found: Object) -> dict[str, tuple[str, list[str], str]]:
    """Result, addresses and reason of each Service."""
    return {each["name"]: (each["result"], each["ips"], each["reason"]) for each in found["services"]}


P1 = pool("p1", "10.0.0.1-10.0.0.2")
WEB = service("web")


@pytest.mark.parametrize(
    ("spec", "ips"),
    [
        ({}, ["10.0.0.0"]),
        ({"ipFamilies": ["IPv6"]}, ["fd00::"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["10.0.0.0", "fd00::"]),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}, ["fd00::", "10.0.0.0"]),
    ],
)
def test_a_manifest_is_taken_as_the_api_server_would_create_it(plan: Plan, spec: Object, ips: list[str]) -> None:
    manifest = service("web", **spec)
    del manifest["spec"]["clusterIPs"]
    two = {**P1, "spec": {"addresses": ["10.0.0.0/24", "fd00::/120"]}}
    (found,) = plan(two, advertisement(), manifest)["services"]
    assert (found["result"], sorted(found["ips"])) == ("assigned", sorted(ips))


def test_a_cluster_comes_to_what_the_contract_shows(plan: Plan) -> None:
    found = plan(P1, advertisement(), node("a"), node("b"), WEB, endpoints("web", "a"))
    assert found == {
        "valid": True,
        "problems": [],
        "services": [
            {
                "namespace": "default",
                "name": "web",
                "result": "assigned",
                "ips": ["10.0.0.1"],
                "pool": "p1",
                "reason": "",
                "message": "",
                "events": [{"type": "Normal", "reason": "IPAllocated", "message": 'Assigned IP ["10.0.0.1"]'}],
                "announce": [
                    {"protocol": "layer2", "ip": "10.0.0.1", "candidates": ["a", "b"], "owner": "a", "reason": ""}
                ],
            }
        ],
        "pools": [
            {
                "name": "p1",
                "total": 2,
                "inUse": 1,
                "ipv4": {"total": 2, "inUse": 1},
                "ipv6": {"total": 0, "inUse": 0},
            }
        ],
        "moves": [],
    }


def test_every_result_has_its_word(plan: Plan) -> None:
    found = plan(
        pool("p1", "10.0.0.1-10.0.0.2"),
        service("kept", "10.0.0.2"),
        service("lost", "192.0.2.1", age=2),
        service("new", age=1),
        service("none", age=3),
        service("released", "10.0.0.9", type="ClusterIP"),
        service("not-entitled", "10.0.0.9", ipFamilyPolicy="RequireDualStack"),
        service("class", loadBalancerClass="x/y"),
        service("plain", type="ClusterIP"),
    )
    assert told(found) == {
        "kept": ("kept", ["10.0.0.2"], ""),
        "new": ("assigned", ["10.0.0.1"], ""),
        "lost": ("lost", [], "no-free-address"),
        "none": ("refused", [], "no-free-address"),
        "released": ("released", [], ""),
        "not-entitled": ("released", [], "dual-stack-required-but-one-cluster-address"),
        "class": ("ignored", [], ""),
        "plain": ("ignored", [], ""),
    }


def test_an_address_that_comes_free_goes_to_who_waits(plan: Plan) -> None:
    found = plan(pool("p1", "10.0.0.1/32"), service("gone", "10.0.0.1", type="ClusterIP"), service("waits"))
    assert told(found)["waits"] == ("assigned", ["10.0.0.1"], "")


def test_services_share_an_address_and_a_pool_counts_it_once(plan: Plan) -> None:
    key = {"metallb.io/allow-shared-ip": "k"}
    one = service("one", annotations=key, ports=[{"port": 80, "protocol": "TCP"}])
    two = service("two", annotations=key, ports=[{"port": 80, "protocol": "UDP"}])
    found = plan(P1, one, two)
    assert {ips[0] for _, ips, _ in told(found).values()} == {"10.0.0.1"}
    assert found["pools"][0]["inUse"] == 1


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ((endpoints("web", "a"),), "no-advertisement"),
        ((advertisement(),), "no-endpoints"),
        ((advertisement(), endpoints("web", "elsewhere")), "no-local-endpoints"),
        (
            (advertisement(nodeSelectors=[{"matchLabels": {"rack": "9"}}]), endpoints("web", "a")),
            "no-candidate",
        ),
    ],
)
def test_why_an_address_is_not_announced(plan: Plan, objects: tuple[Object, ...], reason: str) -> None:
    found = plan(P1, node("a", rack="1"), service("web", externalTrafficPolicy="Local"), *objects)
    assert found["services"][0]["announce"] == [
        {"protocol": "layer2", "ip": "10.0.0.1", "candidates": [], "owner": "", "reason": reason}
    ]


def bgp(kind: str, name: str, version: str = "v1beta1", **spec: object) -> Object:
    metadata = {"name": name, "namespace": "metallb-system"}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


PEER = bgp("BGPPeer", "peer1", "v1beta2", myASN=64500, peerASN=64501, peerAddress="192.0.2.1")


def test_what_is_announced_by_bgp_is_told_by_node_and_not_as_a_fault_of_layer_2(plan: Plan) -> None:
    route = bgp("BGPAdvertisement", "bgp", communities=["65535:65281"], nodeSelectors=[{"matchLabels": {"rack": "1"}}])
    found = plan(P1, PEER, route, node("a", rack="1"), node("b"), WEB, endpoints("web", "b"))
    told_of = {
        "protocol": "bgp",
        "prefix": "10.0.0.1/32",
        "node": "a",
        "peers": ["peer1"],
        "localPref": 0,
        "communities": ["65535:65281"],
        "reason": "",
    }
    assert found["services"][0]["announce"] == [told_of]
    noted = {"annotations": {"speakerd.io/med": "0", "speakerd.io/as-path-prepend": "3"}}
    asked = {**route, "metadata": {**route["metadata"], **noted}}
    found = plan(P1, PEER, asked, node("a", rack="1"), node("b"), WEB, endpoints("web", "b"))
    assert found["services"][0]["announce"] == [told_of | {"med": 0, "asPathPrepend": 3}]
    both = plan(P1, PEER, route, advertisement(), node("a", rack="1"), node("b"), WEB, endpoints("web", "b"))
    assert [each["protocol"] for each in both["services"][0]["announce"]] == ["layer2", "bgp"]
    dead = plan(P1, PEER, route, node("a", rack="1"), node("b"), WEB, endpoints("web", "b"), options=("--down", "a"))
    assert [each["reason"] for each in dead["services"][0]["announce"]] == ["node-not-selected"]


def test_objects_of_others_that_are_called_alike_are_not_planned(plan: Plan) -> None:
    other = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": WEB["metadata"]}
    assert told(plan(P1, WEB, other)) == {"web": ("assigned", ["10.0.0.1"], "")}


def test_a_dead_node_is_succeeded_and_the_move_is_told(plan: Plan) -> None:
    world = (P1, advertisement(), node("a"), node("b"), WEB, endpoints("web", "a"))
    found = plan(*world, options=("--down", "a"))
    assert found["services"][0]["announce"][0]["owner"] == "b"
    assert found["moves"] == [{"ip": "10.0.0.1", "from": "a", "to": "b", "cause": "owner-dead"}]
    found = plan(*world, options=("--down", "a", "--down", "b"))
    assert found["services"][0]["announce"][0]["reason"] == "no-candidate"
    assert found["moves"] == [{"ip": "10.0.0.1", "from": "a", "to": "", "cause": "owner-dead"}]


def test_of_one_node_only_what_it_announces_is_told(plan: Plan) -> None:
    world = (P1, advertisement(), node("a"), node("b"), WEB, endpoints("web", "a"))
    assert [plan(*world, options=("--node", name))["services"][0]["announce"] != [] for name in "ab"] == [True, False]


def test_what_is_wrong_is_told_and_the_rest_is_planned(plan: Plan) -> None:
    unreadable = {**service("odd"), "spec": {"type": 7}}
    found = plan(P1, pool("p2", "10.0.0.1/40"), WEB, unreadable, code=1)
    assert not found["valid"]
    assert {(each["object"], each["reason"]) for each in found["problems"] if each["severity"] == "error"} == {
        ("IPAddressPool/metallb-system/p2", "malformed-address"),
        ("Service/default/odd", "wrong-type"),
    }
    assert told(found) == {"web": ("assigned", ["10.0.0.1"], "")}


def test_without_a_running_agent_a_plan_of_what_it_sees_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert main(["plan", "--run", str(tmp_path_factory.mktemp("none"))]) == 3
    assert "no agent answers" in capsys.readouterr().err


def vip_lease(ip: str, *services: str, namespace: str = "metallb-system") -> Object:
    """The Lease of an address, by which these Services have it."""
    metadata = {
        "name": f"speakerd-vip-{ip.replace('.', '-')}",
        "namespace": namespace,
        "uid": "u",
        "labels": {"speakerd.io/kind": "vip"},
        "annotations": {"speakerd.io/service": ",".join(f"default/{each}/" for each in services)},
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


def test_what_the_leases_of_addresses_reserve_is_theirs(plan: Plan) -> None:
    last = pool("p1", "10.0.0.1-10.0.0.3")
    assert told(plan(last, WEB, vip_lease("10.0.0.2", "web"))) == {"web": ("assigned", ["10.0.0.2"], "")}
    assert told(plan(last, WEB, vip_lease("10.0.0.1", "gone"))) == {"web": ("assigned", ["10.0.0.2"], "")}


def test_other_leases_are_of_no_concern(plan: Plan) -> None:
    elsewhere = vip_lease("10.0.0.1", "gone", namespace="else")
    of_a_node = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a"},
        "spec": {"renewTime": 7},
    }
    assert told(plan(P1, WEB, elsewhere, of_a_node)) == {"web": ("assigned", ["10.0.0.1"], "")}


def test_people_are_told_in_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    objects = [P1, advertisement(), node("a"), node("b"), WEB, endpoints("web", "a")]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["plan", "-f", "-", "--down", "a"]) == 0
    out = capsys.readouterr().out
    for words in ("default/web  assigned  10.0.0.1", "p1    1 of 2", "10.0.0.1  a     b   owner-dead"):
        assert words in out


# ---- whatever the objects

texts = st.sampled_from(["10.0.0.0", "10.0.0.1", "10.0.1.0", "192.0.2.1"])
a_service = st.builds(
    lambda name, held, age, key, port, wish: service(
        name,
        *held,
        age=age,
        annotations={"metallb.io/allow-shared-ip": key, **wish},
        ports=[{"port": port, "protocol": "TCP"}],
    ),
    st.sampled_from("abcdef"),
    st.lists(texts, max_size=1),
    st.integers(0, 3),
    st.sampled_from(["", "k"]),
    st.sampled_from([80, 443]),
    st.sampled_from([{}, {"metallb.io/address-pool": "q"}, {"metallb.io/loadBalancerIPs": "10.0.0.1"}]),
)
some_services = st.lists(a_service, max_size=6, unique_by=lambda each: str(each["metadata"]["name"]))
CLUSTER = (pool("p", "10.0.0.0/31"), pool("q", "10.0.1.0/32"), advertisement(), node("a"), node("b"))


class Recorded:
    """Standard input and output of one run."""

    def __init__(self, objects: list[Object]) -> None:
        self.stdin = io.TextIOWrapper(
            io.BytesIO(json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}).encode())
        )
        self.stdout = io.StringIO()

    def run(self) -> Object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", self.stdin)
            patch.setattr(sys, "stdout", self.stdout)
            assert main(["plan", "-f", "-", "-o", "json"]) == 0
        found: Object = json.loads(self.stdout.getvalue())
        return found


def planned(objects: list[Object]) -> Object:
    return Recorded(objects).run()


@settings(max_examples=60, deadline=None)
@given(some_services, st.randoms(use_true_random=False))
def test_a_plan_is_a_fixed_point_of_itself_and_the_order_of_objects_never_matters(
    services: list[Object],
    random: Any,  # noqa: ANN401  hypothesis' own
) -> None:
    objects = [*CLUSTER, *services]
    found = planned(objects)
    random.shuffle(objects)
    assert planned(objects) == found
    given_ips = {each["name"]: each["ips"] for each in found["services"]}
    after = [
        {**each, "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in given_ips[each["metadata"]["name"]]]}}}
        for each in services
    ]
    again = planned([*CLUSTER, *after])
    assert {each["name"]: each["ips"] for each in again["services"]} == given_ips
    assert {each["result"] for each in again["services"]} <= {"kept", "refused"}


@settings(max_examples=60, deadline=None)
@given(some_services)
def test_nobody_has_an_address_with_one_it_does_not_share_with(services: list[Object]) -> None:
    found = planned([*CLUSTER, *services])
    terms = {
        each["metadata"]["name"]: (
            each["metadata"]["annotations"]["metallb.io/allow-shared-ip"],
            each["spec"]["ports"][0]["port"],
        )
        for each in services
    }
    holders: dict[str, list[str]] = {}
    for each in found["services"]:
        for ip in each["ips"]:
            holders.setdefault(ip, []).append(each["name"])
    for names in holders.values():
        if len(names) > 1:
            keys, ports = zip(*(terms[name] for name in names), strict=True)
            assert set(keys) == {"k"}
            assert len(set(ports)) == len(ports)
