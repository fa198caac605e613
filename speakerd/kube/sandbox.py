"""Kubeconfigs that the sandbox of the snap keeps from us, and the command that lets them through."""

from collections.abc import Mapping
from pathlib import Path

from speakerd import connected, snap


def remedy(path: str, ours: str, environ: Mapping[str, str]) -> str:
    """What helps where the file at `path`, or without one all of the known places, cannot be read; "" if that is usual.

    `ours`: where a kubeconfig can always be put.
    """
    own = snap.inside(environ)
    if own is None or (path and any(Path(path).is_relative_to(folder) for folder in (own.data, own.common))):
        return ""
    plug = f"{own.name}:{snap.KUBECONFIGS}"
    if path and not any(Path(path).is_relative_to(each) for each in snap.READABLE):
        return f"a snap may not read there: put a copy at {ours}"
    if plug not in connected.missing(environ):
        return ""
    strict = f"; for a strict microk8s sudo snap connect {own.name}:{snap.MICROK8S}"
    return f"sudo snap connect {plug}{'' if path else strict}; or put one at {ours}"
