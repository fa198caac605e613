"""Resources -> manifests for kubectl apply, or entries of a settings file; what is at its default is left out; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from speakerd.config.lastgood import KINDS
from speakerd.config.reader import looks_otherwise
from speakerd.config.resources import Resources
from speakerd.config.wishes import KEYS

GROUP = "metallb.io"
SECTIONS: Mapping[str, str] = {
    "pools": "addressPools",
    "advertisements": "l2Advertisements",
    "peers": "bgpPeers",
    "routes": "bgpAdvertisements",
    "bfd_profiles": "bfdProfiles",
    "communities": "communities",
}
"""Field of Resources -> key of the settings file."""


def manifests(resources: Resources, namespace: str) -> list[dict[str, Any]]:
    """The objects as kubectl apply takes them."""
    return [_manifest(kind, each, namespace) for kind, each in every(resources)]


def every(resources: Resources) -> Iterator[tuple[str, Any]]:
    """Each object with its kind."""
    for field, kind in KINDS.items():
        for each in getattr(resources, field):
            yield kind, each


def _manifest(kind: str, each: Any, namespace: str) -> dict[str, Any]:  # noqa: ANN401  one of six structs
    metadata = {"name": each.metadata.name, "namespace": namespace}
    if each.metadata.labels:
        metadata |= {"labels": dict(each.metadata.labels)}
    if asked := _asked(kind, each):
        metadata |= {"annotations": asked}
    version = "v1beta2" if kind == "BGPPeer" else "v1beta1"
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata, "spec": _fields(each.spec)}


def entries(resources: Resources) -> dict[str, Any]:
    """The sections of a settings file."""
    found = {}
    for field, section in SECTIONS.items():
        listed = [_entry(field, each) for each in getattr(resources, field)]
        if listed:
            found[section] = listed
    return found


def _entry(field: str, each: Any) -> dict[str, Any]:  # noqa: ANN401  one of six structs
    """Name and spec; of a pool its labels as well, which advertisements may choose it by."""
    labels = {"labels": dict(each.metadata.labels)} if field == "pools" and each.metadata.labels else {}
    asked = {KEYS[key]: _number(text) for key, text in _asked(KINDS[field], each).items()}
    return {"name": each.metadata.name, **labels, **_fields(each.spec), **asked}


def _asked(kind: str, each: Any) -> dict[str, str]:  # noqa: ANN401  one of six structs
    """The annotations that count; those of others stay where they are."""
    noted = each.metadata.annotations if kind == "BGPAdvertisement" else {}
    return {key: text for key, text in noted.items() if key in KEYS}


def _number(text: str) -> int | str:
    """As the settings file has it; what is none is left as it is, for `check` to tell."""
    return int(text) if text.isascii() and text.isdigit() else text


def _fields(spec: Any) -> dict[str, Any]:  # noqa: ANN401  one of six structs
    """What is not at its default, as JSON has it."""
    written = msgspec.to_builtins(spec)
    usual = {each.encode_name: each.default for each in msgspec.structs.fields(spec)}
    return {key: _plain(value) for key, value in written.items() if value != msgspec.to_builtins(usual[key])}


def _plain(value: Any) -> Any:  # noqa: ANN401  any piece of a spec
    """Without what is empty in selectors, and with lists for tuples."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items() if each not in ({}, (), [], None)}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Text of one document after the other."""
    return yaml.dump_all(documents, Dumper=Plain, sort_keys=False, width=160, explicit_start=len(documents) > 1)


class Plain(yaml.SafeDumper):
    """Without anchors: each object stands for itself; and text in quotes that any reader might take for a number."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401  whatever it is
        """All of them."""
        del data
        return True


def _quoted(dumper: Plain, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if looks_otherwise(text) else None)


Plain.add_representer(str, _quoted)
