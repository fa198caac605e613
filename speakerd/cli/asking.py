"""How a command reaches the running agent: its control socket, and one clear error where nobody answers."""

import argparse
import os
from pathlib import Path

import msgspec

from speakerd.cli import fail
from speakerd.control import NoAgent, Request, ask
from speakerd.report import Report


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


def told(path: Path, verb: str) -> bytes | None:
    """The agent's JSON answer; None, and the error is said, where no agent answers."""
    try:
        return ask(path, Request(verb))
    except NoAgent as fault:
        fail(str(path), f"no agent answers: {fault}", "is the service running? see systemctl status speakerd")
        return None


def status(path: Path) -> Report | None:
    """What the agent reports; None as `told`."""
    answer = told(path, "status")
    return None if answer is None else msgspec.json.decode(answer, type=Report)
