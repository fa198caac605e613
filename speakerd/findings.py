"""The closed list of findings: what can be wrong with a running node, how grave, what it breaks, the remedy; pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class Finding(StrEnum):
    """The word scripts know it by."""

    SETTINGS_REFUSED = "settings-refused"
    SETTINGS_DOUBTFUL = "settings-doubtful"
    CONFIGURATION_INVALID = "configuration-invalid"
    CONFIGURATION_DOUBTFUL = "configuration-doubtful"
    NO_CREDENTIALS = "no-credentials"
    API_UNREACHABLE = "api-unreachable"
    API_FORBIDS = "api-forbids"
    RESOURCES_MISSING = "resources-missing"
    NO_POOL = "no-pool"
    NODE_UNKNOWN = "node-unknown"
    NODE_EXCLUDED = "node-excluded"
    NETWORK_UNAVAILABLE = "network-unavailable"
    NO_INTERFACE = "no-interface"
    NO_ALLOCATOR = "no-allocator"
    SERVICE_UNSERVED = "service-unserved"
    ADDRESS_UNANNOUNCED = "address-unannounced"
    ANNOUNCER_DOWN = "announcer-down"
    ANNOUNCER_RESTARTS = "announcer-restarts"
    HOST_REFUSES = "host-refuses"
    NO_RAW_SOCKETS = "no-raw-sockets"


class Entry(Struct, frozen=True):
    """`breaks`: what no longer works, or not as well, while it stands."""

    severity: Severity
    breaks: str
    remedy: str


TABLE: Mapping[Finding, Entry] = {
    Finding.SETTINGS_REFUSED: Entry(
        "error", "the settings saved last are not in use, those before them are", "mend the file; speakerd check"
    ),
    Finding.SETTINGS_DOUBTFUL: Entry("warning", "a setting has no effect, or another than meant", "speakerd check"),
    Finding.CONFIGURATION_INVALID: Entry(
        "error", "part of a pool or advertisement is not in use", "mend the object that it names"
    ),
    Finding.CONFIGURATION_DOUBTFUL: Entry(
        "warning", "a field has no effect, or another than meant", "mend the object that it names"
    ),
    Finding.NO_CREDENTIALS: Entry(
        "error", "the cluster cannot be read: addresses known before are still announced", "set kubernetes.kubeconfig"
    ),
    Finding.API_UNREACHABLE: Entry(
        "error",
        "changes in the cluster are not seen; addresses known before are still announced",
        "check the API server and the way to it",
    ),
    Finding.API_FORBIDS: Entry(
        "error", "what may not be read is not obeyed, what may not be written is not done", "grant the rights it names"
    ),
    Finding.RESOURCES_MISSING: Entry(
        "warning", "pools of the cluster cannot be read", "speakerd crds | kubectl apply -f -"
    ),
    Finding.NO_POOL: Entry(
        "warning", "no Service gets an address", "create an IPAddressPool, or set iprange or addressPools"
    ),
    Finding.NODE_UNKNOWN: Entry(
        "error", "this host announces nothing: no Node of the cluster has its name", "set node.name to its Node's name"
    ),
    Finding.NODE_EXCLUDED: Entry(
        "warning",
        "this host announces nothing: its Node is labelled so",
        "remove the label node.kubernetes.io/exclude-from-external-load-balancers",
    ),
    Finding.NETWORK_UNAVAILABLE: Entry(
        "error",
        "this host announces nothing: its Node's condition NetworkUnavailable is true",
        "look at the network plugin",
    ),
    Finding.NO_INTERFACE: Entry(
        "error", "this host announces nothing: it has no usable interface", "speakerd status says why of each"
    ),
    Finding.NO_ALLOCATOR: Entry(
        "error", "no Service gets an address", "let one host allocate: kubernetes.allocate: true"
    ),
    Finding.SERVICE_UNSERVED: Entry("warning", "a Service has no address", "speakerd status says why"),
    Finding.ADDRESS_UNANNOUNCED: Entry(
        "warning", "an address was given out, and nobody answers for it", "speakerd status says why"
    ),
    Finding.ANNOUNCER_DOWN: Entry(
        "error", "this host answers for none of its addresses", "look at the log: journalctl -u speakerd"
    ),
    Finding.ANNOUNCER_RESTARTS: Entry(
        "warning", "answers pause at each restart", "look at the log: journalctl -u speakerd"
    ),
    Finding.NO_RAW_SOCKETS: Entry(
        "error", "this host announces nothing: it may not open raw sockets", "grant CAP_NET_RAW, as the unit file does"
    ),
    Finding.HOST_REFUSES: Entry(
        "warning", "a busy host may delay answers", "grant CAP_IPC_LOCK and CAP_SYS_NICE, as the unit file does"
    ),
}
