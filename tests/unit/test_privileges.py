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
