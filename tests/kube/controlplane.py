"""A real control plane without containers: etcd, kube-apiserver, kube-controller-manager in a LAN's server namespace.

There is no kubelet: who uses it makes Nodes and EndpointSlices. Everything lives on tmpfs and dies with the block.
"""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import yaml

from tests.kube.pki import Pki
from tests.lab.agents import command_output
from tests.lab.cluster import Access, ApiError, Cluster, Write, kubeconfig
from tests.lab.net import Lan, inside
from tests.lab.objects import Object
from tests.lab.waiting import eventually

BINARIES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "speakerd" / "kube"
ETCD_PORT, PEER_PORT, MANAGER_PORT = 2379, 2380, 10257
PORT, SECOND_PORT = 6443, 7443
SERVICES = "10.96.0.0/16,fd96::/112"
CONTROLLERS = ",".join(
    f"{name}-controller"
    for name in (
        "serviceaccount",
        "root-ca-certificate-publisher",
        "namespace",
        "garbage-collector",
        "validatingadmissionpolicy-status",
    )
)
READY = 60.0
"""Seconds for a program to be ready: 3 on an idle machine, many on a busy one."""
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
}


def missing() -> str:
    """What a control plane needs that is not here, or nothing."""
    if not shutil.which("etcd"):
        return "etcd not found: apt-get install etcd-server"
    if not shutil.which("openssl"):
        return "openssl not found: apt-get install openssl"
    if not (BINARIES / "kube-proxy").exists():
        return f"no kube-apiserver in {BINARIES}: run tests/kube/build.sh"
    return ""


