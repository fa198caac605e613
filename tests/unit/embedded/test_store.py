"""The embedded API server keeps the promises of the real one that speakerd relies on."""

import json
from typing import Any

import pytest

from tests.embedded.api import Answer, Api, Request, Watch
from tests.embedded.kinds import crd
from tests.embedded.selectors import chosen
from tests.embedded.store import Store, merged

NOW = "2026-01-01T00:00:00Z"
SERVICES = "/api/v1/namespaces/default/services"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
POOLS = "/apis/metallb.io/v1beta1/namespaces/default/ipaddresspools"
PATCH = "application/merge-patch+json"
BALANCED = {"type": "LoadBalancer", "ports": [{"port": 80}]}


def api(*, crds: bool = True) -> Api:
    store = Store(1000, NOW)
    if crds:
        store.define_metallb(NOW)
    return Api(store, lambda: NOW)


def ask(
    core: Api, method: str, target: str, body: object = None, content_type: str = "application/json"
) -> tuple[int, Any]:
    """Status and decoded body."""
    content = b"" if body is None else json.dumps(body).encode()
    answer = core.handle(Request(method, target, content, content_type))
    assert isinstance(answer, Answer)
    return answer.status, json.loads(answer.body) if answer.body.startswith(b"{") else answer.body


def service(core: Api, name: str = "web", **spec: object) -> dict[str, Any]:
    found: dict[str, Any] = ask(core, "POST", SERVICES, {"metadata": {"name": name}, "spec": BALANCED | spec})[1]
    return found


def watch(core: Api, target: str) -> Watch:
    found = core.handle(Request("GET", target))
    assert isinstance(found, Watch)
    return found


def lines(data: bytes) -> list[tuple[str, str]]:
    events = [json.loads(line) for line in data.splitlines()]
    return [(each["type"], each["object"]["metadata"].get("name", "")) for each in events]


def test_a_new_object_gets_identity_time_and_version() -> None:
    core = api()
    first, second = service(core, "a"), service(core, "b")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert first["metadata"]["creationTimestamp"] == NOW
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    assert ask(core, "POST", SERVICES, {"metadata": {"name": "a"}})[1]["reason"] == "AlreadyExists"


@pytest.mark.parametrize(
    ("policy", "families", "count"),
    [
        ("SingleStack", ["IPv4"], 1),
        ("SingleStack", ["IPv6"], 1),
        ("PreferDualStack", ["IPv6"], 2),
        ("RequireDualStack", [], 2),
    ],
)
def test_a_service_gets_a_cluster_address_for_each_family(policy: str, families: list[str], count: int) -> None:
    spec = service(api(), ipFamilyPolicy=policy, ipFamilies=families)["spec"]
    assert len(spec["clusterIPs"]) == len(spec["ipFamilies"]) == count
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert (":" in spec["clusterIP"]) == (spec["ipFamilies"][0] == "IPv6")


def test_status_is_written_through_its_subresource_alone_and_annotations_with_it() -> None:
    core = api()
    service(core)
    status = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    assert ask(core, "PATCH", f"{SERVICES}/web", {"status": status}, PATCH)[1]["status"] == {"loadBalancer": {}}
    change = {"metadata": {"annotations": {"a": "b"}}, "spec": {"type": "ClusterIP"}, "status": status}
    found = ask(core, "PATCH", f"{SERVICES}/web/status", change, PATCH)[1]
    assert found["status"] == {"loadBalancer": {"ingress": [{"ip": "10.0.0.1", "ipMode": "VIP"}]}}
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["type"] == "LoadBalancer"


def test_of_a_custom_resource_the_status_subresource_changes_nothing_else() -> None:
    core = api()
    ask(core, "POST", POOLS, {"metadata": {"name": "p"}, "spec": {"addresses": []}})
    change = {"metadata": {"annotations": {"a": "b"}}, "status": {"x": 1}}
    found = ask(core, "PATCH", f"{POOLS}/p/status", change, PATCH)[1]
    assert found["status"] == {"x": 1}
    assert "annotations" not in found["metadata"]


def test_what_is_no_load_balancer_loses_its_addresses() -> None:
    core = api()
    service(core)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    ask(core, "PATCH", f"{SERVICES}/web/status", status, PATCH)
    found = ask(core, "PATCH", f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}}, PATCH)[1]
    assert found["status"] == {"loadBalancer": {}}
    assert "nodePort" not in found["spec"]["ports"][0]


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ({"resourceVersion": "1"}, 409, "Conflict"),
        ({"uid": "x"}, 422, "Invalid"),
        ({"uid": "x", "resourceVersion": "1"}, 409, "Conflict"),
    ],
)
def test_a_write_to_what_changed_meanwhile_is_refused(metadata: dict[str, str], code: int, reason: str) -> None:
    core = api()
    service(core)
    status, found = ask(core, "PATCH", f"{SERVICES}/web/status", {"metadata": metadata, "status": {}}, PATCH)
    assert (status, found["reason"]) == (code, reason)


def test_a_lease_is_replaced_in_the_version_seen_only() -> None:
    core = api()
    lease = ask(core, "POST", LEASES, {"metadata": {"name": "l"}, "spec": {}})[1]
    assert ask(core, "PUT", f"{LEASES}/l", {"metadata": {"name": "l"}})[0] == 422
    lease["spec"] = {"holderIdentity": "a"}
    assert ask(core, "PUT", f"{LEASES}/l", lease)[0] == 200
    assert ask(core, "PUT", f"{LEASES}/l", lease)[0] == 409


