"""`speakerd snap-hook`: what snapd runs when the snap is installed, set, connected or refreshed.

The settings file is the one source of truth, `snap set` an editor of it: `snap get` shows what the file says.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from speakerd import selftest, snap
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, asking, check, fail, snap_health
from speakerd.cli.saving import save
from speakerd.cli.snap_health import snapctl
from speakerd.cli.telling import tell
from speakerd.config import edit, options
from speakerd.config.load import load, loaded_from
from speakerd.config.sides import NOTHING
from speakerd.config.sources import File, Sources
from speakerd.control import Request
from speakerd.kube.credentials import COPY, OURS
from speakerd.model import Problem
from speakerd.report import Reloaded
from speakerd.snap import Snap

TAKEN_OVER = "taken-over"
"""In $SNAP_DATA: what `snap set` had said when it was last looked at, so that only news of it edit the file."""
PATIENCE = 3.0
"""Seconds until an agent is given up that is just starting."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("hook", metavar="HOOK", help="install, configure, connect-plug-NAME, ... as snapd names it")
    parser.epilog = "Example: sudo snap run --hook=check-health metallb-speaker. Works inside the snap only."


def run(args: argparse.Namespace) -> int:
    """Run the hook; an exit code other than 0 has snapd undo what it was about to do."""
    own = snap.inside(os.environ)
    if own is None:
        fail("snap-hook", f"this is not the snap {snap.NAME}", "snapd runs its hooks")
        return WRONG_USAGE
    word, _, plug = args.hook.partition("-plug-")
    known = PLUG_HOOKS.get(word) if plug else None
    if known:
        return known(own, plug)
    if args.hook in HOOKS:
        return HOOKS[args.hook](own)
    fail("snap-hook", f"there is no hook {args.hook!r}", f"there are {', '.join(HOOKS)}")
    return WRONG_USAGE


def _healthy(own: Snap, without: str = "") -> int:
    """Note for the agent what is connected (it may not ask), and tell snapd; `without`: about to be disconnected."""
    known = {plug for plug in snap.PLUGS if plug != without and snapctl("is-connected", plug).returncode == 0}
    save(Path(own.noted), "".join(f"{plug}\n" for plug in sorted(known)), snap.MODE)
    return snap_health.tell(own, known)


def _connect(own: Snap, plug: str) -> int:
    _healthy(own)
    if plug in snap.ANEW:
        _restart(own)
    return FINE


def _disconnect(own: Snap, plug: str) -> int:
    return _healthy(own, without=plug)


def _restart(own: Snap) -> None:
    """Begin again where it runs: one that an operator has stopped stays so."""
    if snap_health.running(own):
        snapctl("restart", own.service)


def _configured(own: Snap) -> int:
    """`snap set` was called, or a revision has come: edit the file, and restart an agent of another revision."""
    asked = _asked()
    record = Path(own.data) / TAKEN_OVER
    news = options.news(asked, _record(record))
    if wrong := [*options.faults(asked)] or (_edited(own, news) if news else []):
        for each in wrong:
            fail(each.object, each.message, each.remedy)
        return NOT_VALID
    save(record, json.dumps(_shown_by_snap_get(own, asked)), snap.MODE)
    _healthy(own)
    running = _text(asking.usual().parent / snap.REVISION)
    if running and running != own.revision:
        _restart(own)
    return FINE


def _asked() -> dict[str, object]:
    """All that `snap set` was ever told: the empty name stands for that, where snapd knows it."""
    for extra in ([""], []):
        done = snapctl("get", "-d", *options.OPTIONS, *extra)
        if done.returncode == 0:
            found: dict[str, object] = json.loads(done.stdout or "{}")
            everything = found.pop("", None)
            return everything if isinstance(everything, dict) else found
    return {}


def _record(path: Path) -> dict[str, str]:
    try:
        found = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _edited(own: Snap, news: Mapping[str, str | None]) -> list[Problem]:
    """Edit the settings file, once all settings of this host hold with it; else what is wrong."""
    path, sources = Path(own.settings), Sources(environ=dict(os.environ))
    try:
        text = path.read_text() if path.exists() else ""
        for option, value in news.items():
            text = edit.edited(text, options.OPTIONS[option], value)
    except (OSError, UnicodeDecodeError, edit.Unsure) as fault:
        return [
            Problem(own.settings, "", "unreadable", f"cannot be edited: {fault}", "mend it, see metallb-speaker check")
        ]
    files = (File(own.settings, text.encode()), *(each for each in sources.files() if each.name != own.settings))
    verdict, _ = check.judged(loaded_from(files, sources.environ, (), sources.hostname), NOTHING)
    wrong = [options.told(each, own.settings) for each in verdict.problems if each.severity == "error"]
    if not wrong:
        save(path, text, snap.MODE)
    return wrong


def _shown_by_snap_get(own: Snap, asked: Mapping[str, object]) -> dict[str, str]:
    """What the options are in the file; `snap get` is told where it would say otherwise."""
    is_now = options.written(_text(Path(own.settings)))
    was = options.texts(asked)
    if different := [f"{name}={value}" for name, value in is_now.items() if was.get(name) != value]:
        snapctl("set", *different)
    if gone := sorted(was.keys() - is_now.keys()):
        snapctl("unset", *gone)
    return is_now


def _refreshed(own: Snap) -> int:
    return _healthy(own) if _sound() else NOT_VALID


def _sound() -> bool:
    """Whether this revision can read this host's settings, and has its types: else snapd returns to the one before."""
    loaded = load(Sources(environ=dict(os.environ)))
    tell(loaded.problems)
    broken = selftest.problems()
    for what in broken:
        fail("this build", what, selftest.REMEDY)
    return loaded.settings is not None and not broken


def _forgotten(own: Snap) -> int:
    """Leave no credentials to the snapshot that snapd makes when a snap is removed, nor a folder in /run."""
    here = asking.usual()
    for path in (Path(own.state) / OURS, Path(own.state) / COPY, here, here.parent / snap.REVISION):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        here.parent.rmdir()
    return FINE


def _reloaded(_own: Snap) -> int:
    """Have the agent read its settings now, and tell what it refuses."""
    answer = asking.told(asking.usual(), Request("reload"), PATIENCE)
    problems = msgspec.json.decode(answer, type=Reloaded).problems
    tell(problems)
    return NOT_VALID if any(each.severity == "error" for each in problems) else FINE


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


HOOKS: Mapping[str, Callable[[Snap], int]] = {
    "install": _healthy,
    "configure": _configured,
    "post-refresh": _refreshed,
    "check-health": _healthy,
    "remove": _forgotten,
    "reload": _reloaded,
}
PLUG_HOOKS: Mapping[str, Callable[[Snap, str], int]] = {"connect": _connect, "disconnect": _disconnect}
