"""Where the mesh keys come from: a file, or Secret `memberlist`, which is watched, and created where it is missing."""

import asyncio
import os
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from speakerd.exchange import Key, Member
from speakerd.kube import body, meshkeys, objects, reflector
from speakerd.kube.client import Client, Unreachable
from speakerd.kube.reflector import FORBIDDEN, Reflector
from speakerd.kube.writer import WriteError, Writer

log = structlog.get_logger()

SECRET, KEY_FILE = f"Secret {meshkeys.SECRET}", "membership.secretFile"
AGAIN = 5.0
"""Seconds until a Secret that could not be written, or is not seen, is written again."""


class KeyKeeper:
    """`path`: of a file that holds the key, "" for the Secret; `known`: keys that were in use before this process.

    `changed` is called when the watch has news; `failing`: what is wrong with file or Secret, and why.
    """

    def __init__(self, namespace: str, path: str, known: tuple[Key, ...], changed: Callable[[], None]) -> None:
        self.secret = Reflector(objects.secret(namespace, meshkeys.SECRET), random.random)
        self._from_file = bool(path)
        self._changed = changed
        self._faults: dict[str, str] = {}
        self._keys = meshkeys.MeshKeys(self._read(path), known)
        self._seen = asyncio.Event()

    @property
    def settled(self) -> bool:
        """Whether the key is known, or known to be out of reach."""
        return self._from_file or self.secret.synced or bool(self.secret.error)

    def keys(self, members: Iterable[Member]) -> tuple[Key, ...]:
        """Those in use, newest first; the older until all `members` name the newer."""
        if len(self._keys.value) > 1:
            self._keys.spread(members)
        return self._keys.value

    @property
    def failing(self) -> dict[str, str]:
        """Where the Secret is what lacks, why it cannot be used: an outage is told elsewhere."""
        if self.secret.error.startswith(FORBIDDEN):
            return {**self._faults, SECRET: self.secret.error}
        if self.secret.value and not self._from_file and not body.mesh_material(self.secret.value):
            return {**self._faults, SECRET: f"it has no key {meshkeys.ENTRY}, or one that is no base64"}
        return self._faults

    def deadline(self) -> float | None:
        """When the Secret is to be created, unless it turns up before."""
        return self._keys.deadline()

    def seen(self) -> None:
        """The watch shows the Secret anew, or that there is none."""
        if self.secret.synced:
            self._keys.see(body.mesh_material(self.secret.value), time.monotonic())
            self._seen.set()
        self._changed()

    async def run(self, client: Client, writer: Writer) -> None:
        """Watch the Secret, and create it where it has been missing for a while; a key from a file needs neither."""
        if self._from_file:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run(self.secret, client, self.seen), name="watch-secret")
            group.create_task(self._keep(writer), name="keep-secret")

    async def _keep(self, writer: Writer) -> None:
        while True:
            due = self.deadline()
            self._seen.clear()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                    await self._seen.wait()
            except TimeoutError:
                await self._create(writer)
                await asyncio.sleep(AGAIN)

    async def _create(self, writer: Writer) -> None:
        """With the key in use, or a new one."""
        try:
            await writer.make_key(self._keys.newest or b64encode(os.urandom(meshkeys.MATERIAL_BYTES)))
        except (Unreachable, WriteError) as fault:
            self._failed(SECRET, str(fault))
        else:
            self._faults.pop(SECRET, None)

    def _read(self, path: str) -> bytes:
        """The key in a file."""
        try:
            material = Path(path).read_bytes() if path else b""
        except OSError as fault:
            self._failed(KEY_FILE, str(fault))
            return b""
        if path and not material:
            self._failed(KEY_FILE, f"{path} is empty")
        return material

    def _failed(self, what: str, why: str) -> None:
        """Note what is wrong, and log it once as long as it stays the same."""
        if self._faults.get(what) != why:
            log.warning("write.failed", what=what, error=why)
        self._faults[what] = why