def test_a_write_that_changes_nothing_makes_no_version() -> None:
    core = api()
    before = service(core)
    assert ask(core, "PATCH", f"{SERVICES}/web", {"spec": {"type": "LoadBalancer"}}, PATCH)[1] == before


def test_deletion_obeys_its_preconditions_and_finalizers() -> None:
    core = api()
    made = service(core)
    for field in ("uid", "resourceVersion"):
        assert ask(core, "DELETE", f"{SERVICES}/web", {"preconditions": {field: "7"}})[0] == 409
    ask(core, "PATCH", f"{SERVICES}/web", {"metadata": {"finalizers": ["x/y"]}}, PATCH)
    wanted = {"preconditions": {"uid": made["metadata"]["uid"]}}
    assert ask(core, "DELETE", f"{SERVICES}/web", wanted)[1]["metadata"]["deletionTimestamp"] == NOW
    assert ask(core, "GET", f"{SERVICES}/web")[0] == 200
    ask(core, "PATCH", f"{SERVICES}/web", {"metadata": {"finalizers": None}}, PATCH)
    assert ask(core, "GET", f"{SERVICES}/web")[0] == 404


def test_a_namespace_must_be_there_and_takes_its_objects_with_it() -> None:
    core = api()
    elsewhere = SERVICES.replace("default", "other")
    assert ask(core, "POST", elsewhere, {"metadata": {"name": "web"}})[0] == 404
    ask(core, "POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    ask(core, "POST", elsewhere, {"metadata": {"name": "web"}})
    ask(core, "DELETE", "/api/v1/namespaces/other")
    assert ask(core, "GET", elsewhere)[1]["items"] == []


def test_a_kind_is_known_while_its_definition_stands() -> None:
    core = api(crds=False)
    assert ask(core, "GET", POOLS) == (404, b"404 page not found\n")
    ask(core, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd("IPAddressPool"))
    ask(core, "POST", POOLS, {"metadata": {"name": "p"}})
    assert len(ask(core, "GET", POOLS)[1]["items"]) == 1
    ask(core, "DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ipaddresspools.metallb.io")
    assert ask(core, "GET", POOLS)[0] == 404


def test_pages_show_one_moment_whatever_happens_between_them() -> None:
    core = api()
    for name in "abcd":
        service(core, name)
    first = ask(core, "GET", f"{SERVICES}?limit=2")[1]
    ask(core, "DELETE", f"{SERVICES}/c")
    service(core, "e")
    second = ask(core, "GET", f"{SERVICES}?limit=2&continue={first['metadata']['continue']}")[1]
    assert [each["metadata"]["name"] for page in (first, second) for each in page["items"]] == list("abcd")
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_what_history_forgot_is_answered_410() -> None:
    core = api()
    service(core, "a")
    service(core, "b")
    token = ask(core, "GET", f"{SERVICES}?limit=1")[1]["metadata"]["continue"]
    service(core, "c")
    core.store.compact()
    assert ask(core, "GET", f"{SERVICES}?limit=1&continue={token}")[0] == 410
    assert json.loads(watch(core, f"{SERVICES}?watch=1&resourceVersion=1001").first)["object"]["code"] == 410


def test_a_watch_shows_what_happened_since_its_version_and_what_comes() -> None:
    core = api()
    since = service(core, "a")["metadata"]["resourceVersion"]
    service(core, "b")
    found = watch(core, f"{SERVICES}?watch=1&resourceVersion={since}")
    assert lines(found.first) == [("ADDED", "b")]
    ask(core, "DELETE", f"{SERVICES}/a")
    assert lines(found.line(core.store.history[-1])) == [("DELETED", "a")]


def test_a_watch_by_label_sees_an_object_come_and_go_as_its_labels_change() -> None:
    core = api()
    found = watch(core, f"{SERVICES}?watch=1&resourceVersion=0&labelSelector=app%3Dweb")
    service(core)
    assert not found.line(core.store.history[-1])
    ask(core, "PATCH", f"{SERVICES}/web", {"metadata": {"labels": {"app": "web"}}}, PATCH)
    assert lines(found.line(core.store.history[-1])) == [("ADDED", "web")]
    ask(core, "PATCH", f"{SERVICES}/web", {"metadata": {"labels": {"app": "db"}}}, PATCH)
    assert lines(found.line(core.store.history[-1])) == [("DELETED", "web")]


def test_writes_are_remembered_in_the_words_of_rbac() -> None:
    core = api()
    core.handle(Request("POST", LEASES, b'{"metadata": {"name": "l"}}', user="n1"))
    assert list(core.writes) == [{"user": "n1", "verb": "create", "resource": "leases", "name": "l"}]


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b,c", {"a": "b", "c": ""}, True),
        ("a!=b", {}, True),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b,c),d", {"a": "c", "d": ""}, False),
        ("!a", {"a": ""}, False),
    ],
)
def test_label_selectors_read_as_kubernetes_reads_them(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert chosen(selector, "")({"metadata": {"labels": labels}}) is matches


def test_a_merge_patch_is_that_of_rfc_7386() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}, "d": [2]}) == {
        "a": {"c": 2, "e": 3},
        "d": [2],
    }
