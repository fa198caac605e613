"""What a BGPAdvertisement asks for by annotations of ours, since its spec has no field for it; pure."""

from collections.abc import Mapping

from msgspec import Struct

from speakerd.config.origin import Origin
from speakerd.config.resources import MED, MOST_MED, MOST_PREPENDED, PREPEND, BGPAdvertisement
from speakerd.config.words import nearest
from speakerd.model import Problem

OURS = "speakerd.io/"
MOST: Mapping[str, int] = {PREPEND: MOST_PREPENDED, MED: MOST_MED}
"""Of each annotation."""
KEYS: Mapping[str, str] = {PREPEND: "asPathPrepend", MED: "med"}
"""What the settings file calls it."""


class Wishes(Struct, frozen=True):
    """`med`, `prepend`: as in peering.Wording."""

    med: int | None = None
    prepend: int = 0


def wishes(origin: Origin, each: BGPAdvertisement, problems: list[Problem]) -> Wishes:
    """What the annotations of an advertisement ask for; a fault in them takes it out of force."""
    noted = {key: text for key, text in each.metadata.annotations.items() if key.startswith(OURS)}
    found = {key: _whole(noted[key], most) for key, most in MOST.items() if key in noted}
    for key, number in found.items():
        if number is None:
            what = f"{noted[key][:40]!r} is not a whole number, 0 to {MOST[key]}"
            problems.append(Problem(origin.name, field(origin.prefix, key), "out-of-range", what, _remedy(key)))
    problems += [_unknown(origin, key) for key in sorted(noted.keys() - MOST.keys())]
    return Wishes(found.get(MED), found.get(PREPEND) or 0)


def field(prefix: str, key: str) -> str:
    """What a problem calls an annotation: of an object of the cluster, or of an entry of the settings file."""
    return f"metadata.annotations[{key}]" if prefix else KEYS[key]


def _whole(text: str, most: int) -> int | None:
    """Decimal digits alone, as many as the largest number has."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    return int(text) if int(text) <= most else None


def _remedy(key: str) -> str:
    return 'write "1" to "3"; more seldom helps' if key == PREPEND else 'write "100", in quotes'


def _unknown(origin: Origin, key: str) -> Problem:
    """A slip in the name would leave it without effect, and nobody would see."""
    guess = nearest(key, MOST)
    remedy = f"did you mean {guess}?" if guess else f"known here: {', '.join(MOST)}"
    where = f"metadata.annotations[{key}]"
    return Problem(origin.name, where, "unknown-annotation", f"{key} means nothing here", remedy, "warning")