class ControlPlane:
    """From enter to exit; `cluster` is the administrator's view, `kubeconfig(user)` what a node gets."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self._stack = ExitStack()
        self._tokens: dict[str, str] = {user: secrets.token_hex(16) for user in self._users()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _users(self) -> list[str]:
        return ["admin", *(node.name for node in self._lan.nodes), *(f"proxy-{node.name}" for node in self._lan.nodes)]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(_scratch()))
            self.pki = Pki(self.folder / "pki", self._lan.server.ipv4, self._lan.server.ipv6)
            self._write_files()
            self.cluster = self.view("admin")
            stack.callback(self._end)
            self._start_etcd()
            self.start()
            self._start_manager()
            self._prepare()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.close()
        self._stack.close()

    def _end(self) -> None:
        """Nothing here is worth an orderly end."""
        for name in reversed(list(self._processes)):
            self.stop(name)

    def _write_files(self) -> None:
        groups = {"admin": ',"system:masters"'}
        lines = [
            f"{token},{user},{user}"
            + groups.get(user, ',"system:masters"' if user.startswith("proxy-") else ',"speakerd"')
            for user, token in self._tokens.items()
        ]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "audit.yaml").write_text(json.dumps(AUDIT))

    def access(self, user: str, port: int = PORT) -> Access:
        """How `user` (admin, a node's name, proxy-NODE) reaches the server."""
        server = self._lan.server
        return Access(server.namespace, f"https://{server.ipv4}:{port}", self._tokens[user], self.pki.ca)

    def view(self, user: str, port: int = PORT) -> Cluster:
        """The cluster as `user` may see it."""
        return Cluster(self.access(user, port), self._writes)

    def kubeconfig(self, user: str) -> Path:
        """A file with the credentials of `user`."""
        return kubeconfig(self.access(user), self.folder / f"{user}.kubeconfig")

    def _spawn(self, name: str, *command: str) -> None:
        self._processes[name] = self._lan.spawn(self._lan.server, *command, log=self.folder / f"{name}.log")

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{PEER_PORT}"
        self._spawn(
            "etcd",
            *("etcd", "--name=lab", f"--data-dir={self.folder}/etcd", "--log-level=warn", "--unsafe-no-fsync"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=lab={peer}"),
        )
        self._await("etcd", lambda: b'"true"' in self.etcd("GET", "/health"))

    def etcd(self, method: str, where: str, body: object = None) -> bytes:
        """What etcd's JSON gateway answers; nothing where it does not."""
        with inside(self._lan.server.namespace):
            connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT, timeout=5)
            try:
                connection.request(method, where, None if body is None else json.dumps(body))
                return connection.getresponse().read()
            except OSError:
                return b""
            finally:
                connection.close()

    def compact(self) -> int:
        """Make etcd forget every revision but the newest; that one."""
        put = json.loads(self.etcd("POST", "/v3/kv/put", {"key": "bm90aGluZw==", "value": ""}))
        revision = int(put["header"]["revision"])
        self.etcd("POST", "/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    def start(self, name: str = "apiserver", port: int = PORT) -> None:
        """Start the API server (or another one on the same etcd) and wait until it is ready."""
        pki, server = self.pki, self._lan.server
        self._spawn(
            name,
            *(str(BINARIES / "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
            *("--bind-address=0.0.0.0", f"--secure-port={port}", f"--advertise-address={server.ipv4}"),
            *(f"--tls-cert-file={pki.certificate}", f"--tls-private-key-file={pki.key}", f"--client-ca-file={pki.ca}"),
            *(f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC", "--anonymous-auth=true"),
            *(
                f"--service-account-key-file={pki.accounts_public}",
                f"--service-account-signing-key-file={pki.accounts}",
            ),
            *("--service-account-issuer=https://kubernetes.default.svc", f"--service-cluster-ip-range={SERVICES}"),
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,Priority",
            *("--endpoint-reconciler-type=none", "--allow-privileged=true", "--profiling=false"),
            *("--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000"),
            *(f"--audit-policy-file={self.folder}/audit.yaml", f"--audit-log-path={self.folder}/audit-{name}.log"),
        )
        view = self.view("admin", port)
        self._await(name, lambda: _ready(view))
        view.close()

    def stop(self, name: str = "apiserver") -> None:
        """Kill the API server (or another of the programs), as a crash would."""
        self.cluster.close()
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def _start_manager(self) -> None:
        config = str(self.kubeconfig("admin"))
        self._spawn(
            "controller-manager",
            *(str(BINARIES / "kube-controller-manager"), f"--kubeconfig={config}", "--leader-elect=false"),
            *(f"--service-account-private-key-file={self.pki.accounts}", f"--root-ca-file={self.pki.ca}"),
            *("--use-service-account-credentials=false", "--allocate-node-cidrs=false", "--bind-address=127.0.0.1"),
            *(f"--secure-port={MANAGER_PORT}", f"--controllers={CONTROLLERS}", "--profiling=false"),
            *(f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}"),
        )

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        def look() -> bool:
            assert self._processes[name].poll() is None, f"{name} ended:\n{self.tail(name)}"
            return ready()

        eventually(look, f"{name} is ready; its log ends\n{self.tail(name)}", READY)

    def tail(self, name: str) -> str:
        """The end of a program's log."""
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def _prepare(self) -> None:
        """Nodes, the namespace of MetalLB's resources, and what speakerd may do."""
        agents = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "speakerd"}
        for each in yaml.safe_load_all(command_output("rbac")):
            bound = {"subjects": [*each["subjects"], agents]} if "subjects" in each else {}
            self.cluster.ensure(each | bound)

    def _writes(self) -> list[Write]:
        """From the servers' audit logs, oldest first; the control plane's own writes are left out."""
        logs = [log.read_text().splitlines() for log in self.folder.glob("audit-*.log")]
        events = sorted((json.loads(line) for lines in logs for line in lines), key=lambda each: each["stageTimestamp"])
        return [_write(each) for each in events if not each["user"].get("username", "").startswith("system:")]

    @contextmanager
    def outage(self) -> Iterator[Cluster]:
        """The API server is dead for as long as the block lasts; yields the cluster through another one on its etcd."""
        self.start("second", SECOND_PORT)
        second = self.view("admin", SECOND_PORT)
        self.stop()
        try:
            yield second
        finally:
            self.start()
            second.close()
            self.stop("second")


def _write(event: Object) -> Write:
    """What an audit event tells."""
    ref = event.get("objectRef", {})
    resource = "/".join(filter(None, (ref.get("resource", ""), ref.get("subresource", ""))))
    return Write(event["user"].get("username", ""), event["verb"], resource, ref.get("name", ""))


def _ready(view: Cluster) -> bool:
    try:
        view.request("GET", "/readyz")
    except (OSError, ApiError):
        return False
    return True


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder on tmpfs where there is one: etcd writes much. Readable by all, for speakerd gives up root."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="speakerd-kube-", dir=memory if memory.is_dir() else None) as folder:
        Path(folder).chmod(0o755)
        yield folder
