"""The snap this program may run in: where its folders are, and which of its plugs give what; pure."""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

NAME = "metallb-speaker"
SERVICE = "speakerd"
USER = "snap_daemon"
"""The one user beside root that the sandbox lets a process become (snapcraft.yaml, system-usernames)."""
MODE = 0o640
"""Of files that hooks and agent share: root without its capabilities, and a user of root's group."""
NOTED, REVISION = "connected", "revision"
"""Files for the agent and from it: plugs that are connected, one a line (only hooks may ask snapd); what it runs."""

KUBECONFIGS, MICROK8S = "kubeconfigs", "microk8s-credentials"
READABLE = ("/etc/rancher/k3s/k3s.yaml", "/etc/kubernetes/admin.conf", "/var/snap/microk8s")
"""What the first of these plugs lets be read (snapcraft.yaml)."""
PLUGS: Mapping[str, str] = {
    "network-control": "this host answers for no address by ARP and NDP, and hears no member by Ethernet",
    "process-control": "a busy host may delay answers: no real-time priority",
    "network-observe": "doctor sees less of this host's network",
    "etc-speakerd": "/etc/speakerd.yaml and /etc/speakerd.d are not read",
    KUBECONFIGS: "no kubeconfig of k3s, the k8s snap, kubeadm or a classic microk8s is found by itself",
}
"""Plugs that do not connect by themselves -> what fails without. Of microk8s-credentials few have a slot."""
NEEDED = frozenset({"network-control"})
"""Without these it does not do what it is for."""
BOUNDED, SPARED = "a smaller capability bounding set", "protection from the OOM killer"
LIVED_WITH = frozenset({BOUNDED, SPARED})
"""What the sandbox refuses whatever is connected, and nothing here depends on: told, but no finding."""
ANEW = frozenset({"network-control", "process-control", KUBECONFIGS, MICROK8S})
"""The first two change which system calls are let through, and that is settled when a process starts; what the others
allow to be read is copied at the start.
"""


class Snap(Struct, frozen=True):
    """`name`: metallb-speaker, or metallb-speaker_KEY of one beside it; `data`: one revision's, `common`: all'."""

    name: str
    data: str
    common: str
    revision: str

    @property
    def settings(self) -> str:
        """What `snap set` edits. A revision never reads what a later one has written."""
        return f"{self.data}/speakerd.yaml"

    @property
    def state(self) -> str:
        """Where claims and caches outlive a revision. The sandbox lets nobody give $SNAP_COMMON itself to another."""
        return f"{self.common}/state"

    @property
    def run(self) -> str:
        """Where the sandbox lets sockets be made."""
        return f"/run/snap.{self.name}"

    @property
    def noted(self) -> str:
        """See NOTED."""
        return f"{self.data}/{NOTED}"

    @property
    def service(self) -> str:
        """As snapctl calls it."""
        return f"{self.name}.{SERVICE}"

    def command(self, plug: str) -> str:
        """What an administrator types to connect `plug`."""
        return f"snap connect {self.name}:{plug}"


def inside(environ: Mapping[str, str]) -> Snap | None:
    """Ours, or None: the variables of another snap's terminal are inherited by what is started there."""
    if environ.get("SNAP_NAME") != NAME or not (environ.get("SNAP_DATA") and environ.get("SNAP_COMMON")):
        return None
    name = environ.get("SNAP_INSTANCE_NAME") or NAME
    return Snap(name, environ["SNAP_DATA"], environ["SNAP_COMMON"], environ.get("SNAP_REVISION", ""))


def missing(connected: Collection[str]) -> Iterator[str]:
    """The plugs that are not, those first that are needed."""
    yield from (plug for plug in PLUGS if plug not in connected)
