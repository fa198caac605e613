"""Times as people write them: 1m30s, 5 min, 12ms; pure."""

import re

SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
"""Units of time: those of Kubernetes, and those of systemd.time(7) that mean the same."""
DURATION = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]+)")
BARE = re.compile(r"\d{1,15}(?:\.\d{1,15})?")


def duration(text: str) -> float | None:
    """Seconds in `1m30s`, `5 min`, `12ms`; a bare number is seconds, as in systemd's units; None: unreadable."""
    if BARE.fullmatch(text):
        return float(text)
    total, rest = 0.0, text
    while rest and (found := DURATION.match(rest)) and found[2] in SECONDS:
        total, rest = total + float(found[1]) * SECONDS[found[2]], rest[found.end() :]
    return total if text.strip() and not rest.strip() else None


GO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ns|us|\u00b5s|ms|s|m|h)")
GO_SECONDS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def go_duration(text: str) -> float | None:
    """Seconds in `1m30s`, as Kubernetes objects have it: each number with its unit, 0 alone without; None: none."""
    if text == "0":
        return 0.0
    total, rest = 0.0, text
    while rest and (found := GO.match(rest)):
        total, rest = total + float(found[1]) * GO_SECONDS[found[2]], rest[found.end() :]
    return total if text and not rest else None
