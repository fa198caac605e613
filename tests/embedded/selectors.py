"""Label and field selectors as query parameters write them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.embedded.refusals import bad

Object = dict[str, Any]
Match = Callable[[Object], bool]

SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")


def chosen(labels: str, fields: str) -> Match:
    """Whether an object matches both selectors; an empty one matches all. Raises Refusal."""
    terms = [_label(term.strip()) for term in re.split(r",(?![^(]*\))", labels) if term.strip()]
    terms += [_field(term) for term in fields.split(",") if term]
    return lambda found: all(term(found) for term in terms)


def _label(term: str) -> Match:
    if match := SET.fullmatch(term):
        values = {value.strip() for value in match["values"].split(",")}
        key, negated = match["key"], match["operator"] == "notin"
        return lambda found: (_labels(found).get(key) in values) != negated
    if "!=" in term:
        key, _, value = term.partition("!=")
        return lambda found: _labels(found).get(key) != value
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return lambda found: _labels(found).get(key) == value
    if term.startswith("!"):
        return lambda found: term[1:] not in _labels(found)
    return lambda found: term in _labels(found)


def _field(term: str) -> Match:
    path, operator, value = term.partition("=")
    if not operator or path not in ("metadata.name", "metadata.namespace"):
        raise bad(f"field label not supported: {path}")
    name = path.partition(".")[2]
    return lambda found: found["metadata"].get(name, "") == value.lstrip("=")


def _labels(found: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels
