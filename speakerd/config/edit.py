"""One key of a settings file set or taken out, all else left as it was written, comments above all; pure."""

import json
import re
from collections.abc import Sequence

import yaml

from speakerd.config import document
from speakerd.config.document import Mapping, Node, Scalar

Path = Sequence[str]
BARE = re.compile(r"(?!(?:true|false|yes|no|on|off|null)$)[A-Za-z/][\w/.-]*", re.IGNORECASE)
"""Text that needs no quotes, whoever reads it."""


class Unsure(Exception):
    """The text is so written that an edit might hit more than it should."""


def edited(text: str, path: Path, value: str | None) -> str:
    """`text` with the value at `path`; None takes the key out. Raises Unsure, also where `text` is no YAML."""
    try:
        root = yaml.compose(text, document.LOADER)
    except yaml.YAMLError as fault:
        raise Unsure(str(fault)) from None
    before = _tree(text)
    result = _edit(text, root, list(path), value)
    if _tree(result) != _with(before, path, value):
        raise Unsure("anchors, or a form that only people read")
    return result


def _edit(text: str, root: yaml.Node | None, path: list[str], value: str | None) -> str:
    if root is None or _empty(root):
        return text if value is None else _appended(text, path, value)
    if not isinstance(root, yaml.MappingNode):
        raise Unsure("it holds no keys")
    section, rest, entry = _deepest(root, path)
    if rest:
        return text if value is None else _added(text, section, entry, rest, value)
    assert entry is not None
    return _taken_out(text, section, entry) if value is None else _replaced(text, entry[1], quoted(value))


Entry = tuple[yaml.Node, yaml.Node]


def _deepest(root: yaml.MappingNode, path: list[str]) -> tuple[yaml.MappingNode, list[str], Entry | None]:
    """The innermost map on the way, what of the path it lacks, and the entry that is no map where one is in the way."""
    section, rest = root, path
    while True:
        entry = next(((key, node) for key, node in section.value if key.value == rest[0]), None)
        if entry is None:
            return section, rest, None
        if len(rest) == 1:
            return section, [], entry
        if not isinstance(entry[1], yaml.MappingNode):
            return section, rest, entry
        section, rest = entry[1], rest[1:]


def _added(text: str, section: yaml.MappingNode, entry: Entry | None, rest: list[str], value: str) -> str:
    if entry:  # a section without keys: what is below it is written beside it
        if not _empty(entry[1]):
            raise Unsure(f"{rest[0]} is no section")
        return _replaced(text, entry[1], _flow(rest[1:], value, outer=True))
    if section.flow_style:
        at = _index(text, section.start_mark) + 1
        return f"{text[:at]}{_flow(rest, value)}{', ' if section.value else ''}{text[at:]}"
    indent = section.start_mark.column
    if indent == 0 and not text.rstrip().endswith("..."):
        return _appended(text, rest, value)
    at = _line_after(text, section)
    return text[:at] + _block(rest, value, indent) + text[at:]


def _line_after(text: str, section: yaml.MappingNode) -> int:
    """Behind the first entry that is one line, so that a comment stays with the key below it; or before all."""
    for key, node in section.value:
        if isinstance(node, yaml.ScalarNode) and key.start_mark.line == node.end_mark.line:
            end = text.find("\n", _index(text, node.end_mark))
            if end >= 0:
                return end + 1
    first = section.start_mark
    return _index(text, first) - first.column


def _appended(text: str, path: list[str], value: str) -> str:
    end = "" if not text or text.endswith("\n") else "\n"
    return text + end + _block(path, value, 0)


def _replaced(text: str, node: yaml.Node, written: str) -> str:
    start, end = _index(text, node.start_mark), _index(text, node.end_mark)
    before = " " if start == end and not text[start - 1].isspace() else ""
    after = "\n" if text[end - 1 : end] == "\n" and start < end else ""  # a block's last line belongs to it
    return f"{text[:start]}{before}{written}{after}{text[end:]}"


def _taken_out(text: str, section: yaml.MappingNode, entry: Entry) -> str:
    key, node = entry
    if section.flow_style or key.start_mark.line != node.end_mark.line:
        return _replaced(text, node, "null")
    start = _index(text, key.start_mark) - key.start_mark.column
    end = text.find("\n", start)
    return text[:start] + (text[end + 1 :] if end >= 0 else "")


def _block(path: list[str], value: str, indent: int) -> str:
    lines = [f"{' ' * (indent + 2 * depth)}{key}:\n" for depth, key in enumerate(path[:-1])]
    return "".join(lines) + f"{' ' * (indent + 2 * (len(path) - 1))}{path[-1]}: {quoted(value)}\n"


def _flow(path: list[str], value: str, *, outer: bool = False) -> str:
    written = quoted(value)
    for depth, key in enumerate(reversed(path)):
        written = f"{key}: {written}" if depth == 0 else f"{key}: {{{written}}}"
    return f"{{{written}}}" if outer else written


def quoted(value: str) -> str:
    """As YAML reads it back as this very text."""
    return value if BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in document.NULLS


def _index(text: str, mark: yaml.Mark) -> int:
    """Where in the text: line and column are counted alike by all loaders."""
    start = 0
    for _ in range(mark.line):
        start = text.index("\n", start) + 1
    return start + mark.column


def _tree(text: str) -> object:
    found = document.parse(text.encode(), "settings")
    if found.problems or len(found.documents) > 1:
        raise Unsure("its YAML has faults")
    return _plain(found.documents[0]) if found.documents else {}


def _plain(node: Node) -> object:
    """Without places; a key without a value counts as none."""
    match node:
        case Mapping():
            kept = {key: _plain(each) for key, (_, each) in node.entries.items()}
            return {key: each for key, each in kept.items() if each not in (None, {})}
        case Scalar():
            return None if node.null else node.text
    return [_plain(each) for each in node.items]


def _with(tree: object, path: Path, value: str | None) -> object:
    """The same tree with the change that was asked for."""
    entries = dict(tree) if isinstance(tree, dict) else {}
    if len(path) == 1:
        entries.pop(path[0], None)
        below: object = value
    else:
        below = _with(entries.pop(path[0], {}), path[1:], value)
    return {**entries, path[0]: below} if below not in (None, {}) else entries
