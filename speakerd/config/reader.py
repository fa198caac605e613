"""A document's tree and the type wanted -> a value, or every fault in it with its place and what to write instead."""

import re
from collections.abc import Callable, Container, Iterable
from typing import Final, TypeVar, cast

from msgspec import UNSET, UnsetType, inspect

from speakerd.config.document import Mapping, Node, Place, Scalar, Sequence
from speakerd.config.durations import duration
from speakerd.config.words import nearest
from speakerd.model import Problem

WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
NUMBER = re.compile(r"[+-]?(?:\.?\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+)")

SHORT = frozenset(("y", "Y", "n", "N"))
"""What YAML 1.1 takes for booleans, besides: kubectl does."""
SECRET = "password"  # noqa: S105  a key's name
"""A key whose value is shown to nobody."""

T = TypeVar("T")
Path = tuple[str | int, ...]
Bounds = tuple[float | None, float | None]
Homes = dict[str, list[str]]


def dotted(path: Path) -> str:
    """`a.b[0].c`, as Kubernetes writes the path of a field."""
    words = [f"[{each}]" if isinstance(each, int) else f".{each}" for each in path]
    return "".join(words).removeprefix(".")


class Reader:
    """Reads trees; `problems` collects what is wrong, `places` where each value stands.

    `exact`: as the API server reads, to whom a number is no text and a quoted number no number. `partial`: structs
    that name only some of an object's fields. `where`: a problem's `object`, by the place of the fault. `homes`: the
    sections a key may stand in, for one that was indented wrongly.
    """

    def __init__(
        self,
        where: Callable[[Place], str] = str,
        *,
        exact: bool = False,
        partial: Container[type] = (),
        homes: Homes | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self.places: dict[str, Place] = {}
        self._where = where
        self._exact = exact
        self._partial = partial
        self._homes = homes or {}

    def read(self, node: Node, wanted: type[T]) -> T | UnsetType:
        """The value, or UNSET where a problem says why there is none."""
        return cast("T | UnsetType", self._value(node, inspect.type_info(wanted), ()))

    def _problem(self, at: Place, path: Path, reason: str, what: str, remedy: str) -> UnsetType:
        self.problems.append(Problem(self._where(at), dotted(path), reason, what, remedy))
        return UNSET

    def _wrong(self, node: Node, path: Path, expected: str, remedy: str) -> UnsetType:
        name = path[-1] if path and isinstance(path[-1], str) else "an entry" if path else "the document"
        shown = "this" if name == SECRET else _shown(node)
        return self._problem(node.at, path, "wrong-type", f"{name} must be {expected}, not {shown}", remedy)

    def _value(self, node: Node, wanted: inspect.Type, path: Path) -> object:
        self.places[dotted(path)] = node.at
        match wanted:
            case inspect.Metadata(type=inner):
                return self._value(node, inner, path)
            case inspect.UnionType(types=types):
                return self._value(node, next(t for t in types if not isinstance(t, inspect.NoneType)), path)
            case inspect.AnyType():
                return plain(node)
            case inspect.StructType() | inspect.VarTupleType() | inspect.DictType():
                return self._collection(node, wanted, path)
        return self._scalar(node, wanted, path)

    def _collection(
        self, node: Node, wanted: inspect.StructType | inspect.VarTupleType | inspect.DictType, path: Path
    ) -> object:
        match wanted, node:
            case inspect.StructType(), Mapping():
                return self._struct(node, wanted, path)
            case inspect.DictType(), Mapping():
                return self._dict(node, wanted, path)
            case inspect.VarTupleType(), Sequence():
                return self._tuple(node, wanted, path)
            case inspect.VarTupleType(item_type=item), _:
                return self._wrong(node, path, "a list", _about_list(node, path, item))
        return self._wrong(node, path, "a map", _about_map(node, path))

    def _struct(self, node: Mapping, wanted: inspect.StructType, path: Path) -> object:
        known = {field.encode_name: field for field in wanted.fields if not _is_place(field)}
        values: dict[str, object] = {field.name: str(node.at) for field in wanted.fields if _is_place(field)}
        for key, (at, each) in node.entries.items():
            if key in known:
                if not (isinstance(each, Scalar) and each.null):
                    values[known[key].name] = self._value(each, known[key].type, (*path, key))
            elif wanted.cls not in self._partial:
                self._unknown(key, at, known, path)
        missing = [f.encode_name for f in known.values() if f.required and f.name not in values]
        for name in missing:
            self._problem(node.at, (*path, name), "missing-key", f"{name} is missing", f"write {name}: ...")
        if missing or UNSET in values.values():
            return UNSET
        return wanted.cls(**values)

    def _unknown(self, key: str, at: Place, known: Iterable[str], path: Path) -> None:
        if homes := self._homes.get(key):
            remedy = f"it belongs under {' or '.join(homes)}"
        elif guess := nearest(key, known):
            remedy = f"did you mean {guess}?"
        else:
            remedy = f"known here: {', '.join(sorted(known))}"
        self._problem(at, (*path, key), "unknown-key", f"unknown key {key!r}", remedy)

    def _tuple(self, node: Sequence, wanted: inspect.VarTupleType, path: Path) -> object:
        if wanted.max_length is not None and len(node.items) > wanted.max_length:
            what = f"{len(node.items)} entries are more than {wanted.max_length}"
            return self._problem(node.at, path, "out-of-range", what, "is this the right list?")
        values = [self._value(each, wanted.item_type, (*path, i)) for i, each in enumerate(node.items)]
        return UNSET if UNSET in values else tuple(values)

    def _dict(self, node: Mapping, wanted: inspect.DictType, path: Path) -> object:
        read = {k: self._value(each, wanted.value_type, (*path, k)) for k, (_, each) in node.entries.items()}
        return UNSET if UNSET in read.values() else read

    def _scalar(self, node: Node, wanted: inspect.Type, path: Path) -> object:
        if not isinstance(node, Scalar):
            return self._wrong(node, path, "a single value", "write it without brackets and dashes")
        match wanted:
            case inspect.StrType():
                return self._text(node, path)
            case inspect.BoolType():
                return self._bool(node, path)
            case inspect.LiteralType(values=values):
                return self._one_of(node, [str(each) for each in values], path)
            case inspect.IntType(ge=least, le=most):
                return self._whole(node, path, (least, most))
            case inspect.FloatType(ge=least, le=most):
                return self._seconds(node, path, (least, most))
        raise AssertionError(wanted)

    def _text(self, node: Scalar, path: Path) -> object:
        if self._exact and node.plain and (node.null or looks_otherwise(node.text)):
            kind = "null" if node.null else "a number" if NUMBER.fullmatch(node.text) else "a boolean"
            shown = "it" if path[-1:] == (SECRET,) else node.text
            what = f"{shown} without quotes is {kind}, and must be text"
            return self._problem(node.at, path, "wrong-type", what, f'write "{shown}"' if shown != "it" else "quote it")
        return node.text

    def _bool(self, node: Scalar, path: Path) -> object:
        if node.text not in TRUE | FALSE or (self._exact and not node.plain):
            return self._wrong(node, path, "true or false", "write true or false, without quotes")
        return node.text in TRUE

    def _one_of(self, node: Scalar, values: list[str], path: Path) -> object:
        if node.text not in values:
            guess = nearest(node.text, values)
            remedy = f"did you mean {guess}?" if guess and len(node.text) > 2 else f"use {' or '.join(values)}"
            return self._problem(
                node.at, path, "not-one-of", f"{node.text!r} is not one of {', '.join(values)}", remedy
            )
        return node.text

    def _whole(self, node: Scalar, path: Path, bounds: Bounds) -> object:
        if not WHOLE.fullmatch(node.text) or (self._exact and not node.plain):
            return self._wrong(node, path, "a whole number", "write decimal digits alone, no leading zero")
        return self._bounded(node, path, int(node.text), bounds, "")

    def _seconds(self, node: Scalar, path: Path, bounds: Bounds) -> object:
        seconds = duration(node.text)
        if seconds is None:
            return self._wrong(node, path, "a time", "write 60s, 12ms, 1m30s or 24h; a bare number is seconds")
        return self._bounded(node, path, seconds, bounds, "s")

    def _bounded(self, node: Scalar, path: Path, value: float, bounds: Bounds, unit: str) -> object:
        least, most = bounds
        if least is not None and value < least:
            what = f"{node.text} is less than {least:.15g}{unit}"
            return self._problem(node.at, path, "out-of-range", what, f"write {least:.15g}{unit} or more")
        if most is not None and value > most:
            what = f"{node.text} is more than {most:.15g}{unit}"
            return self._problem(node.at, path, "out-of-range", what, f"write {most:.15g}{unit} or less")
        return value


def looks_otherwise(text: str) -> bool:
    """Whether text without quotes is a number or a boolean to a reader of YAML."""
    return text in TRUE | FALSE | SHORT or NUMBER.fullmatch(text) is not None


def plain(node: Node) -> object:
    """The tree as JSON has it; scalars without quotes become null, booleans and whole numbers where they look so."""
    match node:
        case Mapping():
            return {key: plain(each) for key, (_, each) in node.entries.items()}
        case Sequence():
            return [plain(each) for each in node.items]
        case Scalar(text=text, plain=True) if node.null or text in ("true", "false") or WHOLE.fullmatch(text):
            return None if node.null else int(text) if WHOLE.fullmatch(text) else text == "true"
    return node.text


PLACE: Final = "place"
"""In a field's Meta(extra=...): the reader writes here where the struct stands."""


def _is_place(field: inspect.Field) -> bool:
    return isinstance(field.type, inspect.Metadata) and bool((field.type.extra or {}).get(PLACE))


def _shown(node: Node) -> str:
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
    return f"{node.text[:40]!r}"


def _about_map(node: Node, path: Path) -> str:
    if isinstance(node, Scalar) and path and isinstance(path[-1], int):
        return "begin it with - name: ..."
    if isinstance(node, Scalar) and ":" in node.text:
        return "put a space after the colon"
    if isinstance(node, Scalar) and " " in node.text:
        return "put a colon and a space between key and value"
    return f"write {path[-1]}: and its keys below, indented" if path else "write key: value, one a line"


def _about_list(node: Node, path: Path, item: inspect.Type) -> str:
    if isinstance(node, Scalar) and isinstance(item, inspect.StrType):
        return f"write {path[-1]}: [{', '.join(node.text.replace(',', ' ').split())}]"
    return "begin each entry with a dash and a space"
