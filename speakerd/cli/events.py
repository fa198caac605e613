"""`speakerd events`: what happened on this host to addresses, members, interfaces and settings."""

import argparse
import sys
import time

import msgspec

from speakerd import events
from speakerd.cli import FINE, WRONG_USAGE, asking, fail
from speakerd.cli.terminal import Colour, coloured, paint
from speakerd.config.durations import duration
from speakerd.control import Request
from speakerd.events import Event, Told

EVERY = 0.25
"""Seconds between two looks of --follow."""
PATIENCE = 60.0
"""Seconds for which --follow waits for an agent that is started again."""
WORD, SUBJECT = 24, 16
"""Widths of columns: most words, and any IPv4 address."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on telling until interrupted")
    parser.add_argument(
        "--since", metavar="TIME", default="", help="10m, 2h or 1d ago, or a time as 2026-07-01T12:00:00Z"
    )
    parser.epilog = (
        "Example: speakerd events --since 10m -f. With -o json each line is one object."
        " Exit code 2: --since is no time; 3: no agent runs here."
    )


def run(args: argparse.Namespace) -> int:
    """Ask and print; with --follow until interrupted."""
    since = _since(args.since, time.time()) if args.since else ""
    if since is None:
        fail("--since", f"{args.since!r} is no time", "write 10m, 2h, 1d or 2026-07-01T12:00:00Z")
        return WRONG_USAGE
    path, after, patience = asking.socket(args), 0, 0.0
    while True:
        told = asking.told(path, Request("events", after=after, since=since), patience)
        answer = msgspec.json.decode(told, type=Told)
        for each in answer.events:
            print(_line(each, as_json=args.output == "json", colour=coloured(sys.stdout)))
        sys.stdout.flush()
        if not args.follow:
            return FINE
        after, patience = answer.last, PATIENCE
        time.sleep(EVERY)


def _since(text: str, now: float) -> str | None:
    """The stamp of `text`: so long before `now` (seconds of the wall clock), or a time itself; None for neither."""
    from datetime import UTC, datetime  # noqa: PLC0415  only for who asks so

    ago = duration(text)
    try:
        if ago is not None:
            return events.stamp(max(0.0, now - ago))
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return events.stamp((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp())


def _line(event: Event, *, as_json: bool, colour: bool) -> str:
    if as_json:
        return msgspec.json.encode(event).decode()
    word = paint(event.event.ljust(WORD), _shade(event.event), on=colour)
    return f"{event.time}  {word}  {event.subject.ljust(SUBJECT)}  {events.sentence(event)}".rstrip()


def _shade(word: str) -> Colour:
    """What needs a look stands out."""
    if word in ("member.dead", "node.alone", "member.two-boots", "vip.conflict", "vip.answered-by-stranger"):
        return Colour.RED
    return Colour.YELLOW if word in ("member.suspect", "node.paused", "vip.contest-lost") else Colour.BOLD
