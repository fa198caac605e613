"""Label selectors, as Kubernetes matches them; pure."""

import re
from collections.abc import Iterable, Mapping

from speakerd.config.resources import Expression, LabelSelector

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def any_matches(selectors: Iterable[LabelSelector], labels: Mapping[str, str]) -> bool:
    """Whether one of `selectors` matches; a list of them means OR."""
    return any(matches(each, labels) for each in selectors)


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether all of `selector` holds for `labels`; an empty one matches everything."""
    equal = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return equal and all(_holds(each, labels) for each in selector.match_expressions)


def _holds(expression: Expression, labels: Mapping[str, str]) -> bool:
    """NotIn and DoesNotExist hold where the label is missing; an unknown operator never holds."""
    value = labels.get(expression.key)
    match expression.operator:
        case "In":
            return value is not None and value in expression.values
        case "NotIn":
            return value not in expression.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def keys(selectors: Iterable[LabelSelector]) -> frozenset[str]:
    """The labels on which it depends whether `selectors` match."""
    found: set[str] = set()
    for each in selectors:
        found.update(each.match_labels, (expression.key for expression in each.match_expressions))
    return frozenset(found)


NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{NAME}")
VALUE = re.compile(rf"({NAME})?")


def faults(selector: LabelSelector) -> list[str]:
    """What the API server would refuse in it."""
    keys_of, values = list(selector.match_labels), list(selector.match_labels.values())
    for each in selector.match_expressions:
        keys_of.append(each.key)
        values += each.values
    found = [f"{each!r} is no key of a label" for each in keys_of if not KEY.fullmatch(each)]
    found += [f"{each!r} is no value of a label" for each in values if not VALUE.fullmatch(each)]
    for each in selector.match_expressions:
        if each.operator not in OPERATORS:
            found.append(f"operator {each.operator!r} is not one of {', '.join(OPERATORS)}")
        elif each.operator in OPERATORS[:2] and not each.values:
            found.append(f"{each.key} {each.operator} needs values")
        elif each.operator in OPERATORS[2:] and each.values:
            found.append(f"{each.key} {each.operator} takes no values")
    return found
