"""Findings: every word has its entry."""

from speakerd.findings import TABLE, Finding


def test_every_finding_says_what_it_breaks_and_what_to_do() -> None:
    assert set(TABLE) == set(Finding)
    assert all(entry.breaks and entry.remedy for entry in TABLE.values())
