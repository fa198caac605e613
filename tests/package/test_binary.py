"""What was compiled: it stands alone, wherever it is put, and starts at once."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakerd import __version__
from speakerd.supervisor import USER
from tests.lab.agents import BINARY, ROOT
from tests.lab.waiting import eventually

FOLDER = Path(BINARY[0]).parent
ONE_FILE = ROOT / "dist" / "speakerd"
LARGEST = 15 << 20
"""Bytes of the one file: what an administrator copies to every node."""
UID = 4242
"""Of a user whom nobody has here."""
SLOWEST = 0.1
"""Seconds that `version` may take, at its best of several, on a machine that does other work too."""


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled folder at another place, by a name of its own."""
    if not FOLDER.is_dir():
        pytest.skip(f"{FOLDER} is not there: run ./dev build")
    place = tmp_path_factory.mktemp("elsewhere") / "agent"
    shutil.copytree(FOLDER, place)
    return place / "speakerd"


def said(program: Path, *arguments: str) -> str:
    """What it prints with nothing of Python's, nor of this tree's, around it."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env={}, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_runs_from_anywhere(moved: Path) -> None:
    assert json.loads(said(moved, "version", "-o", "json"))["version"] == __version__


def test_it_obeys_no_python_environment(moved: Path, tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit(9)")
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path)}
    assert subprocess.run([moved, "version"], env=environment, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_structs_decode_all_their_fields(moved: Path, tmp_path: Path) -> None:
    file = tmp_path / "speakerd.yaml"
    file.write_text("addressPools: [{name: lan, addresses: [10.0.0.0/28], autoAssign: false}]")
    (pool,) = json.loads(said(moved, "check", "-f", str(file), "-o", "json"))["pools"]
    assert (pool["name"], pool["cidrs"], pool["autoAssign"]) == ("lan", ["10.0.0.0/28"], False)


def test_it_finds_itself_whole(moved: Path) -> None:
    assert json.loads(said(moved, "version", "--check", "-o", "json"))["version"] == __version__


def test_it_has_what_it_prints_with_it(moved: Path) -> None:
    assert said(moved, "check", "--example") == (ROOT / "conf" / "speakerd.yaml").read_text()
    assert "ipaddresspools.metallb.io" in said(moved, "crds")


def test_it_starts_at_once(moved: Path) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        said(moved, "version")
        return time.perf_counter() - began

    assert min(seconds() for _ in range(11)) < SLOWEST


def test_the_one_file_is_small_and_alone_enough(tmp_path: Path, moved: Path) -> None:
    alone = tmp_path / "speakerd"
    shutil.copy(ONE_FILE, alone)
    assert alone.stat().st_size < LARGEST
    assert said(alone, "version") == said(moved, "version")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that other users reach."""
    with tempfile.TemporaryDirectory(prefix="speakerd-one-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def test_the_one_file_begun_by_root_goes_on_as_the_user_that_the_host_has_for_it(open_to_all: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root")
    users, config, run = open_to_all / "passwd", open_to_all / "speakerd.yaml", open_to_all / "run"
    users.write_text(f"{Path('/etc/passwd').read_text()}{USER}:x:{UID}:{UID}::/:/bin/false\n")
    config.write_text(json.dumps({"node": {"name": "a"}, "paths": {"state": f"{open_to_all}/state", "run": str(run)}}))
    begin = 'mount --bind "$0" /etc/passwd && exec "$1" run --config "$2"'
    command = ["unshare", "--mount", "--net", "bash", "-c", begin, str(users), str(ONE_FILE), str(config)]
    process = subprocess.Popen(command)
    try:
        ask = [str(ONE_FILE), "status", "--run", str(run), "-o", "json"]
        told = eventually(lambda: subprocess.run(ask, capture_output=True, check=False).stdout, "it answers", 30)
        processes = json.loads(told)["processes"]
        assert {Path(f"/proc/{processes[each]}").stat().st_uid for each in ("supervisor", "controller")} == {UID}
    finally:
        process.terminate()
        process.wait()


def test_nothing_in_it_names_the_place_it_was_built(moved: Path) -> None:
    home = os.fsencode(ROOT)
    assert not [path for path in moved.parent.rglob("*") if path.is_file() and home in path.read_bytes()]
