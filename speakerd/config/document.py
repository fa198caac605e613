"""YAML text -> a tree that knows where each value stands; scalars stay text until the reader knows what they should be.

Reading scalars by the type wanted, not by their look, is what keeps YAML 1.1's surprises out: `on`, `no`, 010, 10:30.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from msgspec import Struct

from speakerd.model import Problem

SETTINGS_NODES = 100_000
"""Values in a settings file, aliases counted each time they are used: far above any real file, far below harm."""
DEPTH = 64
"""Levels of nesting; ours end at ten."""
UNREADABLE = "unreadable"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
CORE = "tag:yaml.org,2002:"
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""YAML 1.1 section 5.1, the byte order mark not among them."""
HINTS = (
    ("mapping values are not allowed", "quote a value that holds ': ', and check the indentation of this line"),
    ("expected ':'", "write a colon and a space after the key"),
    ("expected <block end>", "indent this line like its neighbours"),
    ("did not find expected key", "indent this line like its neighbours"),
    ("did not find expected '-' indicator", "indent this line like the other entries of its list"),
    ("expected ',' or", "close the bracket, or put a comma between the entries"),
    ("unexpected end of stream", "close the quote"),
    ("cannot start any token", "quote a value that begins with a special character"),
    ("unexpected end of document", "close the bracket or quote"),
    ("did not find expected alphabetic or numeric character", "quote a value that begins with * or &"),
)


class Place(NamedTuple):
    """Where something stands, counted from 1; line 0: the whole source."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Scalar(Struct, frozen=True):
    """A single value as written; `plain`: without quotes. `weight`: values herein, `depth`: levels; as in all nodes."""

    text: str
    plain: bool
    at: Place
    weight: int = 1
    depth: int = 0

    @property
    def null(self) -> bool:
        """Whether it stands for no value."""
        return self.plain and self.text in NULLS


class Sequence(Struct, frozen=True):
    """A list."""

    items: tuple["Node", ...]
    at: Place
    weight: int = 1
    depth: int = 1


class Mapping(Struct, frozen=True):
    """A map: key -> where the key stands, and the value."""

    entries: dict[str, tuple[Place, "Node"]]
    at: Place
    weight: int = 1
    depth: int = 1


Node = Scalar | Sequence | Mapping


class Parsed(Struct, frozen=True):
    """The documents of a text that are not empty, and its faults; `unreadable`: it is no YAML."""

    documents: tuple[Node, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def unreadable(self) -> bool:
        """Whether the text could not be read at all."""
        return any(each.reason == UNREADABLE for each in self.problems)


class _Fault(Exception):
    def __init__(self, at: Place, what: str, remedy: str) -> None:
        super().__init__(what)
        self.at, self.what, self.remedy = at, what, remedy


class _Open:
    """A collection whose end has not come yet."""

    def __init__(self, at: Place, anchor: str | None, *, mapping: bool) -> None:
        self.at, self.anchor, self.mapping = at, anchor, mapping
        self.nodes: list[Node] = []


def parse(data: bytes, source: str, limit: int = SETTINGS_NODES) -> Parsed:
    """The documents in `data`, of at most `limit` values; what is wrong becomes problems, nothing is raised."""
    builder = _Builder(source, limit)
    try:
        text = _decoded(data, source)
        for event in _events(text, source):
            builder.take(event)
    except _Fault as fault:
        problem = Problem(str(fault.at), "", UNREADABLE, fault.what, fault.remedy)
        return Parsed(problems=(*builder.problems, problem))
    return Parsed(tuple(builder.documents), tuple(builder.problems))


def _decoded(data: bytes, source: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Fault(Place(source, 1, 1), "this is UTF-16", "save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        at = _place(data[: fault.start].decode("utf-8-sig", "replace"), source)
        raise _Fault(at, f"byte 0x{data[fault.start]:02x} is not UTF-8", "save the file as UTF-8") from None
    if found := UNPRINTABLE.search(text):
        what = f"character U+{ord(found[0]):04X} cannot stand in YAML"
        raise _Fault(_place(text[: found.start()], source), what, "remove it; is this the right file?")
    return text


def _place(before: str, source: str) -> Place:
    return Place(source, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _events(text: str, source: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except yaml.MarkedYAMLError as fault:
        mark = fault.context_mark if "end of stream" in (fault.problem or "") else fault.problem_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        raise _Fault(
            Place(source, line + 1, column + 1), *_explained(text, line, fault.problem or "not YAML")
        ) from None
    except yaml.YAMLError as fault:
        raise _Fault(Place(source), f"not YAML: {fault}", "is this the right file?") from None


def _explained(text: str, line: int, problem: str) -> tuple[str, str]:
    """What is wrong and what to do, in an operator's words."""
    lines = text.splitlines()
    near = [each for each in lines[max(0, line - 1) : line + 1] if "\t" in each[: len(each) - len(each.lstrip())]]
    if near:
        return "a tab in the indentation", "indent with spaces"
    remedy = next((remedy for words, remedy in HINTS if words in problem), "check colons, quotes and indentation")
    return f"not YAML: {problem}", remedy


