"""Which plugs of the snap are connected, as its hooks have noted: a service may not ask snapd."""

from collections.abc import Mapping
from pathlib import Path

from speakerd import snap


def missing(environ: Mapping[str, str]) -> list[str]:
    """Plugs that are not, as `snap connect` names them; none outside of the snap, or where nothing was noted yet."""
    own = snap.inside(environ)
    if own is None:
        return []
    try:
        known = Path(own.noted).read_text().split()
    except OSError:
        return []
    return [f"{own.name}:{plug}" for plug in snap.missing(known)]
