"""What `speakerd crds` has beside CustomResourceDefinitions, on a real API server: it warns, and refuses nothing."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from speakerd.annotations import request
from tests import forms, wishes
from tests.forms import NAMESPACE, Object
from tests.kube.controlplane import ControlPlane
from tests.lab import objects
from tests.lab.cluster import MERGE_PATCH, Cluster
from tests.lab.waiting import eventually
from tests.wishes import NEW, Asked, note

pytestmark = pytest.mark.kube

NAME = "wish"
POLICIES = ("speakerd-services", "speakerd-namespace")
FORMS = {obj["kind"]: obj for obj in forms.VALID.values()}


def service(asked: Asked, **spec: object) -> Object:
    """A Service that asks for this."""
    made = objects.service(NAME, annotations=asked.annotations)
    more = {"loadBalancerIP": asked.field} if asked.field else {}
    return {**made, "spec": made["spec"] | more | spec}


def warned(cluster: Cluster, obj: Object, *, namespace: str = "", dry: bool = True) -> list[str]:
    """Create the object, or only try to; what our policies have to say."""
    _, plural, _ = objects.GROUPS[obj["kind"]]
    group = f"apis/{obj['apiVersion']}" if "/" in obj["apiVersion"] else f"api/{obj['apiVersion']}"
    metadata = {key: each for key, each in obj["metadata"].items() if key != "namespace"}
    where = f"/{group}/namespaces/{namespace or 'default'}/{plural}{'?dryRun=All' if dry else ''}"
    return ours(cluster.answered("POST", where, obj | {"metadata": metadata})[1])


def ours(warnings: list[str]) -> list[str]:
    """Those of our policies; the API server has some of its own."""
    return [each for each in warnings if any(name in each for name in POLICIES)]


@pytest.fixture(scope="module")
def policies(plane: ControlPlane) -> Cluster:
    """The cluster, as soon as it enforces both policies."""
    cluster = plane.cluster
    eventually(lambda: warned(cluster, service(note("x"))), "the policy of Services is enforced", 30)
    eventually(lambda: warned(cluster, forms.POOL), "the policy of namespaces is enforced", 30)
    return cluster


@pytest.fixture
def alone(policies: Cluster) -> Iterator[Cluster]:
    """Without the Service afterwards."""
    yield policies
    policies.delete("Service", NAME)


@pytest.mark.parametrize("asked", [asked for _, asked in wishes.INVALID.values()], ids=wishes.INVALID.keys())
def test_a_wish_that_cannot_be_read_is_warned_of_and_the_service_is_there_all_the_same(
    alone: Cluster, asked: Asked
) -> None:
    (warning,) = warned(alone, service(asked), dry=False)
    assert f": {told(asked)}" in warning
    assert alone.get("Service", NAME)


def told(asked: Asked) -> str:
    """What speakerd says of it; lines are shown as one."""
    return request(asked.annotations, asked.field).message.replace("\n", " ")


@pytest.mark.parametrize("asked", wishes.VALID.values(), ids=wishes.VALID.keys())
def test_a_wish_that_can_be_read_is_not_warned_of(policies: Cluster, asked: Asked) -> None:
    assert warned(policies, service(asked)) == []


def test_of_any_text_the_api_server_says_what_speakerd_says(policies: Cluster) -> None:
    pieces = ("", "0:", "::", ":ffff", "fd00:", "1:2:3:4:5:6", ":10.0.0.1")
    texts = sorted({"".join(each) for each in product(pieces, repeat=3)})
    for text in texts:
        asked = note(f"10.0.0.1,{text}")
        found = warned(policies, service(asked))
        assert len(found) == bool(told(asked)), text
        assert all(told(asked) in each for each in found), text


@pytest.mark.parametrize(
    "spec", [{"loadBalancerClass": "example.com/other"}, {"type": "ClusterIP", "externalTrafficPolicy": None}], ids=str
)
def test_services_of_others_are_left_alone(policies: Cluster, spec: dict[str, Any]) -> None:
    assert warned(policies, service(note("x"), **spec)) == []


def test_a_wish_that_comes_later_is_warned_of(alone: Cluster) -> None:
    assert warned(alone, service(Asked()), dry=False) == []
    change = {"metadata": {"annotations": {NEW: "x"}}}
    _, warnings = alone.answered("PATCH", objects.path("Service", "default", NAME), change, MERGE_PATCH)
    assert len(ours(warnings)) == 1


@pytest.mark.parametrize("kind", FORMS)
def test_a_resource_in_another_namespace_is_warned_of_and_one_in_ours_is_not(policies: Cluster, kind: str) -> None:
    (warning,) = warned(policies, FORMS[kind])
    assert warning.endswith(f"counts for nothing here: speakerd reads namespace {NAMESPACE}")
    assert warned(policies, FORMS[kind], namespace=NAMESPACE) == []


@pytest.mark.parametrize("name", POLICIES)
def test_the_api_server_finds_no_fault_in_a_policy(policies: Cluster, name: str) -> None:
    def judged() -> Any:  # noqa: ANN401  a status
        status = (policies.get("ValidatingAdmissionPolicy", name) or {}).get("status", {})
        return status if status.get("observedGeneration") else None

    assert eventually(judged, "its types are checked", 30).get("typeChecking", {}) == {}
