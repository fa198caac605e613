"""What the demo says: a line a step as it happens, figures for scripts, one line at the end."""

import sys
import time
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from speakerd.cli.terminal import Colour, coloured, paint

WIDTH = 11


class Step(Struct, frozen=True):
    """Something happened, `at` seconds after the start."""

    at: float
    what: str
    text: str


class Teller:
    """Tells the steps on standard output as they happen, or, when `quiet`, all of them at the end as JSON."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._colour = not quiet and coloured()
        self._start = time.monotonic()
        self.steps: list[Step] = []
        self.figures: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def head(self, text: str) -> None:
        """The line above all others."""
        self._print(paint(text, Colour.BOLD, on=self._colour))

    def step(self, what: str, text: str) -> None:
        """Say that something happened just now."""
        found = Step(round(self.elapsed, 3), what, text)
        self.steps.append(found)
        when = paint(f"{found.at:8.3f} s", Colour.DIM, on=self._colour)
        self._print(f"{when}  {paint(what.ljust(WIDTH), Colour.GREEN, on=self._colour)} {text}")

    def note(self, text: str) -> None:
        """An explanation, below the step it belongs to."""
        self._print(paint(f"{'':12}{'':{WIDTH}} {text}", Colour.DIM, on=self._colour))

    def lines(self, title: str, commands: Mapping[str, str]) -> None:
        """Commands to try."""
        self._print("\n" + paint(title, Colour.BOLD, on=self._colour))
        for what, command in commands.items():
            self._print(f"  {paint(f'# {what}', Colour.DIM, on=self._colour)}\n  {command}")
        self._print("")

    def end(self, text: str, *, ok: bool) -> None:
        """The summary line, or the whole as JSON."""
        if self._quiet:
            whole = {"ok": ok, "summary": text, "figures": self.figures, "steps": self.steps}
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n")
        else:
            self._print(paint(text, Colour.GREEN if ok else Colour.RED, on=self._colour))

    def _print(self, text: str) -> None:
        if not self._quiet:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
