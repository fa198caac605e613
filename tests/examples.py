"""The files of conf/examples, with the values that their heads name replaced, and nothing else."""

import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "conf" / "examples"
NAMED = re.compile(r"^[#!] +([A-Z]+) = (\S+)", re.MULTILINE)
"""A value to be replaced, as the head of a file names it."""
WHOLE = r"(?<![\w.:]){}(?![\w.:])"
"""A value that is no part of another, as 192.0.2.1 is of 192.0.2.11."""


def variables(path: Path) -> dict[str, str]:
    """The values that are to be replaced, by name."""
    return dict(NAMED.findall(path.read_text()))


def filled(path: Path, **values: str) -> str:
    """A file for one place: all that it wants replaced, by name; its head included."""
    text, wanted = path.read_text(), variables(path)
    assert wanted.keys() == values.keys(), f"{path} wants {sorted(wanted)}"
    found = {wanted[name]: value for name, value in values.items()}
    every = "|".join(WHOLE.format(re.escape(value)) for value in found)
    return re.sub(every, lambda match: found[match[0]], text) if found else text
