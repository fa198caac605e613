"""Why root's kubeconfig could not be copied: who copies notes it beside the copy, and the agent tells it."""

from pathlib import Path

import msgspec
from msgspec import Struct

from speakerd.kube.credentials import CredentialsProblem
from speakerd.wire import UNDECODABLE

NOTE = "copied.problem"
"""In the state folder; gone once copying went well."""


class Note(Struct, frozen=True):
    """As CredentialsProblem has it."""

    where: str
    what: str
    remedy: str


def text(fault: CredentialsProblem) -> str:
    """The file."""
    return msgspec.json.encode(Note(fault.where, fault.what, fault.remedy)).decode()


def read(state: Path) -> CredentialsProblem | None:
    """What it tells, None where there is none."""
    try:
        note = msgspec.json.decode((state / NOTE).read_bytes(), type=Note)
    except (OSError, *UNDECODABLE):
        return None
    return CredentialsProblem(note.where, note.what, note.remedy)
