"""What is done apart comes back whole, or not at all."""

import pytest

from speakerd import apart


def test_what_was_made_apart_comes_back_however_large() -> None:
    assert apart.begin(lambda: bytes(1 << 20))() == bytes(1 << 20)


def test_work_that_fails_gives_nothing_and_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> bytes:
        raise ValueError("broken")

    assert apart.begin(fail)() == b""
    assert "ValueError: broken" in capfd.readouterr().err


def test_several_are_under_way_at_once() -> None:
    first, second = apart.begin(lambda: b"first"), apart.begin(lambda: b"second")
    assert (second(), first()) == (b"second", b"first")
