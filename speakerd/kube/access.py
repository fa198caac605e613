"""By which credentials the API server is called: the first that are found, and others once it has taken them.

Credentials that are not there yet, or not good yet, are looked for again: the agent stays up and says what it lacks.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from speakerd.kube import kept
from speakerd.kube.client import Client, Unreachable
from speakerd.kube.credentials import Credentials, CredentialsProblem
from speakerd.kube.reflector import OK
from speakerd.kube.rotation import AGAIN, Rotation

log = structlog.get_logger()

REMEDIES = {
    401: "give a kubeconfig of this cluster that has not run out: speakerd rbac --kubeconfig HOST makes one",
    403: "grant its user the rights: speakerd rbac | kubectl apply -f -",
}
"""By the API server's answer."""
UNREACHED = "check the server that it names, and the way to it"


class Unanswered(CredentialsProblem):
    """Nobody has said whether they are good."""


class Access:
    """`credentials`: those in use, None before there are any; `problem`: why others on disk are not.

    `changed` is called when there is a problem, another, or none any more; `works` tells whether those in use do.
    """

    def __init__(self, rotation: Rotation, changed: Callable[[], None], works: Callable[[], bool]) -> None:
        self._rotation = rotation
        self._changed, self._works = changed, works
        self._rotated = asyncio.Event()
        self.credentials: Credentials | None = None
        self.problem: CredentialsProblem | None = None

    async def begin(self) -> Client:
        """A client with the credentials found; waits until there are any."""
        while True:
            try:
                found = self._rotation.first()
                client = Client(found)
            except CredentialsProblem as fault:
                self._tell(fault)
                await asyncio.sleep(AGAIN)
            else:
                self._use(found)
                return client

    def look_out(self, now: float) -> None:
        """See whether the files are others. To be called every few seconds; before `begin` is over it does nothing."""
        if self.credentials:
            if self._rotation.look(now):
                self._rotated.set()
            self._tell(self._rotation.problem)

    async def run(self, client: Client) -> None:
        """Have `client` call with other credentials as soon as the API server takes these.

        Where it does not answer they are used all the same, unless those before them work.
        """
        while True:
            await self._rotated.wait()
            self._rotated.clear()
            found = self._rotation.look(time.monotonic())
            if found is None:
                continue
            why = await _refusal(found)
            if why is None or (isinstance(why, Unanswered) and not self._works()):
                client.use(found)
                self._rotation.taken(found)
                self._use(found)
            else:
                self._rotation.refused(why, time.monotonic())
                self._tell(self._rotation.problem)

    def _use(self, found: Credentials) -> None:
        self.credentials = found
        log.info("kube.credentials", source=found.source, server=found.server)
        self._tell(self._rotation.problem)

    def _tell(self, fault: CredentialsProblem | None) -> None:
        """Log what is wrong, once as long as it stays the same, and that it no longer is."""
        if str(fault) == str(self.problem):
            return
        if fault:
            log.warning("kube.credentials.missing", where=fault.where, what=fault.what, remedy=fault.remedy)
        elif self.credentials:
            log.info("kube.credentials.mended", source=self.credentials.source)
        self.problem = fault
        self._changed()


async def _refusal(found: Credentials) -> CredentialsProblem | None:
    """Why the API server does not take them, or cannot be asked; None: it does."""
    client = Client(found)
    try:
        answer = await client.request("GET", kept.SERVICES.query(limit=1))
    except Unreachable as fault:
        return Unanswered(found.source, f"{found.server} cannot be reached: {fault}", UNREACHED)
    finally:
        client.close()
    if answer.status == OK:
        return None
    what = f"{found.server} answers {answer.status} {answer.reason}"
    if remedy := REMEDIES.get(answer.status):
        return CredentialsProblem(found.source, what, remedy)
    return Unanswered(found.source, what, UNREACHED)
