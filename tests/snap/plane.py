"""The embedded API server on this host's loopback, where a virtual machine finds it through qemu's user network."""

import json
import subprocess
from collections.abc import Mapping, Sequence

from tests.lab.cluster import Access
from tests.lab.embedded import Served

LOOPBACK, SEEN = "127.0.0.1", "10.0.2.2"
"""Its address here, and in the machine."""


class Plane(Served):
    """On a port that was free."""

    def _serve(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Until its standard input ends, be it because these tests were killed."""
        log = self._stack.enter_context((self.folder / "api.log").open("wb"))
        command = [*command, f"--bind={LOOPBACK}", "--stdin"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env)
        self._stack.callback(server.wait)
        assert server.stdin
        self._stack.callback(server.stdin.close)

    def _access(self, token: str) -> Access:
        found = json.loads((self.folder / "admin.kubeconfig").read_text())
        return Access("", found["clusters"][0]["cluster"]["server"], token)

    def kubeconfig(self, user: str) -> str:
        """The text of the kubeconfig of `user`, a node's name, as it serves in the machine."""
        return (self.folder / f"{user}.kubeconfig").read_text().replace(LOOPBACK, SEEN)
