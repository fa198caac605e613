"""A rule taken out of the code: pieces of its source replaced, in a process that has not read them yet."""

import importlib.abc
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from msgspec import Struct

SOURCE = Path(__file__).parents[2] / "speakerd"


class Piece(Struct, frozen=True):
    """`text` stands once in `file`, under speakerd/; without the rule `instead` stands there."""

    file: str
    text: str
    instead: str


Removal = tuple[Piece, ...]
"""Several pieces where a rule is kept in several places: without all of them it still holds."""


def out(file: str, text: str, instead: str = "") -> Removal:
    """The removal of one piece."""
    return (Piece(file, text, instead),)


def misplaced(removal: Removal) -> Iterator[str]:
    """Of the pieces that do not stand in their file exactly once: which, and how often they do."""
    for each in removal:
        times = (SOURCE / each.file).read_text().count(each.text)
        if times != 1:
            yield f"{each.file}: {each.text!r} stands there {times} times"


def take_out(removal: Removal) -> None:
    """Import the product without the rule from now on, in this process."""
    assert "speakerd" not in sys.modules, "what was imported before has the rule still"
    sys.meta_path.insert(0, _Finder(_sources(removal)))


def _sources(removal: Removal) -> dict[str, str]:
    """The text of the files without the rule, by path."""
    found: dict[str, str] = {}
    for each in removal:
        path = SOURCE / each.file
        found[str(path)] = found.get(str(path), path.read_text()).replace(each.text, each.instead)
    return found


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules where Python does; those that were changed, with their new text."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or spec.origin not in self._sources:
            return None
        spec.loader = _Loader(fullname, spec.origin, self._sources[spec.origin])
        return spec


class _Loader(SourceFileLoader):
    """Compiles the text given, whatever the file or its bytecode says."""

    def __init__(self, fullname: str, path: str, text: str) -> None:
        super().__init__(fullname, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._text, self.get_filename(fullname), "exec", dont_inherit=True)
        return code
