"""What holds for every test: its folder's mark, time enough for the slow ones, and no skip where all must run."""

import os
import signal
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MARKS = {"unit", "fuzz", "sim", "lab", "kube", "package", "snap"}
PATIENCE = {"kube": 600, "package": 900, "snap": 1800}
"""Seconds a test may take where a first one builds what the others use: a control plane, a Debian tree, a machine."""


def pytest_configure() -> None:
    # A shell starts what runs in its background with SIGINT ignored, and all that the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in MARKS:
            item.add_marker(getattr(pytest.mark, folder))
        if folder in PATIENCE and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE[folder]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI is set: {report.longrepr}"
    return report
