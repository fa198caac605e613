"""The embedded API server, with the same face as the real control plane: beside a LAN's bridge, or elsewhere."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.kube.pki import Pki
from tests.lab import objects
from tests.lab.cluster import Access, ApiError, Cluster, Write
from tests.lab.net import Host, Lan
from tests.lab.waiting import eventually

ROOT = Path(__file__).parents[2]
PORT = 6443


class Served:
    """The embedded API server from enter to exit, wherever `_serve` has it run.

    `cluster` is the administrator's view, with a Node for each of `nodes`. `bare`: MetalLB was never here: no
    CustomResourceDefinitions, no namespace.
    """

    cluster: Cluster
    folder: Path

    def __init__(self, nodes: Sequence[Host], *, bare: bool = False) -> None:
        self._nodes, self._bare = nodes, bare
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speakerd-lab-")))
            # speakerd gives up root, and reads its credentials after that.
            self.folder.chmod(0o755)
            users = [f"--user={node.name}" for node in self._nodes]
            more = ["--no-crds"] if self._bare else []
            command = [sys.executable, "-m", "tests.embedded", f"--dir={self.folder}", *users, *more]
            self._serve(command, {**os.environ, "PYTHONPATH": str(ROOT)})
            self.cluster = Cluster(self._access(self._token()), self._writes)
            stack.callback(self.cluster.close)
            eventually(self._ready, "the embedded API server answers")
            if not self._bare:
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

    def _serve(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start `command`, told where to listen; it ends with `_stack` at the latest."""
        raise NotImplementedError

    def _access(self, token: str) -> Access:
        """Where the administrator finds it."""
        raise NotImplementedError

    def _token(self) -> str:
        config = self.folder / "admin.kubeconfig"
        text = eventually(lambda: config.exists() and config.read_text(), "the embedded API server is up")
        return str(json.loads(str(text))["users"][0]["user"]["token"])

    def _ready(self) -> bool:
        try:
            self.cluster.request("GET", "/readyz")
        except (OSError, ApiError):
            return False
        return True

    def _writes(self) -> list[Write]:
        return msgspec.convert(self.cluster.request("GET", "/_writes"), list[Write])


class Embedded(Served):
    """Beside a LAN's bridge. `tls`: by HTTPS, as real servers are."""

    def __init__(self, lan: Lan, *, bare: bool = False, tls: bool = False) -> None:
        super().__init__(lan.nodes, bare=bare)
        self._lan, self._tls = lan, tls
        self._pki: Pki | None = None

    def _serve(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """On a host of the LAN, and ended with it."""
        server = self._lan.server
        where = [f"--bind={server.ipv4}", f"--port={PORT}"]
        if self._tls:
            self._pki = pki = Pki(self.folder / "pki", server.ipv4)
            where += [f"--cert={pki.certificate}", f"--key={pki.key}", f"--ca={pki.ca}"]
        self._lan.spawn(server, *command, *where, log=self.folder / "api.log", env=env)

    def _access(self, token: str) -> Access:
        scheme, ca = ("https", self._pki.ca) if self._pki else ("http", None)
        return Access(self._lan.server.namespace, f"{scheme}://{self._lan.server.ipv4}:{PORT}", token, ca)

    def kubeconfig(self, user: str) -> Path:
        """A file with the credentials of `user`, a node's name."""
        config = self.folder / f"{user}.kubeconfig"
        config.chmod(0o644)
        return config

    def fault(self, **faults: object) -> None:
        """Let the server fail: see tests.embedded.server.Faults. Without arguments it heals."""
        self.cluster.request("POST", "/_faults", faults)

    def apply(self, wanted: Iterable[objects.Object]) -> None:
        """Create what is not there yet."""
        for each in wanted:
            self.cluster.ensure(each)
