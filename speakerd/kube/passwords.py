"""The Secrets with the passwords of BGP sessions: each is watched by its name, as long as a peer of this node names it.

By name, since all Secrets of the namespace are nobody's to read: other hosts' tokens are among them.
"""

import asyncio
import random
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping

from speakerd.config import secrets
from speakerd.kube import objects, reflector
from speakerd.kube.client import Client
from speakerd.kube.reflector import FORBIDDEN, Reflector
from speakerd.peering import Password


class Passwords:
    """`known`: what an earlier process of this host had read, by the Secret's name; `changed`: called upon news."""

    def __init__(self, namespace: str, known: Mapping[str, Password], changed: Callable[[], None]) -> None:
        self._namespace = namespace
        self._known = known
        self._changed = changed
        self._watched: dict[str, Reflector[objects.Secret]] = {}
        self._wanted = asyncio.Event()
        self._tasks: dict[str, tuple[Reflector[objects.Secret], asyncio.Task[None]]] = {}
        self._read: dict[str, tuple[objects.Secret | None, Password | str]] = {}
        self._value: Mapping[str, Password] = known
        self._faults: Mapping[str, str] = {}

    def want(self, names: Iterable[str]) -> None:
        """Have these Secrets watched from now on, and no others."""
        names = frozenset(names)
        if names == self._watched.keys():
            return
        kept = {name: each for name, each in self._watched.items() if name in names}
        new = {name: self._reflector(name) for name in sorted(names - kept.keys())}
        self._watched = kept | new
        self._read = {name: each for name, each in self._read.items() if name in kept}
        self._wanted.set()

    def _reflector(self, name: str) -> Reflector[objects.Secret]:
        return Reflector(objects.secret(self._namespace, name), random.random)

    def value(self) -> tuple[Mapping[str, Password], Mapping[str, str]]:
        """The passwords by the Secret's name, and of the Secrets that were looked at what is wrong, "" nothing.

        Both are the same objects as long as they stay the same. What is not read yet is as it was known before.
        """
        found: dict[str, Password] = {}
        faults: dict[str, str] = {}
        for name, each in self._watched.items():
            if not each.synced:
                found |= {name: self._known[name]} if name in self._known else {}
                continue
            password = self._password(name, next(iter(each.value.values()), None))
            if isinstance(password, Password):
                found[name] = password
            faults[name] = "" if isinstance(password, Password) else password
        if found != self._value:
            self._value = found
        if faults != self._faults:
            self._faults = faults
        return self._value, self._faults

    def _password(self, name: str, secret: objects.Secret | None) -> Password | str:
        before = self._read.get(name)
        if before is None or before[0] is not secret:
            self._read[name] = before = (secret, password_in(secret))
        return before[1]

    @property
    def failing(self) -> dict[str, str]:
        """The Secrets that may not be read, and what the API said."""
        refused = ((name, each.error) for name, each in self._watched.items() if each.error.startswith(FORBIDDEN))
        return {f"Secret {name}": error for name, error in refused}

    async def run(self, client: Client) -> None:
        """Watch what is wanted until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for name in [name for name, (each, _) in self._tasks.items() if self._watched.get(name) is not each]:
                    self._tasks.pop(name)[1].cancel()
                for name in self._watched.keys() - self._tasks.keys():
                    each = self._watched[name]
                    watch = reflector.run(each, client, self._changed)
                    self._tasks[name] = each, group.create_task(watch, name=f"watch-secret-{name}")
                self._wanted.clear()
                await self._wanted.wait()


def password_in(secret: objects.Secret | None) -> Password | str:
    """The password that a Secret holds, or why it holds none."""
    if secret is None:
        return secrets.MISSING
    if fault := secrets.fault(secret.type, secret.data.keys()):
        return fault
    try:
        octets = b64decode(secret.data[secrets.PASSWORD], validate=True)
    except ValueError:
        return f"has a {secrets.PASSWORD} that is no base64"
    return secrets.length_fault(len(octets)) or Password(octets)
