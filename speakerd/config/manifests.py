"""Kubernetes manifests -> the resources in them, or what the API server or MetalLB would not take; pure."""

from collections.abc import Iterable, Mapping
from typing import cast

from msgspec import UNSET, Struct
from msgspec.structs import replace

from speakerd.config import document
from speakerd.config.document import Node, Place, Scalar
from speakerd.config.reader import Reader, plain
from speakerd.config.resources import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    L2Advertisement,
    Metadata,
    Resources,
)
from speakerd.config.words import SUBDOMAIN, nearest
from speakerd.model import Problem

GROUP = "metallb.io"
KINDS: Mapping[str, type[Struct]] = {
    "IPAddressPool": IPAddressPool,
    "L2Advertisement": L2Advertisement,
    "BGPPeer": BGPPeer,
    "BGPAdvertisement": BGPAdvertisement,
    "BFDProfile": BFDProfile,
    "Community": Community,
}
"""Kinds of group metallb.io that count."""
VERSIONS: Mapping[str, tuple[str, ...]] = {"BGPPeer": ("v1beta2", "v1beta1")}
"""The versions of a kind, the newest first; all others have v1beta1 alone."""
OLD_PEER = frozenset(("myASN", "peerASN", "peerAddress", "sourceAddress", "peerPort", "holdTime", "keepaliveTime"))
OLD_PEER |= frozenset(("routerID", "nodeSelectors", "password", "bfdProfile", "ebgpMultiHop"))
"""What the spec of a BGPPeer of v1beta1 may hold."""
STATUSES = ("ServiceL2Status", "ServiceBGPStatus", "ConfigurationState")
"""Kinds that MetalLB writes and nobody configures."""
LOST: Mapping[str, tuple[str, str]] = {
    "bgpextras": ("raw FRR settings", "say it with BGPPeer and BGPAdvertisement"),
    "metallb-memberlist-config": ("memberlist's own timers", "choose membership.preset: fast, normal or wide"),
}
"""ConfigMaps of MetalLB's that have no counterpart: what they hold, and what to use instead."""
PARTIAL: frozenset[type] = frozenset((*KINDS.values(), Metadata))
"""Read in part: what else an object holds (kind, status, managedFields) is not looked at."""


class Manifests(Struct, frozen=True):
    """What a set of manifests holds, by kind, and its faults. `others`: objects of other groups, as JSON has them."""

    resources: Resources = Resources()
    problems: tuple[Problem, ...] = ()
    others: tuple[dict[str, object], ...] = ()


def is_object(tree: Node) -> bool:
    """Whether a document is a Kubernetes object rather than settings."""
    return isinstance(tree, document.Mapping) and ("apiVersion" in tree.entries or "kind" in tree.entries)


def read(trees: Iterable[Node], namespace: str) -> Manifests:
    """The resources in `trees`, lists among them opened; those of another namespace are a warning and do not count."""
    found: dict[str, dict[str, Struct]] = {kind: {} for kind in KINDS}
    problems: list[Problem] = []
    others: list[dict[str, object]] = []
    for tree in _opened(trees):
        kind = _text(tree, "kind")
        problems += _kind_problems(tree, kind)
        if kind in KINDS and _version(tree) in versions(kind):
            _take(found[kind], tree, kind, namespace, problems)
        elif not _text(tree, "apiVersion").startswith(f"{GROUP}/"):
            others.append(cast("dict[str, object]", plain(tree)))
    return Manifests(_resources(found), tuple(problems), tuple(others))


def _resources(found: Mapping[str, Mapping[str, Struct]]) -> Resources:
    """The objects by kind."""
    return Resources(
        pools=tuple(cast("Mapping[str, IPAddressPool]", found["IPAddressPool"]).values()),
        advertisements=tuple(cast("Mapping[str, L2Advertisement]", found["L2Advertisement"]).values()),
        peers=tuple(cast("Mapping[str, BGPPeer]", found["BGPPeer"]).values()),
        routes=tuple(cast("Mapping[str, BGPAdvertisement]", found["BGPAdvertisement"]).values()),
        bfd_profiles=tuple(cast("Mapping[str, BFDProfile]", found["BFDProfile"]).values()),
        communities=tuple(cast("Mapping[str, Community]", found["Community"]).values()),
    )


def versions(kind: str) -> tuple[str, ...]:
    """The versions of a kind, the newest first."""
    return VERSIONS.get(kind, ("v1beta1",))


def _version(tree: document.Mapping) -> str:
    """Of an object of our group; nothing for others."""
    group, _, version = _text(tree, "apiVersion").rpartition("/")
    return version if group == GROUP else ""


