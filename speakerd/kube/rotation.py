"""Credentials that change while the agent runs: their files are looked at, and what is another is tried before use.

What the files say that cannot be used, or that the API server refuses, changes nothing but `problem`.
"""

from collections.abc import Mapping
from pathlib import Path

from speakerd.config.sources import Stamp
from speakerd.kube import noted, tls
from speakerd.kube.credentials import COPY, Credentials, CredentialsProblem, NothingFound, Unreadable, find
from speakerd.kube.handed import Known, stamps

AGAIN, LONGEST = 5.0, 30.0
"""Seconds until the API server is asked again whether it takes them, doubled from the first to the longest."""


class Rotation:
    """As `kubernetes.kubeconfig` says, with the state folder and the environment; `known`: what was read for it."""

    def __init__(self, setting: str, state: Path, environ: Mapping[str, str], known: Known | None = None) -> None:
        self._setting, self._state, self._environ = setting, state, environ
        self._known = known
        self._used: Credentials | None = None
        self._other: Credentials | None = None
        self._stamps: tuple[Stamp, ...] = ()
        self._fault: CredentialsProblem | None = None
        self._refusal: CredentialsProblem | None = None
        self._due, self._pause = 0.0, AGAIN

    @property
    def problem(self) -> CredentialsProblem | None:
        """Why what the files say now is not in use; None: it is, or nobody knows yet whether it can be."""
        return self._fault or self._refusal

    def first(self) -> Credentials:
        """What there is now, or was when it was read for us, to be used at once: there was nothing before.

        Raises CredentialsProblem.
        """
        self._read()
        if self._fault and not self._other:
            raise self._fault
        self._used, self._other = self._other, None
        assert self._used
        return self._used

    def look(self, now: float) -> Credentials | None:
        """What the files say now, if that is not what is in use and it is time to try it."""
        # A file that one which cannot be used names is not known: the whole is read again until it can be.
        if self._fault or self._look() != self._stamps:
            self._read()
        return self._other if self._other and now >= self._due else None

    def taken(self, tried: Credentials) -> None:
        """The API server takes them: they are in use."""
        self._used, self._refusal = tried, None
        if self._other == tried:
            self._other = None

    def refused(self, why: CredentialsProblem, now: float) -> None:
        """It does not, or cannot be asked."""
        self._refusal = why
        self._due, self._pause = now + self._pause, min(LONGEST, 2 * self._pause)

    def _read(self) -> None:
        before, self._other, self._fault = self._other, None, None
        known, self._known = self._known, None
        try:
            found = known.credentials if known else find(self._setting, self._state, self._environ)
            tls.context(found)
        except CredentialsProblem as fault:
            # Root, who may read more, knows better what is wrong.
            told = noted.read(self._state) if isinstance(fault, NothingFound | Unreadable) else None
            self._fault = told or fault
        else:
            self._other = found if found != self._used else None
            self._fault = noted.read(self._state) if str(self._state / COPY) in found.files else None
        if self._other is None or self._other != before:
            self._refusal, self._due, self._pause = None, 0.0, AGAIN
        self._stamps = known.stamps if known else self._look()

    def _look(self) -> tuple[Stamp, ...]:
        """Of what those in use and those to be tried depend on."""
        return stamps(self._setting, self._state, self._environ, filter(None, (self._used, self._other)))
