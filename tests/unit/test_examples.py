"""What conf/examples has for a cluster holds, and its heads tell the truth; routers load theirs in the lab."""

from pathlib import Path

import msgspec
import pytest

from speakerd.cli import main
from tests.examples import EXAMPLES, filled, variables

FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
FILES = sorted(path for path in EXAMPLES.glob("*/*") if path.name != "settings.yaml")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_check_accepts_what_is_for_the_cluster_and_the_host(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [folder / name for name in ("settings.yaml", "kubernetes.yaml") if (folder / name).exists()]
    assert main(["check", "-o", "json", *(word for path in files for word in ("-f", str(path)))]) == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    assert [each["name"] for each in found["pools"]] == ["routed"]
    announced = folder.name != "calico-announces"
    assert [bool(found["peers"]), found["pools"][0]["bgp"], not found["problems"]] == [announced] * 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_a_head_wants_replaced_stands_in_the_file(path: Path) -> None:
    assert variables(path)
    for name, value in variables(path).items():
        others = {other: old for other, old in variables(path).items() if other != name}
        text = filled(path, **others, **{name: "ELSEWHERE"})
        assert text.count("ELSEWHERE") > 1, f"{value} is in the head alone"


def test_every_folder_is_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text()
    assert all(f"[{folder.name}]({folder.name})" in table for folder in FOLDERS)
