"""The hooks of the snap: what snapd and its users may rely on."""

import json
from pathlib import Path

import pytest

from speakerd import snap
from speakerd.cli import main
from speakerd.config.sources import Sources
from speakerd.control import Request
from speakerd.model import Problem
from speakerd.report import Reloaded
from tests.unit.cli.answering import agent
from tests.unit.cli.snapd import Snapd
from tests.unit.kube.test_credentials import kubeconfig

RANGE = "192.168.1.88-192.168.1.89"


@pytest.fixture
def snapd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snapd:
    return Snapd(tmp_path, monkeypatch)


def hook(name: str) -> int:
    return main(["snap-hook", name])


def test_snap_set_edits_the_settings_file_and_keeps_what_else_is_there(snapd: Snapd) -> None:
    snapd.settings.write_text("# mine\nannounce: none\n")
    snapd.set({"iprange": RANGE, "log-level": "debug"})
    assert hook("configure") == 0
    assert snapd.settings.read_text() == f'# mine\nannounce: none\niprange: "{RANGE}"\nlog:\n  level: debug\n'


def test_the_settings_file_is_roots_alone(snapd: Snapd) -> None:
    snapd.set({"iprange": RANGE})
    hook("configure")
    assert snapd.settings.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        (
            "iprange",
            "256.256.256.256-256.256.256.258",
            "iprange: Invalid iprange: 256.256.256.256-256.256.256.258 is not",
        ),
        ("iprange", "10.0.0.1+10.0.0.2", "iprange: Invalid iprange: 10.0.0.1+10.0.0.2 is not a valid CIDR or ip range"),
        ("iprange", "", "iprange: Invalid iprange: iprange must not be empty"),
        ("log-level", "bogus", "log-level: 'bogus' is not one of"),
        ("kubeconfig", "here", "kubeconfig: 'here' is not an absolute path"),
        ("node-name", "A_b", "node-name: 'A_b' is no Kubernetes name"),
        ("ip-range", RANGE, "ip-range: unknown option (did you mean iprange?)"),
        ("namespace", {"a": 1}, "namespace: namespace must be a single value"),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_kept(
    snapd: Snapd, capsys: pytest.CaptureFixture[str], option: str, value: object, what: str
) -> None:
    snapd.set({"iprange": RANGE})
    hook("configure")
    before = snapd.settings.read_text()
    snapd.set({"iprange": RANGE, option: value})
    assert hook("configure") == 1
    assert capsys.readouterr().err.startswith(f"error: {what}")
    assert snapd.settings.read_text() == before
    snapd.set({"iprange": RANGE})  # as snapd does when the hook fails
    assert hook("configure") == 0
    assert snapd.settings.read_text() == before


def test_snap_unset_returns_the_default(snapd: Snapd) -> None:
    snapd.set({"iprange": RANGE, "log-level": "debug"})
    hook("configure")
    snapd.set({"iprange": RANGE})
    assert hook("configure") == 0
    assert "debug" not in snapd.settings.read_text()
    assert RANGE in snapd.settings.read_text()


def test_what_is_edited_by_hand_counts_and_snap_get_shows_it(snapd: Snapd) -> None:
    snapd.set({"iprange": RANGE, "node-name": "a"})
    hook("configure")
    snapd.settings.write_text("iprange: 10.0.0.0/28\n")
    snapd.set({"iprange": RANGE, "node-name": "a", "log-level": "debug"})
    assert hook("configure") == 0
    assert snapd.settings.read_text() == "iprange: 10.0.0.0/28\nlog:\n  level: debug\n"
    assert (snapd.asked("set"), snapd.asked("unset")) == ([["iprange=10.0.0.0/28"]], [["node-name"]])


def test_a_file_that_is_broken_already_is_left_alone(snapd: Snapd, capsys: pytest.CaptureFixture[str]) -> None:
    snapd.settings.write_text("log: [\n")
    assert hook("configure") == 0, "nothing was asked for"
    snapd.set({"log-level": "debug"})
    assert hook("configure") == 1
    assert "cannot be edited" in capsys.readouterr().err
    assert snapd.settings.read_text() == "log: [\n"


def test_the_files_of_the_host_come_over_the_snaps_key_by_key(snapd: Snapd, tmp_path: Path) -> None:
    host, folder = tmp_path / "etc.yaml", tmp_path / "etc.d"
    folder.mkdir()
    for each in (snapd.settings, host, folder / "a.yaml"):
        each.write_text("")
    environ = {"SNAP_NAME": snap.NAME, "SNAP_DATA": str(snapd.data), "SNAP_COMMON": str(snapd.common)}
    names = [each.name for each in Sources(str(host), environ=environ).files()]
    assert names == [str(snapd.settings), str(host), str(folder / "a.yaml")]
    assert [each.name for each in Sources(str(host), named=True, environ=environ).files()] == names[1:]


