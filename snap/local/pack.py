"""snapcraft.yaml -> the tree of the snap, as snapcraft itself would make it, for hosts where that does not run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "snap" / "snapcraft.yaml"
HOOKS = ROOT / "snap" / "hooks"
TAKEN_OVER = (
    *("name", "title", "summary", "description", "license", "base", "grade", "confinement"),
    *("assumes", "system-usernames", "plugs", "hooks", "apps"),
)
"""Keys that stand in meta/snap.yaml as in snapcraft.yaml; the others tell how it is built, or are worked out here."""
BUILD = frozenset({"adopt-info", "platforms", "parts"})


def metadata(project: dict[str, Any], version: str, architecture: str) -> dict[str, Any]:
    """What meta/snap.yaml says. Raises ValueError for a key of the project that nobody has thought of."""
    if unknown := project.keys() - set(TAKEN_OVER) - BUILD:
        raise ValueError(f"{PROJECT}: {', '.join(sorted(unknown))}: not known here")
    kept = {key: project[key] for key in TAKEN_OVER if key in project}
    return {**kept, "version": version, "architectures": [architecture]}


def fill(folder: Path, version: str, architecture: str) -> None:
    """Make the tree of the snap in `folder`: what is compiled, metadata and hooks."""
    subprocess.run([ROOT / "snap" / "local" / "install", folder], check=True, cwd=ROOT)
    hooks = folder / "meta" / "hooks"
    hooks.mkdir(parents=True)
    for hook in HOOKS.iterdir():
        shutil.copy(hook, hooks / hook.name)
    project = yaml.safe_load(PROJECT.read_text())
    text = yaml.safe_dump(metadata(project, version, architecture), sort_keys=False, width=1000)
    (folder / "meta" / "snap.yaml").write_text(text)


if __name__ == "__main__":
    fill(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
