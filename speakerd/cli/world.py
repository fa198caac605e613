"""Kubernetes objects from files -> what the agent would know of a cluster that consists of exactly these."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from speakerd.cli.inputs import Inputs
from speakerd.config.resources import Metadata
from speakerd.kube import body, kept, objects
from speakerd.model import IP, Problem, Reservation
from speakerd.settings import Settings
from speakerd.snapshot import Stores

VERSIONS = ("v1", "discovery.k8s.io/v1", "coordination.k8s.io/v1")
"""Of the kinds taken into account; others of that name are of no concern."""
DEFAULT = "default"
"""Namespace of an object that names none, as kubectl has it."""
CLUSTER_IPS = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}
"""What stands for the address that the API server gives a Service as it is created: that there is one counts."""
T = TypeVar("T", objects.Service, objects.EndpointSlice, objects.Node, objects.Namespace, objects.Lease)


class World(Struct, frozen=True):
    """What is known, and which objects could not be read."""

    stores: Stores
    problems: tuple[Problem, ...] = ()


def world(inputs: Inputs) -> World:
    """All Nodes are members that live; what is reserved is what statuses and the Leases of addresses say."""
    problems: list[Problem] = []
    services = _every(inputs.objects, objects.Service, problems)
    nodes = _every(inputs.objects, objects.Node, problems, namespaced=False)
    namespaces = _every(inputs.objects, objects.Namespace, problems, namespaced=False)
    stores = Stores(
        services={key: kept.service(each) for key, each in services.items()},
        slices=_every(inputs.objects, objects.EndpointSlice, problems),
        nodes=nodes,
        members={f"speakerd-node-{name}": _member(name) for name in nodes},
        pools={each.metadata.name: each for each in inputs.resources.pools},
        advertisements={each.metadata.name: each for each in inputs.resources.advertisements},
        peers={each.metadata.name: each for each in inputs.resources.peers},
        routes={each.metadata.name: each for each in inputs.resources.routes},
        bfd_profiles={each.metadata.name: each for each in inputs.resources.bfd_profiles},
        communities={each.metadata.name: each for each in inputs.resources.communities},
        settled=True,
        ledger=_ledger(inputs, problems),
        namespaces=namespaces,
        legacy={"config": inputs.config_map} if inputs.config_map else {},
        known=objects.ON_DEMAND,
        pools_gone=inputs.config_map is None,
    )
    return World(stores, tuple(problems))


def _ledger(inputs: Inputs, problems: list[Problem]) -> dict[IP, Reservation]:
    """The Leases of addresses among the objects; what others there are is of no concern."""
    namespace = (inputs.loaded.settings or Settings()).kubernetes.namespace
    vips = (each for each in inputs.objects if _labels(each).get(body.KIND_LABEL) == body.VIP)
    leases = _every(vips, objects.Lease, problems).values()
    found = (body.reservation(each) for each in leases if each.metadata.namespace == namespace)
    return {each.ip: each for each in found if each}


def _labels(given: Mapping[str, object]) -> Mapping[str, object]:
    metadata = given.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}


def _member(name: str) -> objects.Lease:
    return objects.Lease(Metadata(name=f"speakerd-node-{name}"), objects.LeaseSpec(holder_identity=name))


def _every(
    given: Iterable[Mapping[str, object]], kind: type[T], problems: list[Problem], *, namespaced: bool = True
) -> dict[str, T]:
    """The objects of one kind, by key."""
    found: dict[str, T] = {}
    for each in given:
        if each.get("kind") != kind.__name__ or each.get("apiVersion") not in VERSIONS:
            continue
        try:
            read = msgspec.convert(_as_created(_without_nulls(each)), kind, strict=False)
        except msgspec.ValidationError as fault:
            problems.append(_fault(each, str(fault)))
            continue
        if namespaced and not read.metadata.namespace:
            read = replace(read, metadata=replace(read.metadata, namespace=DEFAULT))
        found[objects.key(read.metadata)] = read
    return found


def _as_created(given: object) -> object:
    """A Service that was never in a cluster as the API server would create it: with a cluster IP of each family."""
    match given:
        case {"kind": "Service", "spec": {"clusterIP": _} | {"clusterIPs": _}}:
            return given
        case {"kind": "Service", "spec": dict(spec), **more}:
            policy = spec.get("ipFamilyPolicy", "SingleStack")
            families = spec.get("ipFamilies") or ["IPv4", "IPv6"][: 1 if policy == "SingleStack" else 2]
            if isinstance(families, list):
                found = [CLUSTER_IPS[each] for each in families if each in CLUSTER_IPS]
                return {**more, "kind": "Service", "spec": {**spec, "clusterIPs": found}}
    return given


def _without_nulls(value: object) -> object:
    """What is null is absent, as the API server reads it."""
    match value:
        case dict():
            return {key: _without_nulls(each) for key, each in value.items() if each is not None}
        case list():
            return [_without_nulls(each) for each in value]
    return value


def _fault(each: Mapping[str, object], fault: str) -> Problem:
    metadata = each.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    words = (each.get("kind"), named.get("namespace"), named.get("name"))
    what, _, where = fault.partition(" - at `$")
    field = where.strip("`.").rstrip("`")
    return Problem(
        "/".join(str(word) for word in words if word), field, "wrong-type", what, "write it as kubectl shows it"
    )
