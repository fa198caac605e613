"""Text for people: aligned columns, and colour where the output is a terminal that wants it."""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """SGR sequences (ECMA-48)."""

    BOLD = "\x1b[1m"
    DIM = "\x1b[2m"
    RED = "\x1b[31m"
    GREEN = "\x1b[32m"
    YELLOW = "\x1b[33m"
    RESET = "\x1b[0m"


CLEAR = "\x1b[H\x1b[2J"


def coloured(stream: TextIO = sys.stdout) -> bool:
    """Whether to use colour: a terminal, and nobody said NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: Colour, *, on: bool) -> str:
    """`text` in `colour`, where it is on."""
    return f"{colour}{text}{Colour.RESET}" if on and text else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, colour: bool) -> str:
    """Columns as wide as their widest cell, two spaces between; empty cells show as a dash."""
    cells = [[cell or "-" for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return "\n".join([paint(line(header), Colour.BOLD, on=colour), *map(line, cells)])
