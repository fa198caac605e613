"""The words that CustomResourceDefinitions are written in: structural schemas and CEL rules; pure.

Only functions that Kubernetes 1.25 has are used, hence patterns for addresses.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"({OCTET}\.){{3}}{OCTET}"
IPV6 = r"[0-9a-fA-F:]*:[0-9a-fA-F:]*(\.[0-9.]+)?"
BLOCK = rf"{IPV4}/(3[0-2]|[12]?[0-9])|{IPV6}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"
BETWEEN = rf"{IPV4} *- *{IPV4}|{IPV6} *- *{IPV6}"
ADDRESSES = rf"^({BLOCK}| *({BETWEEN}) *)$"
"""What `addresses.parse` takes, but for the order of a range and the fine print of IPv6."""
FIRST, LAST = (
    f"int(n[{i}]) * 16777216 + int(n[{i + 1}]) * 65536 + int(n[{i + 2}]) * 256 + int(n[{i + 3}])" for i in (0, 4)
)
IN_ORDER = f"!self.matches(r'^ *{IPV4} *- *{IPV4} *$') || [self.findAll(r'[0-9]+')].all(n, {FIRST} <= {LAST})"
"""Of a range of IPv4; CEL has no numbers that hold an IPv6 address."""
ENTRIES = 1024
"""Of one list, so that the API server can bound what a rule costs; a pool of that many ranges is a mistake."""
NAME_LENGTH = 253
LABEL_LENGTH = 63
ADDRESS_LENGTH = 90
"""Two IPv6 addresses in full, a dash and spaces."""


def fixed(description: str) -> Schema:
    """Text that may not change, as in MetalLB."""
    rule = {"rule": "self == oldSelf", "message": "Value is immutable"}
    return {"description": description, "type": "string", "x-kubernetes-validations": [rule]}


def crd(kind: str, parts: Mapping[str, Schema], required: tuple[str, ...], columns: Sequence[Schema]) -> Schema:
    """The definition of a kind that has one version, v1beta1; `parts`: spec and status."""
    return definition(kind, [version("v1beta1", parts, required, columns)])


def version(
    name: str, parts: Mapping[str, Schema], required: tuple[str, ...], columns: Sequence[Schema], *, old: bool = False
) -> dict[str, Any]:
    """One version of a kind; `old`: served still, and deprecated."""
    root = table("", {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}})
    schema = {**root, "properties": {**root["properties"], **parts}}
    if required:
        schema["required"] = list(required)
    written: dict[str, Any] = {
        "name": name,
        "served": True,
        "storage": not old,
        "additionalPrinterColumns": list(columns),
        "schema": {"openAPIV3Schema": schema},
    }
    if old:
        written["deprecated"] = True
    if "status" in parts:
        written["subresources"] = {"status": {}}
    return written


def definition(kind: str, versions: Sequence[Schema]) -> Schema:
    """The definition of a kind."""
    called = {"kind": kind, "listKind": f"{kind}List", "plural": plural(kind), "singular": kind.lower()}
    spec: Schema = {"group": "metallb.io", "names": called, "scope": "Namespaced", "versions": [*versions]}
    if len(versions) > 1:
        # MetalLB's has a webhook, which is gone with MetalLB: null takes it away where this is applied over that.
        spec = {**spec, "conversion": {"strategy": "None", "webhook": None}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural(kind)}.metallb.io", "labels": {"app.kubernetes.io/name": "speakerd"}},
        "spec": spec,
    }


def plural(kind: str) -> str:
    """What the API calls the objects of a kind."""
    singular = kind.lower()
    return singular[:-1] + "ies" if singular.endswith("y") else singular + ("es" if kind.endswith("s") else "s")


def table(description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with these fields."""
    schema: dict[str, Any] = {"description": description} if description else {}
    schema |= {"type": "object", "properties": dict(properties)}
    return schema | ({"required": list(required)} if required else {})


def several(description: str, items: Schema) -> Schema:
    """A list."""
    return {"description": description, "type": "array", "maxItems": ENTRIES, "items": items}


def names(description: str, length: int) -> Schema:
    """A list in which each may stand once, as MetalLB demands."""
    items = {"type": "string", "minLength": 1, "maxLength": length}
    return {**several(description, items), "x-kubernetes-list-type": "set"}


def selectors(description: str) -> Schema:
    """A list of LabelSelectors."""
    return several(f"{description} One of these must match.", selector("A LabelSelector; empty matches everything."))


def selector(description: str) -> dict[str, Any]:
    """metav1.LabelSelector."""
    operators = ["In", "NotIn", "Exists", "DoesNotExist"]
    expression = table(
        "",
        {
            "key": {"type": "string"},
            "operator": {"type": "string", "enum": operators},
            "values": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
        },
        required=("key", "operator"),
    )
    schema = table(
        description,
        {
            "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
            "matchExpressions": {"type": "array", "items": expression, "x-kubernetes-list-type": "atomic"},
        },
    )
    return schema | {"x-kubernetes-map-type": "atomic"}


def rule(text: str, message: str) -> Schema:
    """A rule in CEL."""
    return {"rule": text, "message": message}


def matching(description: str, pattern: str, message: str, length: int, *rules: Schema) -> dict[str, Any]:
    """Text of a form, or none; `rules`: what else holds of it."""
    checked = [rule(f"self == '' || self.matches(r'^({pattern})$')", message), *rules]
    return {"description": description, "type": "string", "maxLength": length, "x-kubernetes-validations": checked}


def number(description: str, least: int, most: int, **more: object) -> dict[str, Any]:
    """A whole number."""
    size = "int32" if most < 1 << 31 else "int64"
    return {"description": description, "type": "integer", "format": size, "minimum": least, "maximum": most, **more}


def flag(description: str) -> dict[str, Any]:
    """A boolean that is false unless written."""
    return {"description": description, "type": "boolean", "default": False}
