"""`speakerd events`: what happened, oldest first, from when one likes, and on and on where that is wanted."""

import json
import threading
from pathlib import Path

import pytest

from speakerd import events
from speakerd.cli import main
from speakerd.control import Refusal, Request
from speakerd.events import Event, Ring, Told
from tests.unit.cli.answering import agent

NOW = 1_800_000_000.0
OWNED = Event(
    time=events.stamp(NOW), event="vip.owned", subject="10.0.0.1", owner="a", previous="b", cause="drain", epoch=3
)


def ring() -> Ring:
    made = Ring()
    made.add([events.said("settings.reloaded", NOW - 60), OWNED])
    return made


def test_people_read_time_word_subject_and_what_became_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, lambda request: ring().told(request.after, request.since)):
        assert main(["events", "--run", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == [events.stamp(NOW - 60), "settings.reloaded"]
    assert second.split(maxsplit=3) == [events.stamp(NOW), "vip.owned", "10.0.0.1", "a, before b: drain (epoch 3)"]


def test_scripts_read_one_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(tmp_path, lambda request: ring().told(request.after, request.since)):
        main(["events", "-o", "json", "--run", str(tmp_path)])
    _, told = map(json.loads, capsys.readouterr().out.splitlines())
    assert told == {
        "number": 2,
        "time": events.stamp(NOW),
        "event": "vip.owned",
        "subject": "10.0.0.1",
        "owner": "a",
        "previous": "b",
        "cause": "drain",
        "epoch": 3,
    }


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00.000Z"),
        ("2027-01-15T08:00:00.25", "2027-01-15T08:00:00.250Z"),
        ("2027-01-15T10:00:00+02:00", "2027-01-15T08:00:00.000Z"),
    ],
)
def test_since_takes_a_time(given: str, asked: str, tmp_path: Path) -> None:
    with agent(tmp_path, lambda _: Told([], 0)) as requests:
        assert main(["events", "--since", given, "--run", str(tmp_path)]) == 0
    assert requests == [Request("events", since=asked)]


def test_since_takes_how_long_ago(tmp_path: Path) -> None:
    with agent(tmp_path, lambda _: Told([], 0)) as requests:
        main(["events", "--since", "0s", "--run", str(tmp_path)])
        main(["events", "--since", "1h", "--run", str(tmp_path)])
    now, hour_ago = (each.since for each in requests)
    assert hour_ago < now
    assert now > events.stamp(NOW - 86400 * 365)


@pytest.mark.parametrize("given", ["yesterday", "10 parsecs", "2026-13-01", "1e999s"])
def test_since_without_a_meaning_is_wrong_usage(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--since", given, "--run", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err == f"error: --since: {given!r} is no time (write 10m, 2h, 1d or 2026-07-01T12:00:00Z)\n"
    )


def test_since_the_beginning_of_time_is_everything(tmp_path: Path) -> None:
    with agent(tmp_path, lambda _: Told([], 0)) as requests:
        assert main(["events", "--since", "99999999999999d", "--run", str(tmp_path)]) == 0
    assert requests[0].since == "1970-01-01T00:00:00.000Z"


def test_following_asks_for_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ring()

    def answer(request: Request) -> object:
        if request.after == 2:
            made.add([events.said("node.drained", NOW)])
        return made.told(request.after) if request.after < 3 else Refusal("enough")

    with agent(tmp_path, answer) as requests:
        assert main(["events", "-f", "--run", str(tmp_path)]) == 2
    assert [each.after for each in requests] == [0, 2, 3]
    words = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert words == ["settings.reloaded", "vip.owned", "node.drained"]


def test_following_outlives_a_restart_of_the_agent(tmp_path: Path) -> None:
    first, codes = threading.Event(), []
    follower = threading.Thread(target=lambda: codes.append(main(["events", "-f", "--run", str(tmp_path)])))

    def answer(request: Request) -> object:
        first.set()
        return ring().told(request.after)

    with agent(tmp_path, answer):
        follower.start()
        assert first.wait(10)
    with agent(tmp_path, lambda _: Refusal("enough")) as requests:
        follower.join(10)
    assert (codes, requests[-1].after) == ([2], 2)