def test_missing_connections_are_noted_and_told_with_the_command(snapd: Snapd) -> None:
    snapd.connect(["process-control"])
    assert hook("install") == 0
    assert (snapd.data / snap.NOTED).read_text() == "process-control\n"
    command = "snap connect metallb-speaker:network-control"
    assert snapd.asked("set-health") == [["--code=snap-not-connected", "blocked", command]]


def test_a_host_without_the_optional_connections_is_well(snapd: Snapd) -> None:
    snapd.connect(["network-control"])
    assert hook("check-health") == 0
    assert snapd.asked("set-health") == [["okay"]]


def test_a_kubeconfig_that_is_of_no_use_blocks_the_health_until_it_is_mended(snapd: Snapd) -> None:
    snapd.connect(["network-control"])
    hook("install")
    file, state = snapd.folder / "admin.conf", snapd.common / "state"
    state.mkdir()
    file.write_text("{")
    settings = ["--set", f"kubernetes.kubeconfig={file}", "--set", f"paths.state={state}"]
    assert main(["credentials", *settings]) == 1
    file.write_text(json.dumps(kubeconfig(user={"token": "t"})))
    assert main(["credentials", *settings]) == 0
    first, (code, word, text), last = snapd.asked("set-health")
    assert (first, last) == (["okay"], ["okay"])
    assert (code, word) == ("--code=credentials-unusable", "blocked")
    assert text.startswith(f"{file}: not YAML")


def test_a_kubeconfig_that_the_sandbox_keeps_from_us_has_its_connection_in_the_health(snapd: Snapd) -> None:
    snapd.connect(["network-control"])
    hook("install")
    (snapd.common / "state").mkdir()
    assert main(["credentials", "--set", "kubernetes.kubeconfig=/var/snap/microk8s/none"]) == 1
    *_, (_, _, text) = snapd.asked("set-health")
    assert text.startswith("sudo snap connect metallb-speaker:kubeconfigs;")


def test_a_connection_that_counts_from_the_start_starts_the_agent_again(snapd: Snapd) -> None:
    snapd.connect(["network-control", "network-observe"])
    assert (hook("connect-plug-network-observe"), snapd.asked("restart")) == (0, [])
    assert (hook("connect-plug-network-control"), snapd.asked("restart")) == (0, [["metallb-speaker.speakerd"]])


def test_an_agent_that_was_stopped_stays_so(snapd: Snapd) -> None:
    snapd.service("inactive")
    assert (hook("connect-plug-network-control"), snapd.asked("restart")) == (0, [])


def test_a_plug_that_is_about_to_go_counts_as_gone(snapd: Snapd) -> None:
    snapd.connect(["network-control", "process-control"])
    assert hook("disconnect-plug-network-control") == 0
    assert (snapd.data / snap.NOTED).read_text() == "process-control\n"
    assert snapd.asked("set-health")[0][1] == "blocked"


@pytest.mark.parametrize(("running", "restarts"), [("x1", 1), ("x2", 0)])
def test_an_agent_of_another_revision_is_started_again(snapd: Snapd, running: str, restarts: int) -> None:
    (snapd.folder / snap.REVISION).write_text(running)
    assert hook("configure") == 0
    assert len(snapd.asked("restart")) == restarts


def test_a_revision_that_cannot_read_the_settings_is_not_taken(
    snapd: Snapd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hook("post-refresh") == 0
    snapd.settings.write_text("newKey: 1\n")
    assert hook("post-refresh") == 1
    assert "unknown key 'newKey'" in capsys.readouterr().err


def test_credentials_and_what_is_in_run_do_not_outlive_the_snap(snapd: Snapd) -> None:
    state, made = snapd.common / "state", [snapd.folder / name for name in ("control.sock", "revision")]
    state.mkdir()
    for path in made:
        path.touch()
    for name in ("copied.kubeconfig", "events"):
        (state / name).write_text("secret")
    assert hook("remove") == 0
    assert [each.name for each in state.iterdir()] == ["events"]
    assert not any(path.exists() for path in made)


def test_a_reload_tells_what_was_refused(snapd: Snapd, capsys: pytest.CaptureFixture[str]) -> None:
    problems: list[Problem] = []
    with agent(snapd.folder, lambda _: Reloaded(tuple(problems))) as asked:
        assert hook("reload") == 0
        problems.append(Problem("f:1:1", "x", "unknown-key", "unknown key 'x'", "mend it"))
        assert hook("reload") == 1
    assert asked == [Request("reload")] * 2
    assert capsys.readouterr().err == "error: f:1:1: unknown key 'x' (mend it)\n"


def test_outside_the_snap_there_are_no_hooks(capsys: pytest.CaptureFixture[str]) -> None:
    assert hook("configure") == 2
    assert capsys.readouterr().err.startswith("error: snap-hook: this is not the snap")


def test_an_unknown_hook_is_wrong_usage(snapd: Snapd) -> None:
    assert hook("connect-plug-") == hook("nonsense") == 2
    assert snapd.asked("set-health") == []