def _opened(trees: Iterable[Node]) -> Iterable[document.Mapping]:
    """Objects, those inside of lists (kind: List, or kind: IPAddressPoolList) one by one."""
    for tree in trees:
        if not isinstance(tree, document.Mapping):
            continue
        items = tree.entries.get("items", (tree.at, None))[1]
        if _text(tree, "kind").endswith("List") and isinstance(items, document.Sequence):
            yield from _opened(items.items)
        else:
            yield tree


def _text(tree: document.Mapping, *path: str) -> str:
    """The single value at `path`, or nothing."""
    node: Node = tree
    for key in path:
        if not (isinstance(node, document.Mapping) and key in node.entries):
            return ""
        node = node.entries[key][1]
    return node.text if isinstance(node, Scalar) and not node.null else ""


def _identity(tree: document.Mapping, kind: str) -> str:
    words = (kind, _text(tree, "metadata", "namespace"), _text(tree, "metadata", "name"))
    return "/".join(filter(None, words))


def _kind_problems(tree: document.Mapping, kind: str) -> Iterable[Problem]:
    where = _identity(tree, kind) if _text(tree, "metadata", "name") else str(tree.at)
    group, slash, version = _text(tree, "apiVersion").rpartition("/")
    if not kind or not version:
        missing = "apiVersion" if kind else "kind"
        yield Problem(where, missing, "missing-key", f"{missing} is missing", f"write {missing}: ...")
    elif kind in KINDS and group != GROUP and (not group or nearest(group, (GROUP,))):
        what = f"{kind} of {group}{slash}{version} is not MetalLB's"
        yield Problem(where, "apiVersion", "unknown-kind", what, f"write apiVersion: {GROUP}/{versions(kind)[0]}")
    elif kind == "ConfigMap" and _text(tree, "metadata", "name") in LOST:
        what = f"{LOST[_text(tree, 'metadata', 'name')][0]} have no counterpart"
        yield Problem(where, "data", "not-honoured", what, LOST[_text(tree, "metadata", "name")][1], "warning")
    elif group == GROUP:
        yield from _metallb_problems(where, kind, version)


def _metallb_problems(where: str, kind: str, version: str) -> Iterable[Problem]:
    if kind in KINDS and version not in versions(kind):
        what = f"{kind} has no version {version}"
        yield Problem(where, "apiVersion", "unknown-kind", what, f"write apiVersion: {GROUP}/{versions(kind)[0]}")
    elif kind in KINDS and version != versions(kind)[0]:
        what = f"{version} of {kind} is deprecated"
        remedy = f"write apiVersion: {GROUP}/{versions(kind)[0]}"
        yield Problem(where, "apiVersion", "deprecated", what, remedy, "warning")
    elif kind not in (*KINDS, *STATUSES):
        guess = nearest(kind, KINDS)
        remedy = f"did you mean {guess}?" if guess else f"known: {', '.join(KINDS)}"
        yield Problem(where, "kind", "unknown-kind", f"{GROUP} has no kind {kind}", remedy)


def _too_new(where: str, tree: document.Mapping) -> Iterable[Problem]:
    """Fields of a BGPPeer that its old version did not have."""
    spec = tree.entries.get("spec", (tree.at, None))[1]
    for key in spec.entries if isinstance(spec, document.Mapping) else ():
        if key not in OLD_PEER:
            remedy = f"write apiVersion: {GROUP}/v1beta2"
            yield Problem(where, f"spec.{key}", "unknown-key", f"{key} came with v1beta2", remedy)


def _take(found: dict[str, Struct], tree: document.Mapping, kind: str, namespace: str, problems: list[Problem]) -> None:
    where = _identity(tree, kind)

    def identity(_: Place) -> str:
        return where

    reader = Reader(identity, exact=True, partial=PARTIAL)
    each = reader.read(tree, KINDS[kind])
    problems += reader.problems
    if isinstance(each, BGPPeer) and _version(tree) == "v1beta1":
        problems += _too_new(where, tree)
        each = replace(each, spec=replace(each.spec, peer_port=each.spec.peer_port or None))
    name, own = _text(tree, "metadata", "name"), _text(tree, "metadata", "namespace")
    if not name:
        problems.append(Problem(str(tree.at), "metadata.name", "missing-key", "name is missing", "write name: ..."))
    elif not SUBDOMAIN.fullmatch(name):
        what, remedy = f"{name!r} is no Kubernetes name", "use lower case letters, digits, dashes and dots"
        problems.append(Problem(where, "metadata.name", "malformed-name", what, remedy))
    elif own not in ("", namespace):
        what = f"speakerd reads namespace {namespace}, not {own}"
        remedy = "move it, or set kubernetes.namespace"
        problems.append(Problem(where, "metadata.namespace", "other-namespace", what, remedy, "warning"))
    elif name in found:
        problems.append(Problem(where, "metadata.name", "duplicate-name", "given twice", "remove one of them"))
    elif each is not UNSET:
        found[name] = each
