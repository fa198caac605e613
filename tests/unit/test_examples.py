"""What conf/examples has for a cluster holds, and its heads tell the truth; routers load theirs in the lab."""

from pathlib import Path

import msgspec
import pytest
import yaml

from speakerd.cli import main
from tests.examples import EXAMPLES, filled, variables

FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
FILES = sorted(path for path in EXAMPLES.glob("*/*") if path.name != "settings.yaml")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_check_accepts_what_is_for_the_cluster_and_the_host(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [folder / name for name in ("settings.yaml", "kubernetes.yaml") if (folder / name).exists()]
    assert main(["check", "-o", "json", *(word for path in files for word in ("-f", str(path)))]) == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    (pool,) = found["pools"]
    if folder.name == "first-service":
        assert (pool["name"], pool["layer2"], found["problems"]) == ("lan", True, [])
        return
    assert pool["name"] == "routed"
    announced = folder.name != "calico-announces"
    assert [bool(found["peers"]), pool["bgp"], not found["problems"]] == [announced] * 3


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


def test_the_web_server_of_the_first_service_gets_an_address_of_its_pool(capsys: pytest.CaptureFixture[str]) -> None:
    """kubectl knows the Deployment; here it is what it has to be for two pods on two nodes."""
    folder = EXAMPLES / "first-service"
    deployment, service = yaml.safe_load_all((folder / "web.yaml").read_text())
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    files = [str(folder / name) for name in ("kubernetes.yaml", "web.yaml")]
    assert main(["plan", "-o", "json", *(word for path in files for word in ("-f", path))]) == 0
    (found,) = msgspec.json.decode(capsys.readouterr().out)["services"]
    assert (found["result"], found["ips"], found["pool"]) == ("assigned", ["192.168.1.240"], "lan")
