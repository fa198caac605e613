"""conf/speakerd.yaml holds every key of the code, with its default and a comment, and no other."""

from pathlib import Path

import pytest

from speakerd.config.example import example
from speakerd.config.load import KEYS, Key, loaded_from
from speakerd.config.sources import File

CONF = Path(__file__).parents[3] / "conf" / "speakerd.yaml"


def test_the_file_in_conf_is_what_the_command_prints() -> None:
    assert CONF.read_text() == example(), "write it anew: speakerd check --example > conf/speakerd.yaml"


def test_the_file_sets_every_key_to_its_default() -> None:
    found = loaded_from([File("conf", CONF.read_bytes())], {}, (), "h")
    assert found.problems == ()
    assert found.settings == loaded_from([], {}, (), "h").settings


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ".".join(key.path))
def test_every_key_stands_in_the_file_with_a_comment(key: Key) -> None:
    indent = "  " * (len(key.path) - 1)
    (line,) = [each for each in CONF.read_text().splitlines() if each.startswith(f"{indent}{key.path[-1]}:")][:1]
    assert "#" in line or line.endswith(":")


def test_lines_fit_a_terminal_that_is_wide() -> None:
    assert max(map(len, example().splitlines())) <= 120