class _Builder:
    """Takes the parser's events one by one; never recurses, so that no file is too deep for it."""

    def __init__(self, source: str, limit: int) -> None:
        self._source = source
        self._left = limit
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self.documents: list[Node] = []
        self.problems: list[Problem] = []

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._add(Scalar(event.value, self._plain(event), self._at(event)), event.anchor)
            case yaml.AliasEvent():
                self._add_alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._checked(event)
                self._checked_depth(self._at(event), 1)
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._open.append(_Open(self._at(event), event.anchor, mapping=mapping))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close(self._open.pop())
            case yaml.DocumentStartEvent():
                self._anchors.clear()
            case _:
                pass

    def _at(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self._source, mark.line + 1, mark.column + 1) if mark else Place(self._source)

    def _plain(self, event: yaml.ScalarEvent) -> bool:
        self._checked(event)
        return not event.style and event.tag is None

    def _checked(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        """Tags may say what the reader assumes anyway; others are a fault."""
        if event.tag not in (None, "!", f"{CORE}str", f"{CORE}seq", f"{CORE}map"):
            what = f"tag {event.tag.replace(CORE, '!!')} is not understood"
            raise _Fault(self._at(event), what, "remove it, or quote a value that begins with !")

    def _checked_depth(self, at: Place, more: int) -> None:
        if len(self._open) + more > DEPTH:
            raise _Fault(at, f"nested deeper than {DEPTH} levels", "is this the right file?")

    def _close(self, done: _Open) -> None:
        weight = 1 + sum(each.weight for each in done.nodes)
        depth = 1 + max((each.depth for each in done.nodes), default=0)
        if done.mapping:
            node: Node = Mapping(self._entries(done), done.at, weight, depth)
        else:
            node = Sequence(tuple(done.nodes), done.at, weight, depth)
        self._add(node, done.anchor)

    def _add(self, node: Node, anchor: str | None, weight: int = 1) -> None:
        if anchor:
            self._anchors[anchor] = node
        self._left -= weight
        if self._left < 0:
            raise _Fault(node.at, "too many values (aliases count each time)", "is this the right file?")
        if self._open:
            self._open[-1].nodes.append(node)
        elif not (isinstance(node, Scalar) and node.null):
            self.documents.append(node)

    def _add_alias(self, event: yaml.AliasEvent) -> None:
        """A node that is still open has no name yet, so that no alias can hold itself."""
        at = self._at(event)
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise _Fault(at, f"*{event.anchor} names no &{event.anchor} before it", "quote a value that begins with *")
        self._checked_depth(at, node.depth)
        self._add(node, None, node.weight)

    def _entries(self, done: _Open) -> dict[str, tuple[Place, Node]]:
        entries: dict[str, tuple[Place, Node]] = {}
        merged: list[Node] = []
        for key, value in zip(done.nodes[::2], done.nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problem(key.at, "unknown-key", "a key must be a word", "quote { and [ at the start of a value")
            elif key.plain and key.text == "<<":
                merged.append(value)
            elif key.text in entries:
                first = entries[key.text][0].line
                what = f"key {key.text!r} stands here a second time (first on line {first})"
                self._problem(key.at, "duplicate-key", what, "merge the two")
            else:
                entries[key.text] = (key.at, value)
        for each in merged:
            self._merge(entries, each)
        return entries

    def _merge(self, entries: dict[str, tuple[Place, Node]], node: Node) -> None:
        """YAML 1.1's merge key: what stands here already wins."""
        for each in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(each, Mapping):
                for key, entry in each.entries.items():
                    entries.setdefault(key, entry)
            else:
                self._problem(each.at, "wrong-type", "<< merges maps only", "name a map by *alias")

    def _problem(self, at: Place, reason: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(str(at), "", reason, what, remedy))
