"""`speakerd credentials`: what root may read, copied to the state folder for an agent that is not root.

The agent takes the file up by itself. One that an administrator put there (`speakerd rbac --kubeconfig`) is left alone.
"""

import argparse
import os
from pathlib import Path

from speakerd import snap
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, fail, snap_health
from speakerd.cli.saving import save
from speakerd.cli.telling import tell
from speakerd.config.load import load
from speakerd.config.sources import Sources
from speakerd.config.written import as_yaml
from speakerd.kube import tls
from speakerd.kube.credentials import COPY, OURS, CredentialsProblem, NothingFound, original
from speakerd.kube.kubeconfig import copied
from speakerd.kube.noted import NOTE, text

PRIVATE = 0o600


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    Sources.configure(parser)
    parser.epilog = (
        "Example: sudo speakerd credentials. Looks where kubernetes.kubeconfig says, or in the known places; the copy"
        " has all that the kubeconfig names, and the token of now. Plugins (exec) cannot be copied."
    )


def run(args: argparse.Namespace) -> int:
    """Copy what there is, and say so."""
    loaded = load(Sources.of(args, os.environ))
    tell(loaded.problems)
    if loaded.settings is None:
        return WRONG_USAGE
    setting, state = loaded.settings.kubernetes.kubeconfig, Path(loaded.settings.paths.state)
    try:
        _prepare(state)
        return _attempt(setting, state)
    except OSError as fault:
        fail(str(state), fault.strerror or str(fault), "run as root, once the service has made the folder")
    return NOT_VALID


def _attempt(setting: str, state: Path) -> int:
    """Copy, or note why that cannot be, for `status` and the health of the snap. Raises OSError."""
    note, code = state / NOTE, FINE
    try:
        _settled(setting, state)
        note.unlink(missing_ok=True)
    except CredentialsProblem as fault:
        fail(fault.where, fault.what, fault.remedy)
        _write(note, text(fault))
        code = NOT_VALID
    if own := snap.inside(os.environ):
        snap_health.tell_again(own)
    return code


def _prepare(state: Path) -> None:
    """In the snap this comes before the agent, which makes the folder elsewhere. Raises OSError."""
    if snap.inside(os.environ) and not state.is_dir():
        from speakerd import supervisor  # noqa: PLC0415  of use in the snap alone
        from speakerd.cli.run import FOLDER_MODE  # noqa: PLC0415

        supervisor.prepare({state: FOLDER_MODE})


def _settled(setting: str, state: Path) -> None:
    """Write the copy where it is another, or end one that nobody wants any more.

    What cannot be used replaces nothing. Raises CredentialsProblem and OSError.
    """
    copy, why = state / COPY, f"{state / OURS} is the agent's own"
    try:
        found = original(setting, state, os.environ)
    except NothingFound as fault:
        found, why = None, f"{fault.what} ({fault.remedy})"
    if found is None:
        copy.unlink(missing_ok=True)
        print(f"nothing to copy: {why}")
        return
    tls.context(found)
    _write(copy, as_yaml([copied(found)]))
    print(f"{found.source} is copied to {copy}")


def _write(file: Path, content: str) -> None:
    """Where it is not so already; for the owner of the folder alone, who may have put links in there.

    In the snap the agent is of root's group.
    """
    if file.is_symlink() or not file.is_file() or file.read_text() != content:
        owner = file.parent.stat()
        save(file, content, snap.MODE if snap.inside(os.environ) else PRIVATE, (owner.st_uid, owner.st_gid))
