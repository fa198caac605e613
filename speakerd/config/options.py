"""What `snap set` may say: short names for a few keys of the settings file; pure."""

from collections.abc import Iterator, Mapping

from speakerd.config import document
from speakerd.config.addresses import items
from speakerd.config.words import nearest
from speakerd.model import Problem

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "iprange": ("iprange",),
    "kubeconfig": ("kubernetes", "kubeconfig"),
    "namespace": ("kubernetes", "namespace"),
    "load-balancer-class": ("kubernetes", "loadBalancerClass"),
    "node-name": ("node", "name"),
    "log-level": ("log", "level"),
}
"""Option -> its key in the file."""
INVALID = "Invalid iprange: "
"""How the charm begins what it says of this option."""
REST = "other keys go to /etc/speakerd.yaml: metallb-speaker check --example"


def texts(asked: Mapping[str, object]) -> dict[str, str]:
    """The options as text; snapd takes what looks like JSON for it: numbers, true and false."""
    return {name: _text(value) for name, value in asked.items() if name in OPTIONS and value is not None}


def news(asked: Mapping[str, object], before: Mapping[str, str]) -> dict[str, str | None]:
    """Which options are to be changed to what, None: taken out."""
    now = texts(asked)
    return {name: now.get(name) for name in OPTIONS if now.get(name) != before.get(name)}


def faults(asked: Mapping[str, object]) -> Iterator[Problem]:
    """What is wrong before the values are looked at."""
    for name, value in asked.items():
        if name not in OPTIONS:
            guess = nearest(name, OPTIONS)
            remedy = f"did you mean {guess}?" if guess else f"known: {', '.join(OPTIONS)}; {REST}"
            yield Problem(name, "", "unknown-key", "unknown option", remedy)
        elif isinstance(value, dict | list):
            yield Problem(name, "", "wrong-type", f"{name} must be a single value", "write it without brackets")
    if "iprange" in asked and not items(_text(asked["iprange"])):
        what = f"{INVALID}iprange must not be empty"
        yield Problem("iprange", "", "malformed-address", what, "snap unset metallb-speaker iprange takes it away")


def told(problem: Problem, file: str) -> Problem:
    """A problem of `file` in terms of the option that brought it about, if one did."""
    option = next((name for name, path in OPTIONS.items() if ".".join(path) == problem.field), None)
    if option is None or not problem.object.startswith(file):
        return problem
    what = (INVALID if option == "iprange" else "") + problem.message
    return Problem(option, problem.field, problem.reason, what, problem.remedy)


def written(text: str) -> dict[str, str]:
    """The options as a settings file has them."""
    found = document.parse(text.encode(), "settings")
    tree = found.documents[0] if len(found.documents) == 1 else None
    values = {name: _at(tree, path) for name, path in OPTIONS.items()}
    return {name: value for name, value in values.items() if value is not None}


def _at(node: document.Node | None, path: tuple[str, ...]) -> str | None:
    for key in path:
        entry = node.entries.get(key) if isinstance(node, document.Mapping) else None
        node = entry[1] if entry else None
    return node.text if isinstance(node, document.Scalar) and not node.null else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
