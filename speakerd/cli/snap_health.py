"""The health of the snap as snapd shows it: what is needed and not connected, and credentials that are of no use."""

import subprocess
from collections.abc import Collection
from pathlib import Path

from speakerd import snap
from speakerd.cli import FINE
from speakerd.findings import Finding
from speakerd.kube import noted
from speakerd.snap import Snap


def snapctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Ask snapd, or tell it."""
    return subprocess.run(["snapctl", *arguments], capture_output=True, text=True, check=False)


def running(own: Snap) -> bool:
    """Whether the agent's service is active."""
    lines = snapctl("services", own.service).stdout.splitlines()
    return any(line.split()[:3:2] == [own.service, "active"] for line in lines)


def tell(own: Snap, connected: Collection[str]) -> int:
    """Blocked, with what is to be done first, or okay."""
    needed = [own.command(plug) for plug in snap.missing(connected) if plug in snap.NEEDED]
    wrong = noted.read(Path(own.state))
    if needed:
        snapctl("set-health", f"--code={Finding.SNAP_NOT_CONNECTED}", "blocked", " && ".join(needed))
    elif wrong:
        # snapd shows 70 characters.
        text = wrong.remedy if "snap connect" in wrong.remedy else f"{wrong.where}: {wrong.what}"
        snapctl("set-health", f"--code={Finding.CREDENTIALS_UNUSABLE}", "blocked", text)
    else:
        snapctl("set-health", "okay")
    return FINE


def tell_again(own: Snap) -> None:
    """The same from a service, once a hook has noted what is connected."""
    try:
        connected = Path(own.noted).read_text().split()
    except OSError:
        return
    tell(own, connected)
