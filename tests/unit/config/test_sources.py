"""Which files are settings, and when they changed."""

import argparse
import os
from pathlib import Path

import pytest

from speakerd.config.sources import FILE_BYTES, File, Sources


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "speakerd.d").mkdir()
    return tmp_path / "speakerd.yaml"


def test_the_default_file_may_be_missing_and_a_named_one_may_not(config: Path) -> None:
    assert Sources(str(config)).files() == ()
    assert Sources(str(config), named=True).files()[0].fault == "there is no such file"


def test_hidden_and_foreign_files_are_no_drop_ins(config: Path) -> None:
    folder = config.parent / "speakerd.d"
    for name in ("b.yaml", "a.yaml", ".#a.yaml", "a.yaml~", "c.yml", "README"):
        (folder / name).write_text("")
    assert [Path(each.name).name for each in Sources(str(config)).files()] == ["a.yaml", "b.yaml"]
    assert [Path(each).name for each in Sources(str(config)).passed_over()] == ["c.yml"]


def test_a_named_pipe_is_a_fault_and_nobody_waits_for_it(config: Path) -> None:
    os.mkfifo(config)
    assert Sources(str(config)).files()[0].fault == "not a regular file"


def test_a_folder_is_a_fault(config: Path) -> None:
    config.mkdir()
    assert Sources(str(config)).files()[0].fault


def test_a_dangling_link_is_a_fault(config: Path) -> None:
    config.symlink_to("/nowhere/at/all")
    assert "cannot be read" in Sources(str(config)).files()[0].fault


def test_a_huge_file_is_a_fault_and_not_held(config: Path) -> None:
    config.write_bytes(b"#" * (FILE_BYTES + 1))
    assert Sources(str(config)).files() == (File(str(config), b"", "larger than 1 MiB", "is this the right file?"),)


def test_a_saved_a_new_and_a_removed_file_change_the_stamp(config: Path) -> None:
    sources, extra = Sources(str(config)), config.parent / "speakerd.d" / "a.yaml"
    seen = [sources.stamp()]
    config.write_text("a")
    seen.append(sources.stamp())
    config.write_text("ab")
    seen.append(sources.stamp())
    extra.write_text("")
    seen.append(sources.stamp())
    extra.unlink()
    assert sources.stamp() == seen[2]
    assert len(set(seen)) == 4


def test_a_replaced_file_of_the_same_size_and_time_changes_the_stamp(config: Path) -> None:
    config.write_text("a")
    before, times = Sources(str(config)).stamp(), config.stat()
    other = config.with_name("new")
    other.write_text("b")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(config)
    assert Sources(str(config)).stamp() != before


def parsed(*words: str) -> Sources:
    parser = argparse.ArgumentParser(exit_on_error=False)
    Sources.configure(parser)
    return Sources.of(parser.parse_args(words), {"A": "b"})


def test_the_command_line_names_the_file_and_sets_keys() -> None:
    found = parsed("--config", "/x/y.yaml", "--set", "log.level=debug", "--set", "iprange=a=b")
    assert found == Sources("/x/y.yaml", True, {"A": "b"}, (("log.level", "debug"), ("iprange", "a=b")))
    assert parsed() == Sources(environ={"A": "b"})


def test_a_flag_without_a_sign_is_wrong_usage() -> None:
    with pytest.raises(argparse.ArgumentError, match="'log' is not KEY=VALUE"):
        parsed("--set", "log")
