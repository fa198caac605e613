"""What is wrong with settings, as errors for people."""

from collections.abc import Iterable

from speakerd.cli import fail
from speakerd.model import Problem


def tell(problems: Iterable[Problem]) -> None:
    """Say each, a line on standard error."""
    for each in problems:
        fail(each.object, each.message, each.remedy, each.severity)
