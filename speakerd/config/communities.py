"""BGP communities as text: a:b (RFC 1997), large:a:b:c (RFC 8092), or a name that a Community object gives; pure."""

from collections.abc import Iterable, Iterator, Mapping

from speakerd.config.origin import Origin, repeated
from speakerd.config.resources import Community
from speakerd.model import Problem

MALFORMED = "malformed-community"
REMEDY = "write 65000:100, large:65000:1:2 or a name"
STANDARD, LARGE = 1 << 16, 1 << 32
"""No part of one is as large."""
Named = Iterable[tuple[Origin, Community]]


def literal(text: str) -> str:
    """The community in its one spelling, or nothing where `text` is none."""
    words = text.split(":")
    large = len(words) == 4 and words[0] == "large"
    parts, most = (words[1:], LARGE) if large else (words, STANDARD)
    if (large or len(parts) == 2) and all(_number(each, most) for each in parts):
        numbers = ":".join(str(int(each)) for each in parts)
        return f"large:{numbers}" if large else numbers
    return ""


def _number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 11 and int(text) < most


def aliases(objects: Named, problems: list[Problem]) -> dict[str, str]:
    """Value by name; of two of one name the first counts."""
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for origin, each in objects:
        for i, alias in enumerate(each.spec.communities):
            field = f"communities[{i}]"
            value = literal(alias.value)
            if alias.name in found:
                what = f"{alias.name} is also a name in {owners[alias.name]}, which counts"
                problems.append(origin.error(f"{field}.name", "duplicate-name", what, "choose another"))
            elif not value:
                what = f"{alias.value!r} is no community"
                problems.append(origin.error(f"{field}.value", MALFORMED, what, "write 65000:100 or large:65000:1:2"))
            else:
                found[alias.name], owners[alias.name] = value, origin.name
    return found


def resolved(given: Iterable[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """The communities that are meant, sorted; a name wins over a literal of that spelling, as in MetalLB."""
    return tuple(sorted({known.get(each) or literal(each) for each in given} - {""}))


def problems_of(origin: Origin, given: tuple[str, ...], known: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the communities of an advertisement; a name that nobody gave may be given yet."""
    yield from repeated(origin, "communities", given)
    for i, each in enumerate(given):
        if each in known or literal(each):
            continue
        if ":" in each:
            yield origin.error(f"communities[{i}]", MALFORMED, f"{each!r} is no community", REMEDY)
        else:
            what = f"no Community gives {each!r} a value: the advertisement waits for one"
            yield origin.warning(f"communities[{i}]", "unknown-community", what, "add it to a Community")


def waits(given: Iterable[str], known: Mapping[str, str]) -> bool:
    """Whether one of them is a name that nobody gave yet."""
    return any(not (each in known or literal(each)) for each in given)
