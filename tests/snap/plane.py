"""The embedded API server on this host's loopback, where a virtual machine finds it through qemu's user network."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import objects
from tests.lab.cluster import Access, ApiError, Cluster
from tests.lab.embedded import ROOT
from tests.lab.net import Host
from tests.lab.waiting import eventually

LOOPBACK, SEEN = "127.0.0.1", "10.0.2.2"
"""Its address here, and in the machine."""


class Plane:
    """From enter to exit. `cluster` is the administrator's view, with a Node for each of `nodes`."""

    cluster: Cluster

    def __init__(self, nodes: tuple[Host, ...]) -> None:
        self._nodes = nodes
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speakerd-snap-")))
            users = [f"--user={node.name}" for node in self._nodes]
            command = [sys.executable, "-m", "tests.embedded", f"--dir={self._folder}", f"--bind={LOOPBACK}", "--stdin"]
            log = stack.enter_context((self._folder / "api.log").open("wb"))
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            server = subprocess.Popen([*command, *users], stdin=subprocess.PIPE, stdout=log, stderr=log, env=env)
            stack.callback(server.wait)
            assert server.stdin
            stack.callback(server.stdin.close)
            access = eventually(self._access, "the embedded API server is up")
            assert access
            self.cluster = Cluster(access, list)
            stack.callback(self.cluster.close)
            eventually(self._ready, "the embedded API server answers")
            self.cluster.create(objects.namespace(objects.METALLB))
            self.cluster.create(objects.mesh_secret())
            for node in self._nodes:
                self.cluster.create(objects.node(node))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _access(self) -> Access | None:
        config = self._folder / "admin.kubeconfig"
        text = config.read_text() if config.exists() else ""
        if not text:
            return None
        found = json.loads(text)
        return Access("", found["clusters"][0]["cluster"]["server"], found["users"][0]["user"]["token"])

    def _ready(self) -> bool:
        try:
            self.cluster.request("GET", "/readyz")
        except (OSError, ApiError):
            return False
        return True

    def kubeconfig(self, user: str) -> str:
        """The text of the kubeconfig of `user`, a node's name, as it serves in the machine."""
        return (self._folder / f"{user}.kubeconfig").read_text().replace(LOOPBACK, SEEN)
