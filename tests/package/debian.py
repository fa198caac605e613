"""A Debian 12 tree, made once by debootstrap and kept in the cache."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speakerd"
RELEASE = "bookworm"


def tree(name: str, packages: Sequence[str]) -> Path:
    """The tree called `name`: Debian's smallest with `packages`. Raises RuntimeError where it cannot be made."""
    kept = CACHE / f"debian-{RELEASE}-{name}"
    if not kept.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=CACHE))
        try:
            _bootstrap(made, packages)
            made.rename(kept)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return kept


def _bootstrap(folder: Path, packages: Sequence[str]) -> None:
    folder.chmod(0o755)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", RELEASE, str(folder), *mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | proxies())
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def mirror() -> list[str]:
    """Where this host's apt finds the release, or nothing: debootstrap has a default."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {RELEASE}", "Identifier: Packages"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()[:1]


def proxies() -> dict[str, str]:
    """The proxies of this host's apt, as the environment names them."""
    found = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    pairs = re.findall(r'^Acquire::(https?)::Proxy "(.+)";$', found, re.MULTILINE)
    return {f"{scheme}_proxy": proxy for scheme, proxy in pairs}
