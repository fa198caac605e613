"""`speakerd install-service` says what it does, does it once, and refuses what cannot work."""

import stat
from pathlib import Path

import pytest

from speakerd.cli import WRONG_USAGE, main
from speakerd.cli.install_service import refused
from speakerd.cli.servicefiles import (
    LINK,
    MARK,
    PLACES,
    PROGRAM,
    UNPACKED,
    Call,
    Copy,
    Link,
    Remove,
    Write,
    carry_out,
    installation,
    removal,
    said,
)

PROGRAM_HERE = Path("/opt/speakerd.dist/speakerd")


def test_the_units_run_the_program_where_it_stands() -> None:
    steps = list(installation(PROGRAM_HERE, one_file=False, now=False))
    texts = [each.text for each in steps if isinstance(each, Write)]
    assert len(texts) == len(PLACES)
    assert all(text.startswith(MARK) and PROGRAM not in text for text in texts)
    assert any(f"ExecStart={PROGRAM_HERE} run\n" in text for text in texts)
    assert Link(LINK, PROGRAM_HERE) in steps
    assert not any(isinstance(each, Copy) for each in steps)


def test_the_one_file_is_unpacked_to_where_it_stays() -> None:
    steps = list(installation(Path("/tmp/unpacked/speakerd.bin"), one_file=True, now=True))
    assert steps[0] == Copy(UNPACKED, Path("/tmp/unpacked"), "speakerd.bin")
    assert Link(LINK, UNPACKED / "speakerd") in steps
    assert steps[-1] == Call(("systemctl", "enable", "--now", "speakerd.service"))


def test_every_unit_is_known_to_systemd_before_it_is_enabled() -> None:
    commands = [
        each.command[0] for each in installation(PROGRAM_HERE, one_file=False, now=False) if isinstance(each, Call)
    ]
    assert commands == ["systemd-sysusers", "systemd-tmpfiles", "systemctl", "systemctl"]


def test_what_is_so_already_is_not_done_again(tmp_path: Path) -> None:
    steps = [each for each in installation(PROGRAM_HERE, one_file=False, now=False) if not isinstance(each, Call)]
    assert [carry_out(each, tmp_path) for each in steps] == [True] * len(steps)
    assert [carry_out(each, tmp_path) for each in steps] == [False] * len(steps)
    (tmp_path / "etc/systemd/system/speakerd.service").write_text("edited")
    assert sum([carry_out(each, tmp_path) for each in steps]) == 1


def test_a_folder_that_is_copied_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "speakerd.bin").write_text("new")
    source.chmod(0o700)
    old = tmp_path / UNPACKED.relative_to("/")
    old.mkdir(parents=True)
    (old / "left.so").touch()
    carry_out(Copy(UNPACKED, source, "speakerd.bin"), tmp_path)
    assert [each.name for each in old.iterdir()] == ["speakerd"]
    assert stat.S_IMODE(old.stat().st_mode) == 0o755


def test_all_that_was_made_is_removed_and_nothing_that_was_not(tmp_path: Path) -> None:
    for step in installation(PROGRAM_HERE, one_file=False, now=False):
        if not isinstance(step, Call):
            carry_out(step, tmp_path)
    for step in removal(tmp_path):
        if isinstance(step, Remove):
            carry_out(step, tmp_path)
    assert not [each for each in tmp_path.rglob("*") if not each.is_dir()]
    packaged = tmp_path / PLACES["speakerd.service"].relative_to("/")
    packaged.write_text("[Unit]\n")
    assert not list(removal(tmp_path))


def test_each_step_is_said_before_anything_is_done() -> None:
    assert [said(each) for each in installation(PROGRAM_HERE, one_file=False, now=False)][:1] == [
        "write /etc/systemd/system/speakerd.service"
    ]
    assert [
        said(each)
        for each in (Copy(UNPACKED, Path("/x"), "y"), Link(LINK, PROGRAM_HERE), Remove(LINK), Call(("true",)))
    ] == [
        f"copy /x to {UNPACKED}",
        f"link {LINK} to {PROGRAM_HERE}",
        f"remove {LINK}",
        "run true",
    ]


@pytest.mark.parametrize(
    ("folder", "one_file", "root", "systemd", "why"),
    [
        ("/opt/x", False, True, False, "systemd does not run here"),
        ("/opt/x", False, False, True, "needs root"),
        ("/root/speakerd.dist", False, True, True, "cannot run from /root/speakerd.dist"),
        ("/home/me/dist", False, True, True, "cannot run from /home/me/dist"),
    ],
)
def test_it_refuses_what_cannot_work(folder: str, one_file: bool, root: bool, systemd: bool, why: str) -> None:
    refusal = refused(Path(folder), one_file=one_file, root=root, systemd=systemd)
    assert refusal is not None
    assert why in refusal[0]


def test_from_the_source_tree_it_refuses_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-service", "--dry-run"]) == WRONG_USAGE
    assert capsys.readouterr().err.endswith("(./dev build makes it)\n")
