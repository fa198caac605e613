"""Kubernetes manifests -> the resources in them, or what the API server or MetalLB would not take; pure."""

from collections.abc import Iterable, Mapping
from typing import cast

from msgspec import UNSET, Struct

from speakerd.config import document
from speakerd.config.document import Node, Place, Scalar
from speakerd.config.reader import Reader, plain
from speakerd.config.resources import IPAddressPool, L2Advertisement, Metadata, Resources
from speakerd.config.words import nearest
from speakerd.model import Problem

GROUP = "metallb.io"
KINDS: Mapping[str, type[Struct]] = {"IPAddressPool": IPAddressPool, "L2Advertisement": L2Advertisement}
"""Kinds of group metallb.io that count; all v1beta1."""
UNSERVED = ("BGPPeer", "BGPAdvertisement", "BFDProfile", "Community")
"""Kinds of MetalLB that are known and have no effect."""
STATUSES = ("ServiceL2Status", "ServiceBGPStatus", "ConfigurationState")
"""Kinds that MetalLB writes and nobody configures."""
PARTIAL = frozenset((IPAddressPool, L2Advertisement, Metadata))
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
        if kind in KINDS and _text(tree, "apiVersion") == f"{GROUP}/v1beta1":
            _take(found[kind], tree, kind, namespace, problems)
        elif not _text(tree, "apiVersion").startswith(f"{GROUP}/"):
            others.append(cast("dict[str, object]", plain(tree)))
    pools = tuple(cast("dict[str, IPAddressPool]", found["IPAddressPool"]).values())
    advertisements = tuple(cast("dict[str, L2Advertisement]", found["L2Advertisement"]).values())
    return Manifests(Resources(pools, advertisements), tuple(problems), tuple(others))


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
    elif kind in (*KINDS, *UNSERVED) and group != GROUP:
        what = f"{kind} of {group}{slash}{version} is not MetalLB's"
        yield Problem(where, "apiVersion", "unknown-kind", what, f"write apiVersion: {GROUP}/v1beta1")
    elif group == GROUP:
        yield from _metallb_problems(where, kind, version)
    elif kind == "ConfigMap" and "address-pools:" in _text(tree, "data", "config"):
        what = "this version does not read MetalLB's legacy ConfigMap: it has no effect"
        yield Problem(where, "data.config", "not-honoured", what, "write IPAddressPool and L2Advertisement", "warning")


def _metallb_problems(where: str, kind: str, version: str) -> Iterable[Problem]:
    if kind in UNSERVED:
        what = f"this version does not announce by BGP: {kind} has no effect"
        yield Problem(where, "", "not-honoured", what, "remove it if that is not wanted", "warning")
    elif kind in KINDS and version != "v1beta1":
        what = f"{kind} has no version {version}"
        yield Problem(where, "apiVersion", "unknown-kind", what, f"write apiVersion: {GROUP}/v1beta1")
    elif kind not in (*KINDS, *STATUSES):
        guess = nearest(kind, (*KINDS, *UNSERVED))
        remedy = f"did you mean {guess}?" if guess else f"known: {', '.join((*KINDS, *UNSERVED))}"
        yield Problem(where, "kind", "unknown-kind", f"{GROUP} has no kind {kind}", remedy)


def _take(found: dict[str, Struct], tree: document.Mapping, kind: str, namespace: str, problems: list[Problem]) -> None:
    where = _identity(tree, kind)

    def identity(_: Place) -> str:
        return where

    reader = Reader(identity, exact=True, partial=PARTIAL)
    each = reader.read(tree, KINDS[kind])
    problems += reader.problems
    name, own = _text(tree, "metadata", "name"), _text(tree, "metadata", "namespace")
    if not name:
        problems.append(Problem(str(tree.at), "metadata.name", "missing-key", "name is missing", "write name: ..."))
    elif own not in ("", namespace):
        what = f"speakerd reads namespace {namespace}, not {own}"
        remedy = "move it, or set kubernetes.namespace"
        problems.append(Problem(where, "metadata.namespace", "other-namespace", what, remedy, "warning"))
    elif name in found:
        problems.append(Problem(where, "metadata.name", "duplicate-name", "given twice", "remove one of them"))
    elif each is not UNSET:
        found[name] = each
