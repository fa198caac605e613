"""What a build can lose without an error is found at the start, said in one line, and ends it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from speakerd import selftest
from speakerd.cli import main

ROOT = Path(__file__).parents[2]


def ran(before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """speakerd in a Python of its own, with `before` done to it first."""
    code = f"{before}\nimport sys\nfrom speakerd.cli import main\nsys.exit(main({list(arguments)!r}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_this_tree_is_whole() -> None:
    assert selftest.problems() == []


def test_it_takes_less_than_two_milliseconds() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        selftest.problems()
        return time.perf_counter() - began

    assert min(seconds() for _ in range(10)) < 0.002


BREAKS = {
    "structs": "import msgspec\nfrom speakerd import exchange\n"
    "exchange.Candidate = msgspec.defstruct('Candidate', [], array_like=True)",
    "signed": "from speakerd import digest\ndigest.OUTER = digest.INNER",
    "capabilities": "from struct import Struct\nfrom speakerd import privileges\nprivileges.CAP_HEADER = Struct('>Ii')",
    "filters": "from struct import Struct\nfrom speakerd import packet\npacket.FPROG = Struct('=HI')",
}
"""What is broken, by a word of what is then said."""


@pytest.mark.parametrize("word", BREAKS)
def test_what_is_broken_is_said_by_version_and_ends_a_start(word: str, tmp_path: Path) -> None:
    told = ran(BREAKS[word], "version", "--check")
    assert (told.returncode, told.stderr.startswith("error: this build: ")) == (1, True), told
    assert word in told.stderr.splitlines()[0]
    started = ran(BREAKS[word], "run", "--set", f"paths.state={tmp_path}/state", "--set", f"paths.run={tmp_path}/run")
    (line,) = started.stderr.splitlines()
    assert (started.returncode, line) == (1, told.stderr.splitlines()[0])
    assert not (tmp_path / "state").exists()


def test_a_whole_program_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--check"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("speakerd ")
    assert "error" not in printed.err


def test_version_alone_loads_nothing_to_test() -> None:
    done = ran("import atexit\natexit.register(lambda: print('msgspec' in sys.modules))", "version")
    assert done.stdout.splitlines()[-1] == "False"
