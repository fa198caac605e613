"""`speakerd drain` and `undrain`: what moved where, what could not and why, and a code that tells them apart."""

import json
from pathlib import Path

import pytest

from speakerd.cli import main
from speakerd.control import Request
from speakerd.prospects import Progress
from speakerd.report import VipReport
from tests.unit.cli.answering import Answers, agent
from tests.unit.cli.test_status import report

ONE, TWO = "10.0.0.1", "10.0.0.2"


def draining(*steps: dict[str, str]) -> Answers:
    """An agent whose drain goes through `steps`, one each time it is asked; the last one stays."""
    left = list(steps)

    def answer(request: Request) -> object:
        if request.verb in ("drain", "progress"):
            return Progress(True, left.pop(0) if len(left) > 1 else left[0])
        return report([VipReport(ONE, "d/one", owner="b"), VipReport(TWO, "d/two", owner="c")])

    return answer


def test_waiting_tells_what_moved_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = draining({ONE: "", TWO: ""}, {ONE: "", TWO: ""}, {TWO: ""}, {})
    with agent(tmp_path, answers) as requests:
        assert main(["drain", "--wait", "--run", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{ONE} is answered by b",
        f"{TWO} is answered by c",
        "drained: nothing is answered here",
    ]
    assert [each.verb for each in requests] == ["drain", "progress", "progress", "progress", "status"]


def test_a_drain_that_was_ended_meanwhile_is_not_begun_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(request: Request) -> object:
        return Progress(request.verb == "drain", {ONE: ""}) if request.verb != "status" else report([])

    with agent(tmp_path, ended) as requests:
        assert main(["drain", "--wait", "--timeout", "60", "--run", str(tmp_path)]) == 1
    assert [each.verb for each in requests] == ["drain", "progress", "status"]
    assert capsys.readouterr().out.splitlines()[-1] == "undrained meanwhile"


def test_json_has_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(tmp_path, draining({ONE: ""}, {})):
        assert main(["drain", "--wait", "-o", "json", "--run", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"drained": True, "done": True, "moved": {ONE: "b"}, "kept": {}}


def test_what_nobody_can_take_is_kept_told_with_its_reason_and_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = draining({ONE: "", TWO: ""}, {TWO: "c is dead"})
    with agent(tmp_path, answers):
        assert main(["drain", "--wait", "--timeout", "60", "--run", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{ONE} is answered by b",
        f"{TWO} is still answered here: c is dead",
        "drained as far as others could take over",
    ]


def test_a_move_that_does_not_end_is_waited_for_until_time_is_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, draining({ONE: ""}, {ONE: ""})):
        assert main(["drain", "--wait", "--timeout", "0.2", "-o", "json", "--run", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)["kept"] == {ONE: ""}


def test_without_waiting_it_is_only_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(tmp_path, draining({ONE: "", TWO: ""}, {})) as requests:
        assert main(["drain", "--run", str(tmp_path)]) == 0
    assert [each.verb for each in requests] == ["drain"]
    assert capsys.readouterr().out.startswith("draining: 2 still to be handed over")


def test_a_node_that_answers_for_nothing_is_drained_at_once(tmp_path: Path) -> None:
    with agent(tmp_path, draining({})) as requests:
        assert main(["drain", "--wait", "--run", str(tmp_path)]) == 0
    assert [each.verb for each in requests] == ["drain", "status"]


def test_undrain_says_what_it_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(tmp_path, lambda _: {"drained": False}):
        assert main(["undrain", "--run", str(tmp_path)]) == 0
        assert capsys.readouterr().out == "undrained: may answer again\n"
        assert main(["undrain", "-o", "json", "--run", str(tmp_path)]) == 0
        assert json.loads(capsys.readouterr().out) == {"drained": False}


@pytest.mark.parametrize("given", ["soon", ""])
def test_a_timeout_that_is_no_number_is_wrong_usage(given: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["drain", "--wait", "--timeout", given])
    assert end.value.code == 2
