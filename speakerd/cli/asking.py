"""How a command reaches the running agent: its control socket, and one clear error where nobody answers."""

import argparse
import grp
import os
import time
from pathlib import Path

import msgspec

from speakerd import commands
from speakerd.cli import NO_AGENT, WRONG_USAGE, Ended, fail
from speakerd.control import REFUSED, Denied, NoAgent, Refusal, Request, ask
from speakerd.report import Report

AGAIN = 0.1
"""Seconds until an agent is asked again that did not answer, by who is patient."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options that all of them have."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="format of the output")
    parser.add_argument(
        "--run", dest="folder", type=Path, metavar="DIR", help="folder of control.sock, if not the usual one"
    )


def usual() -> Path:
    """Where the settings of this host put the socket."""
    from speakerd.config.load import control_socket  # noqa: PLC0415  reads YAML, which --run makes needless

    return control_socket(os.environ)


def socket(args: argparse.Namespace) -> Path:
    """Where to ask."""
    return (args.folder / "control.sock") if args.folder else usual()


def told(path: Path, request: Request, patience: float = 0.0) -> bytes:
    """The agent's JSON answer; one that does not answer is asked again for `patience` seconds (it may be restarting).

    Raises Ended, once the error is said.
    """
    answer = _answered(path, request, time.monotonic() + patience)
    if answer.startswith(REFUSED):
        refusal = msgspec.json.decode(answer, type=Refusal)
        fail(refusal.where, refusal.error, refusal.remedy or "see speakerd --help")
        raise Ended(WRONG_USAGE)
    return answer


def _answered(path: Path, request: Request, until: float) -> bytes:
    while True:
        try:
            return ask(path, request)
        except Denied as fault:
            fail(str(path), "only root and the socket's group may ask the agent", _permitted(path))
            raise Ended(NO_AGENT) from fault
        except NoAgent as fault:
            if time.monotonic() >= until:
                see = commands.known(os.environ).status
                fail(str(path), f"no agent answers: {fault}", f"is the service running? see {see}")
                raise Ended(NO_AGENT) from fault
        time.sleep(AGAIN)


def _permitted(path: Path) -> str:
    """How to be one who may."""
    try:
        name = grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):
        name = "root"
    return "sudo" if name == "root" else f"sudo, or join group {name}: sudo usermod -aG {name} $USER, and log in again"


def status(path: Path) -> Report:
    """What the agent reports. Raises Ended."""
    return msgspec.json.decode(told(path, Request("status")), type=Report)
