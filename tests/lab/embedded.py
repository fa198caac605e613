"""The embedded API server beside a LAN's bridge, with the same face as the real control plane."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.kube.pki import Pki
from tests.lab import objects
from tests.lab.cluster import Access, ApiError, Cluster, Write
from tests.lab.net import Lan
from tests.lab.waiting import eventually

ROOT = Path(__file__).parents[2]
PORT = 6443


class Embedded:
    """From enter to exit. `cluster` is the administrator's view, with a Node for each node of the LAN.

    `bare`: MetalLB was never here: no CustomResourceDefinitions, no namespace. `tls`: by HTTPS, as real servers are.
    """

    cluster: Cluster
    folder: Path

    def __init__(self, lan: Lan, *, bare: bool = False, tls: bool = False) -> None:
        self._lan, self._bare, self._tls = lan, bare, tls
        self._pki: Pki | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speakerd-lab-")))
            # speakerd gives up root, and reads its credentials after that.
            self.folder.chmod(0o755)
            self._start()
            self.cluster = Cluster(self._access(), self._writes)
            stack.callback(self.cluster.close)
            eventually(self._ready, "the embedded API server answers")
            if not self._bare:
                self.cluster.create(objects.namespace(objects.METALLB))
                self.cluster.create(objects.mesh_secret())
            for node in self._lan.nodes:
                self.cluster.create(objects.node(node))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        server = self._lan.server
        users = [f"--user={node.name}" for node in self._lan.nodes]
        where = [f"--dir={self.folder}", f"--bind={server.ipv4}", f"--port={PORT}"]
        more = ["--no-crds"] if self._bare else []
        if self._tls:
            self._pki = pki = Pki(self.folder / "pki", server.ipv4)
            more += [f"--cert={pki.certificate}", f"--key={pki.key}", f"--ca={pki.ca}"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-m", "tests.embedded", *where, *users, *more)
        self._lan.spawn(server, *command, log=self.folder / "api.log", env=env)

    def _access(self) -> Access:
        config = self.folder / "admin.kubeconfig"
        text = eventually(lambda: config.exists() and config.read_text(), "the embedded API server is up")
        token = json.loads(str(text))["users"][0]["user"]["token"]
        scheme, ca = ("https", self._pki.ca) if self._pki else ("http", None)
        return Access(self._lan.server.namespace, f"{scheme}://{self._lan.server.ipv4}:{PORT}", token, ca)

    def _ready(self) -> bool:
        try:
            self.cluster.request("GET", "/readyz")
        except (OSError, ApiError):
            return False
        return True

    def kubeconfig(self, user: str) -> Path:
        """A file with the credentials of `user`, a node's name."""
        config = self.folder / f"{user}.kubeconfig"
        config.chmod(0o644)
        return config

    def _writes(self) -> list[Write]:
        return msgspec.convert(self.cluster.request("GET", "/_writes"), list[Write])

    def fault(self, **faults: object) -> None:
        """Let the server fail: see tests.embedded.server.Faults. Without arguments it heals."""
        self.cluster.request("POST", "/_faults", faults)

    def apply(self, wanted: Iterable[objects.Object]) -> None:
        """Create what is not there yet."""
        for each in wanted:
            self.cluster.ensure(each)
