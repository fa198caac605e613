"""Settings: defaults, and what the announcer gets of them."""

import msgspec

from speakerd.model import Layer2Settings
from speakerd.settings import EXCLUDED, FilePool, Layer2, Settings, layer2


def test_settings_cross_a_pipe_unchanged() -> None:
    settings = Settings(address_pools=(FilePool(name="lan", addresses=("192.0.2.0/24",), labels={"a": "b"}),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=Settings) == settings


def test_the_announcer_gets_its_share() -> None:
    settings = Settings(layer2=Layer2(interfaces=("eth0",), exclude_interfaces=("^wg",), refresh=30.0, rate=15))
    assert layer2(settings) == Layer2Settings(("eth0",), ("^wg",), 30.0, 15)


def test_the_announcer_gets_the_defaults_of_the_contract() -> None:
    assert layer2(Settings()) == Layer2Settings((), EXCLUDED, 60.0, 1000)
