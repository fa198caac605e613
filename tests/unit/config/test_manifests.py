"""Manifests are read as the API server would, and mistakes are told that it would swallow."""

import pytest

from speakerd.config.document import parse
from speakerd.config.manifests import Manifests, is_object, read
from speakerd.config.resources import IPAddressPool, IPAddressPoolSpec, L2Advertisement, Metadata, Resources

HEAD = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p, namespace: metallb-system}\n"
POOL = IPAddressPool(Metadata("p", "metallb-system"), IPAddressPoolSpec(("10.0.0.0/24",)))


def manifests(text: str) -> Manifests:
    return read(parse(text.encode(), "m.yaml").documents, "metallb-system")


def told(text: str) -> list[tuple[str, str, str, str]]:
    return [(p.object, p.field, p.reason, p.severity) for p in manifests(text).problems]


def test_an_object_is_told_from_settings() -> None:
    trees = parse(b"apiVersion: v1\n---\nkind: List\n---\nlog: {}\n---\n- kind\n", "m").documents
    assert [is_object(each) for each in trees] == [True, True, False, False]


def test_what_the_server_adds_is_not_looked_at() -> None:
    metadata = "metadata: {name: p, namespace: metallb-system, generation: 1, managedFields: [{manager: x}]}\n"
    text = (
        HEAD.replace(HEAD.splitlines()[2] + "\n", metadata)
        + "spec: {addresses: [10.0.0.0/24]}\nstatus: {assignedIPv4: 1}\n"
    )
    assert manifests(text) == Manifests(Resources((POOL,)))


@pytest.mark.parametrize("kind", ["List", "IPAddressPoolList"])
def test_lists_are_opened(kind: str) -> None:
    pool = "{" + HEAD.replace("\n", ", ") + "spec: {addresses: [10.0.0.0/24]}}"
    text = f"kind: {kind}\napiVersion: v1\nitems:\n- {pool}\n- {{kind: List, items: [{{kind: Pod, apiVersion: v1}}]}}\n"
    assert manifests(text) == Manifests(Resources((POOL,)), others=({"kind": "Pod", "apiVersion": "v1"},))


def test_json_is_read_too() -> None:
    text = '{"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": {"name": "l", "labels": null}}'
    assert manifests(text).resources == Resources((), (L2Advertisement(Metadata("l")),))


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ("addresses: 10.0.0.0/24", "spec.addresses", "wrong-type"),
        ("addresses: [10]", "spec.addresses[0]", "wrong-type"),
        ("adresses: []", "spec.adresses", "unknown-key"),
        ("autoAssign: 'true'", "spec.autoAssign", "wrong-type"),
        ("serviceAllocation: {priority: '1'}", "spec.serviceAllocation.priority", "wrong-type"),
        (
            "serviceAllocation: {namespaceSelectors: [{matchLabels: {a: on}}]}",
            "spec.serviceAllocation.namespaceSelectors[0].matchLabels.a",
            "wrong-type",
        ),
    ],
)
def test_what_the_api_server_would_refuse_is_told(spec: str, field: str, reason: str) -> None:
    assert told(f"{HEAD}spec: {{{spec}}}") == [("IPAddressPool/metallb-system/p", field, reason, "error")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: IPAdressPool\napiVersion: metallb.io/v1beta1", ("m.yaml:1:1", "kind", "unknown-kind", "error")),
        (
            "kind: IPAddressPool\napiVersion: metallb.io/v1\nmetadata: {name: p}",
            ("IPAddressPool/p", "apiVersion", "unknown-kind", "error"),
        ),
        (
            "kind: IPAddressPool\napiVersion: v1\nmetadata: {name: p}",
            ("IPAddressPool/p", "apiVersion", "unknown-kind", "error"),
        ),
        ("kind: IPAddressPool\nmetadata: {name: p}", ("IPAddressPool/p", "apiVersion", "missing-key", "error")),
        ("apiVersion: v1", ("m.yaml:1:1", "kind", "missing-key", "error")),
        (
            "apiVersion: metallb.io/v1beta1\nkind: BGPPeer\nmetadata: {name: b}",
            ("BGPPeer/b", "apiVersion", "deprecated", "warning"),
        ),
        (
            HEAD.replace("metallb-system", "default"),
            ("IPAddressPool/default/p", "metadata.namespace", "other-namespace", "warning"),
        ),
        (f"{HEAD}---\n{HEAD}", ("IPAddressPool/metallb-system/p", "metadata.name", "duplicate-name", "error")),
        (
            "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {}",
            ("m.yaml:1:1", "metadata.name", "missing-key", "error"),
        ),
    ],
)
def test_an_object_that_does_not_count_is_told(text: str, expected: tuple[str, str, str, str]) -> None:
    assert told(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: v1, kind: Service, metadata: {name: s}}",
        "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: speaker}}",
        "{apiVersion: metallb.io/v1beta1, kind: ServiceL2Status, metadata: {name: l2-x}}",
    ],
)
def test_objects_of_others_are_no_concern(text: str) -> None:
    found = manifests(text)
    assert (found.resources, found.problems) == (Resources(), ())
    assert [each["kind"] for each in found.others] in (["Service"], ["DaemonSet"], [])
