"""Credentials that change while the agent runs: their files are looked at, and read again once one is another."""

from collections.abc import Mapping
from pathlib import Path

from speakerd.config.sources import Stamp, stamped
from speakerd.kube.credentials import Credentials, find, places


class Rotation:
    """As `kubernetes.kubeconfig` says, with the state folder and the environment."""

    def __init__(self, setting: str, state: Path, environ: Mapping[str, str]) -> None:
        self._setting, self._state, self._environ = setting, state, environ
        self._found: Credentials | None = None
        self._stamps: tuple[Stamp, ...] = ()

    def first(self) -> Credentials:
        """What there is now. Raises CredentialsProblem."""
        self._found = find(self._setting, self._state, self._environ)
        self._stamps = self._look()
        return self._found

    def another(self) -> Credentials | None:
        """What there is now, if that is not what there was. Raises CredentialsProblem, once a change."""
        stamps = self._look()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        before = self._found
        found = self.first()
        return found if found != before else None

    def _look(self) -> tuple[Stamp, ...]:
        files = map(Path, self._found.files if self._found else ())
        return tuple(stamped(path) for path in (*places(self._setting, self._state, self._environ), *files))
