"""Scalars are read as what is wanted, and faults say what to write instead."""

import pytest

from speakerd.config.durations import duration
from speakerd.config.reader import dotted
from speakerd.config.words import nearest


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("60s", 60.0),
        ("12ms", 0.012),
        ("250us", 0.00025),
        ("1m30s", 90.0),
        ("1min 30s", 90.0),
        ("5 min", 300.0),
        ("24h", 86400.0),
        ("1.5h", 5400.0),
        ("1d", 86400.0),
    ],
)
def test_a_time_is_read_as_kubernetes_and_systemd_write_it(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", " ", "s", "-5s", "10:30", "1e3", "5 seconds", "5x", "5s5", "five", "5s!", "1M"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("kuberntes", "kubernetes"),
        ("exclude_interfaces", "excludeInterfaces"),
        ("exclude-interfaces", "excludeInterfaces"),
        ("Layer2", "layer2"),
        ("layer2 {refresh", "layer2"),
        ("zzz", ""),
        ("", ""),
        ("  ", ""),
    ],
)
def test_the_nearest_word_is_what_was_meant(word: str, meant: str) -> None:
    assert nearest(word, ("kubernetes", "excludeInterfaces", "layer2", "log")) == meant


def test_paths_are_written_as_kubernetes_does() -> None:
    assert dotted(("spec", "addresses", 0)) == "spec.addresses[0]"
    assert dotted(()) == ""
