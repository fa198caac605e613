"""Where an object stands, and what is looked at in every one: selectors, and the names in it; pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from speakerd.config import selectors
from speakerd.config.resources import LabelSelector
from speakerd.config.words import nearest
from speakerd.model import Problem

Labels = Mapping[str, Mapping[str, str]]
"""By name of the object that has them."""


class Origin(Struct, frozen=True):
    """Where an object stands, for people, and what its spec's fields are called there."""

    name: str
    prefix: str = ""

    def error(self, field: str, reason: str, what: str, remedy: str) -> Problem:
        """A fault that makes the configuration invalid."""
        return Problem(self.name, self.prefix + field, reason, what, remedy)

    def warning(self, field: str, reason: str, what: str, remedy: str) -> Problem:
        """A fault that does not."""
        return Problem(self.name, self.prefix + field, reason, what, remedy, "warning")


def matching(chosen: Iterable[LabelSelector], labels: Labels) -> frozenset[str]:
    """The names whose labels one of the selectors matches."""
    chosen = tuple(chosen)
    return frozenset(name for name, own in labels.items() if selectors.any_matches(chosen, own))


def selector_problems(origin: Origin, field: str, given: Iterable[LabelSelector]) -> Iterator[Problem]:
    """What the API server would refuse in a list of selectors."""
    for i, selector in enumerate(given):
        yield from faults(origin, f"{field}[{i}]", selector)


def faults(origin: Origin, field: str, selector: LabelSelector) -> Iterator[Problem]:
    """What it would refuse in one."""
    for what in selectors.faults(selector):
        remedy = "see kubernetes.io/docs/concepts/overview/working-with-objects/labels"
        yield origin.error(field, "malformed-selector", what, remedy)


def repeated(origin: Origin, field: str, given: Iterable[str]) -> Iterator[Problem]:
    """Names that stand in a list more than once."""
    for name, times in Counter(given).items():
        if times > 1:
            yield origin.error(field, "repeated", f"{name} stands here {times} times", "name it once")


def named(origin: Origin, field: str, kind: str, given: Iterable[str], known: Iterable[str]) -> Iterator[Problem]:
    """Names of objects that do not exist, which may come yet, and such as stand there more than once."""
    given = tuple(given)
    for i, name in enumerate(given):
        if name not in known:
            guess = nearest(name, known)
            remedy = f"did you mean {guess}?" if guess else f"name a {kind}, or remove it"
            yield origin.warning(f"{field}[{i}]", f"unknown-{kind}", f"there is no {kind} {name}", remedy)
    yield from repeated(origin, field, given)
