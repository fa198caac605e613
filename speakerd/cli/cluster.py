"""How a command reaches the cluster itself: a client with the credentials of who calls, and one clear error."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from speakerd.cli import NOT_VALID, Ended, fail
from speakerd.kube.client import Client, Unreachable
from speakerd.kube.copying import Refused
from speakerd.kube.credentials import Credentials, CredentialsProblem, find
from speakerd.settings import Settings

T = TypeVar("T")


def credentials(settings: Settings) -> Credentials:
    """Those that the settings name, or of the usual places. Raises CredentialsProblem."""
    return find(settings.kubernetes.kubeconfig, Path(settings.paths.state), os.environ)


def asked(settings: Settings, work: Callable[[Client], Awaitable[T]]) -> T:
    """What `work` comes to. Raises Ended, once the error is said."""

    async def ask() -> T:
        client = Client(credentials(settings))
        try:
            return await work(client)
        finally:
            client.close()

    try:
        return asyncio.run(ask())
    except CredentialsProblem as fault:
        fail(fault.where, fault.what, fault.remedy)
    except Unreachable as fault:
        fail("cluster", f"cannot be reached: {fault}", "check the API server and kubernetes.kubeconfig")
    except Refused as fault:
        fail("cluster", str(fault), "use a kubeconfig of an administrator")
    raise Ended(NOT_VALID)
