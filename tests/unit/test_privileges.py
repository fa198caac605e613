"""What the kernel grants and takes, asked of it in a process of its own."""

import subprocess
import sys

import pytest

WORKS = """
import time
from speakerd import privileges
if not privileges.real_time():
    print("refused")
else:
    end = time.process_time() + 2.5 * privileges.LONG / 1_000_000
    while time.process_time() < end:
        pass
    print("done")
"""
"""Longer without a wait than two reminders are apart."""


def test_real_time_work_that_takes_long_lets_others_run_and_is_not_ended() -> None:
    done = subprocess.run([sys.executable, "-c", WORKS], capture_output=True, text=True, check=False, timeout=60)
    if done.stdout == "refused\n":
        pytest.skip("this host refuses real-time scheduling")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


BOUND = """
import re
from pathlib import Path
from speakerd import privileges
wanted = privileges.SUPERVISOR
once, again = privileges.bound(wanted), privileges.bound(wanted)
(left,) = re.findall("CapBnd:\\t(.*)", Path("/proc/self/status").read_text())
more = int(left, 16) & ~sum(1 << each for each in wanted)
print(once, again, not more)
"""


def test_what_the_bounding_set_loses_is_known_and_known_again() -> None:
    done = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True, check=True, timeout=60)
    once, again, holds = done.stdout.split()
    assert once == again == holds


SPARE = """
from pathlib import Path
from speakerd import privileges
once, again = privileges.spare(), privileges.spare()
print(once, again, Path("/proc/self/oom_score_adj").read_text().strip() == str(privileges.SPARED))
"""


def test_whether_others_are_ended_first_where_memory_runs_out_is_known_and_known_again() -> None:
    done = subprocess.run([sys.executable, "-c", SPARE], capture_output=True, text=True, check=True, timeout=60)
    once, again, holds = done.stdout.split()
    assert once == again == holds
