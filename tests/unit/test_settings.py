"""Settings: defaults, and what the announcer gets of them."""

from typing import Literal

import msgspec
import pytest

from speakerd.exchange import Layer2Settings
from speakerd.settings import EXCLUDED, FilePool, Layer2, Membership, Settings, layer2, membership


def test_settings_cross_a_pipe_unchanged() -> None:
    settings = Settings(address_pools=(FilePool(name="lan", addresses=("192.0.2.0/24",), labels={"a": "b"}),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=Settings) == settings


def test_the_announcer_gets_its_share() -> None:
    settings = Settings(layer2=Layer2(interfaces=("eth0",), exclude_interfaces=("^wg",), refresh=30.0, rate=15))
    assert layer2(settings) == Layer2Settings(("eth0",), ("^wg",), 30.0, 15)


def test_the_announcer_gets_the_defaults_of_the_contract() -> None:
    assert layer2(Settings()) == Layer2Settings((), EXCLUDED, 60.0, 1000)


@pytest.mark.parametrize(
    ("preset", "interval", "misses", "questions"), [("fast", 0.075, 2, 3), ("normal", 0.25, 3, 4), ("wide", 1.0, 4, 6)]
)
def test_a_preset_says_how_members_watch_one_another(
    preset: Literal["fast", "normal", "wide"], interval: float, misses: int, questions: int
) -> None:
    found = membership(Settings(membership=Membership(preset=preset)))
    assert (found.interval, found.misses, found.questions) == (interval, misses, questions)


def test_interval_and_misses_given_stand_in_for_the_preset_s() -> None:
    found = membership(Settings(membership=Membership(preset="wide", interval=0.5, misses=7, port=7947)))
    assert (found.interval, found.misses, found.questions, found.port) == (0.5, 7, 6, 7947)


def test_the_announcer_is_told_how_long_to_probe() -> None:
    assert layer2(Settings(layer2=Layer2(probe=0.5))).probe == 0.5
