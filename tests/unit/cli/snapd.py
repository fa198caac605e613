"""A stand-in for snapd: a program `snapctl` that has its answers from a folder, and notes there what it was asked."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

NAME = "metallb-speaker"
SERVICES = "Service                   Startup  Current   Notes\nmetallb-speaker.speakerd  enabled  {}  -\n"
SNAPCTL = """\
#!/bin/sh
cd {folder}
{{ printf '%s\t' "$@"; echo; }} >>calls
case $1 in
get) cat config ;;
is-connected) grep -qx "$2" connected ;;
services) cat services ;;
esac
"""


class Snapd:
    """What the snap sees of it, in `folder`, where it has its own folders too."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.data, self.common = folder, folder / "data", folder / "common"
        for each in (self.data, self.common, folder / "bin"):
            each.mkdir()
        program = folder / "bin" / "snapctl"
        program.write_text(SNAPCTL.format(folder=folder))
        program.chmod(0o755)
        environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "SNAP_NAME": NAME,
            "SNAP_INSTANCE_NAME": NAME,
            "SNAP_DATA": str(self.data),
            "SNAP_COMMON": str(self.common),
            "SNAP_REVISION": "x2",
            "SPEAKERD_PATHS_RUN": str(folder),
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        self.set({})
        self.connect(())
        self.service("active")

    @property
    def settings(self) -> Path:
        """The file that `snap set` edits."""
        return self.data / "speakerd.yaml"

    def set(self, values: Mapping[str, Any]) -> None:
        """What `snap set` has said so far; the empty name is all of it."""
        (self.folder / "config").write_text(json.dumps({**values, "": values} if values else {}))

    def connect(self, plugs: Iterable[str]) -> None:
        (self.folder / "connected").write_text("".join(f"{plug}\n" for plug in plugs))

    def service(self, state: str) -> None:
        (self.folder / "services").write_text(SERVICES.format(state))

    def asked(self, word: str) -> list[list[str]]:
        """The calls that began with `word`, without it."""
        notes = self.folder / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [call[1:-1] for call in (line.split("\t") for line in lines) if call[0] == word]
