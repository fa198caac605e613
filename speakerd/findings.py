"""The closed list of findings: what can be wrong with a running node, how grave, what it breaks, the remedy; pure.

Remedies have {names} in place of commands that are others in the snap: see `commands`.
"""

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
    CONFIGURATION_DIFFERS = "configuration-differs"
    NO_CREDENTIALS = "no-credentials"
    CREDENTIALS_UNUSABLE = "credentials-unusable"
    CREDENTIALS_REFUSED = "credentials-refused"
    API_UNREACHABLE = "api-unreachable"
    API_FORBIDS = "api-forbids"
    RESOURCES_MISSING = "resources-missing"
    NO_POOL = "no-pool"
    POOLS_DIFFER = "pools-differ-between-hosts"
    NODE_UNKNOWN = "node-unknown"
    NODE_EXCLUDED = "node-excluded"
    NETWORK_UNAVAILABLE = "network-unavailable"
    NO_INTERFACE = "no-interface"
    NO_ALLOCATOR = "no-allocator"
    SERVICE_UNSERVED = "service-unserved"
    ADDRESS_UNANNOUNCED = "address-unannounced"
    ANNOUNCER_DOWN = "announcer-down"
    ANNOUNCER_RESTARTS = "announcer-restarts"
    CRASH_LOOP = "announcer-crash-loop"
    HOST_REFUSES = "host-refuses"
    NO_RAW_SOCKETS = "no-raw-sockets"
    SNAP_NOT_CONNECTED = "snap-not-connected"
    MEMBERSHIP_BLOCKED = "membership-blocked"
    MEMBERSHIP_PORT_TAKEN = "membership-port-taken"
    MEMBERSHIP_NOT_LISTENING = "membership-not-listening"
    ETHERNET_CARRIER_BLOCKED = "ethernet-carrier-blocked"
    HTTP_NOT_SERVED = "http-not-served"
    BGP_SESSION_DOWN = "bgp-session-down"
    BGP_NO_SESSION = "bgp-no-session"
    BGP_PORT_TAKEN = "bgp-port-taken"
    BGP_NOT_LISTENING = "bgp-not-listening"
    BGP_NO_DISCOVERY = "bgp-no-discovery"
    BFD_PORT_TAKEN = "bfd-port-taken"
    BFD_NOT_SENDING = "bfd-not-sending"
    SEGMENT_SILENT = "segment-silent"
    NO_MESH_KEY = "no-mesh-key"
    ALONE = "alone"
    MEMBER_UNHEARD = "member-without-heartbeat"
    TWO_BOOTS = "two-boots-of-one-name"
    MEMBER_STALLED = "member-stalled"
    OTHER_SPEAKER = "answered-by-own-kernel-or-other-speaker"
    STRANGER = "answered-by-stranger"
    PROXY = "proxy-arp"
    BOUND_HERE = "bound-here"
    UNHEARD = "self-check-unanswered"
    DRAINED = "drained"


class Entry(Struct, frozen=True):
    """`breaks`: what no longer works, or not as well, while it stands."""

    severity: Severity
    breaks: str
    remedy: str


TABLE: Mapping[Finding, Entry] = {
    Finding.SETTINGS_REFUSED: Entry(
        "error", "the settings saved last are not in use, those before them are", "mend the file; {speakerd} check"
    ),
    Finding.SETTINGS_DOUBTFUL: Entry("warning", "a setting has no effect, or another than meant", "{speakerd} check"),
    Finding.CONFIGURATION_INVALID: Entry(
        "error", "part of a pool or advertisement is not in use", "mend the object that it names"
    ),
    Finding.CONFIGURATION_DOUBTFUL: Entry(
        "warning", "a field has no effect, or another than meant", "mend the object that it names"
    ),
    Finding.CONFIGURATION_DIFFERS: Entry(
        "warning",
        "these hosts obey other pools or advertisements than this one",
        "compare the settings files there and here, and look in `{speakerd} status` whether both read the cluster",
    ),
    Finding.NO_CREDENTIALS: Entry(
        "error", "the cluster cannot be read: addresses known before are still announced", "set kubernetes.kubeconfig"
    ),
    Finding.CREDENTIALS_UNUSABLE: Entry(
        "error",
        "credentials that were read before stay in use, as long as the API server takes them",
        "mend the kubeconfig",
    ),
    Finding.CREDENTIALS_REFUSED: Entry(
        "error",
        "changes in the cluster are not seen; addresses known before are still announced",
        "give it a kubeconfig that has not run out: {speakerd} rbac --kubeconfig HOST makes one",
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
        "warning", "pools of the cluster cannot be read", "{speakerd} crds | kubectl apply -f -"
    ),
    Finding.NO_POOL: Entry(
        "warning", "no Service gets an address", "create an IPAddressPool, or set iprange or addressPools"
    ),
    Finding.POOLS_DIFFER: Entry(
        "warning",
        "the pools in these hosts' settings are not those of most hosts, and do not count",
        "give all hosts the same iprange and addressPools",
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
        "error", "this host announces nothing: it has no usable interface", "{speakerd} status says why of each"
    ),
    Finding.NO_ALLOCATOR: Entry(
        "error", "no Service gets an address", "let one host allocate: kubernetes.allocate: true"
    ),
    Finding.SERVICE_UNSERVED: Entry(
        "warning", "a Service has no address", "{speakerd} explain NAMESPACE/NAME says why"
    ),
    Finding.ADDRESS_UNANNOUNCED: Entry(
        "warning",
        "an address was given out, and nobody answers for it",
        "{speakerd} explain ADDRESS says why, and what to do",
    ),
    Finding.ANNOUNCER_DOWN: Entry("error", "this host answers for none of its addresses", "look at the log: {log}"),
    Finding.ANNOUNCER_RESTARTS: Entry("warning", "answers pause at each restart", "look at the log: {log}"),
    Finding.CRASH_LOOP: Entry(
        "error",
        "this host answers for nothing for 5 minutes: its announcer died three times in one",
        "look at the log: {log}; then {restart} ends the wait",
    ),
    Finding.NO_RAW_SOCKETS: Entry(
        "error", "this host announces nothing: it may not open raw sockets", "grant CAP_NET_RAW, as the unit file does"
    ),
    Finding.SNAP_NOT_CONNECTED: Entry(
        "warning", "the sandbox of the snap forbids what the plug named would allow", "snap connect the plug"
    ),
    Finding.MEMBERSHIP_BLOCKED: Entry(
        "warning",
        "heartbeats by UDP do not pass both ways; frames on the segment carry them alone",
        "let UDP port 7946 (membership.port) pass between the hosts in both directions; look at both hosts' firewalls",
    ),
    Finding.MEMBERSHIP_PORT_TAKEN: Entry(
        "warning",
        "frames on the segment carry heartbeats alone",
        "end what has the port (MetalLB's speaker?), or set membership.port on all hosts",
    ),
    Finding.MEMBERSHIP_NOT_LISTENING: Entry(
        "warning", "frames on the segment carry heartbeats alone", "set membership.bind to an address of this host"
    ),
    Finding.ETHERNET_CARRIER_BLOCKED: Entry(
        "warning",
        "UDP carries heartbeats alone; who is silent is not asked on the wire before its addresses move",
        "let frames of EtherType 0x88b5 pass between the hosts in both directions; look at switches and bridge filters",
    ),
    Finding.HTTP_NOT_SERVED: Entry(
        "warning",
        "metrics and health are not told there",
        "end what has the port (MetalLB's speaker?), or set http.bind or http.metrics",
    ),
    Finding.BGP_SESSION_DOWN: Entry(
        "warning",
        "that router learns no address from this host; others do",
        "look at its side of the session: address, AS numbers, password, a filter of 179/tcp on the way",
    ),
    Finding.BGP_NO_SESSION: Entry(
        "error",
        "no router learns an address from this host: where all hosts say so, clients beyond the LAN reach none",
        "look at the routers' side of the sessions: addresses, AS numbers, passwords, a filter of 179/tcp on the way",
    ),
    Finding.BGP_PORT_TAKEN: Entry(
        "warning",
        "sessions that routers open are not for speakerd; those that it opens itself work",
        "let routers wait for us (passive), end what has the port (Calico's BIRD, Cilium?), or set bgp.listen: false",
    ),
    Finding.BGP_NOT_LISTENING: Entry(
        "warning",
        "sessions that routers open are refused; those that it opens itself work",
        "grant CAP_NET_BIND_SERVICE, set bgp.port above 1023, or bgp.listen: false",
    ),
    Finding.BGP_NO_DISCOVERY: Entry(
        "warning",
        "peers without an address are not found on their interface; one that calls is taken all the same",
        "grant CAP_NET_RAW, or give the peers their addresses",
    ),
    Finding.BFD_NOT_SENDING: Entry(
        "warning",
        "the death of a router is noticed by its BGP session's hold time alone",
        "look at what is named: an address that this host does not have, a device that is gone",
    ),
    Finding.BFD_PORT_TAKEN: Entry(
        "error",
        "the death of a router is noticed by its BGP session's hold time alone",
        "end what has 3784 or 4784/udp (FRR's bfdd, BIRD?), or take bfdProfile from the peers",
    ),
    Finding.SEGMENT_SILENT: Entry(
        "error",
        "this host answers for nothing on the interfaces named: it is cut off from their segment, with carrier up",
        "look at the switch port's VLAN, the bond and the cable; it comes back by itself once members are heard there",
    ),
    Finding.NO_MESH_KEY: Entry(
        "error",
        "this host answers for nothing: it cannot tell members from strangers",
        "grant get, list, watch and create on Secret memberlist, or set membership.secretFile",
    ),
    Finding.ALONE: Entry(
        "error",
        "hears no other member, or is heard by none: whoever is larger takes its addresses when they meet",
        "look at the network between the hosts",
    ),
    Finding.MEMBER_UNHEARD: Entry(
        "warning",
        "a node with a record was not heard since this one started: it takes no address",
        "start speakerd there, or if the node is gone for good delete its Lease speakerd-node-NAME",
    ),
    Finding.TWO_BOOTS: Entry(
        "error", "two hosts have one name: the newer one is silent", "give each host the name of its own Node"
    ),
    Finding.MEMBER_STALLED: Entry(
        "warning",
        "a member stood still twice in ten minutes: its death is noticed later for half an hour",
        "look at its load",
    ),
    Finding.OTHER_SPEAKER: Entry(
        "error",
        "a member's kernel, or another program there, answers for an address; nobody claims it who has not yet",
        "end the other speaker (MetalLB?); if it is the kernel, take the address off that host, or set arp_ignore to 1",
    ),
    Finding.STRANGER: Entry(
        "error", "a host that is no member has an address", "take it out of the pool, or off that host"
    ),
    Finding.PROXY: Entry(
        "warning",
        "one host that is no member answers for several addresses, and has those to itself that nobody has claimed yet",
        "a router or firewall: turn proxy ARP off there; another speaker (MetalLB?) on a host without speakerd: end it",
    ),
    Finding.BOUND_HERE: Entry(
        "warning",
        "an address is bound on an interface of this host: its kernel answers for it as well, whoever owns it",
        "take it off the interface (ip address del), or out of the pool",
    ),
    Finding.UNHEARD: Entry(
        "error",
        "another host of the segment does not hear this one answer for an address, so clients may not, either",
        "look at what stands between them: port isolation, ARP inspection, a hypervisor that forbids forged transmits",
    ),
    Finding.DRAINED: Entry(
        "warning",
        "this host hands over what it answers for, and takes nothing: an operator said so",
        "{speakerd} undrain",
    ),
    Finding.HOST_REFUSES: Entry(
        "warning", "a busy host may delay answers", "grant CAP_IPC_LOCK and CAP_SYS_NICE, as the unit file does"
    ),
}
