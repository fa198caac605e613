"""BGPPeer and BFDProfile objects -> checked values, and every fault in them; pure."""

from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any

from speakerd.config.durations import go_duration
from speakerd.config.origin import Origin, matching, selector_problems
from speakerd.config.resources import BFDProfile, BGPPeer, BGPPeerSpec
from speakerd.config.secrets import MISSING, MOST_OCTETS, PASSWORD, PASSWORD_TYPE, length_fault
from speakerd.config.sides import Ground
from speakerd.config.words import nearest
from speakerd.model import Problem
from speakerd.peering import BfdProfile, Peer

ASN = range(1, 1 << 32)
PORTS = range(1, 16385)
"""As MetalLB's schema has it, odd as its end is."""
HOLD = range(3, 1 << 16)
"""RFC 4271 section 4.2: 0, or at least three seconds; two octets."""
DYNAMIC = ("internal", "external")
BOUNDS = {
    "receive_interval": range(10, 60001),
    "transmit_interval": range(10, 60001),
    "detect_multiplier": range(2, 256),
    "echo_interval": range(10, 60001),
    "minimum_ttl": range(1, 255),
}
"""Of a BFDProfile, as MetalLB's schema has them."""
CAMEL = {
    "receive_interval": "receiveInterval",
    "transmit_interval": "transmitInterval",
    "detect_multiplier": "detectMultiplier",
    "echo_interval": "echoInterval",
    "minimum_ttl": "minimumTtl",
}


def profile(origin: Origin, each: BFDProfile, problems: list[Problem]) -> BfdProfile | None:
    """A BFD profile; None where it is not in force."""
    spec, given = each.spec, dict[str, Any]()
    faults = []
    for name, bounds in BOUNDS.items():
        value = getattr(spec, name)
        if value is None:
            continue
        given[name] = value
        if value not in bounds:
            what = f"{value} is not {bounds.start} to {bounds.stop - 1}"
            faults.append(origin.error(CAMEL[name], "out-of-range", what, "see the range"))
    problems += faults
    if faults:
        return None
    return BfdProfile(each.metadata.name, echo_mode=spec.echo_mode, passive_mode=spec.passive_mode, **given)


def peer(
    origin: Origin, each: BGPPeer, profiles: Collection[str], ground: Ground, problems: list[Problem]
) -> Peer | None:
    """A peer; None where it is not in force. One whose BFD profile is not there yet does without."""
    spec = each.spec
    faults = [*_whom(origin, spec), *_numbers(origin, spec), *_addresses(origin, spec), *_times(origin, spec)]
    faults += _secrets(origin, spec, ground.secrets)
    faults += selector_problems(origin, "nodeSelectors", spec.node_selectors)
    problems += [*faults, *_warnings(origin, spec, profiles, ground.secrets)]
    if faults:
        return None
    hold, keepalive = _timers(spec)
    return Peer(
        name=each.metadata.name,
        my_asn=spec.my_asn,
        peer_asn=spec.peer_asn,
        dynamic_asn=spec.dynamic_asn,
        local_asn=spec.local_asn,
        address=spec.peer_address and str(ip_address(spec.peer_address)),
        interface=spec.interface,
        source_address=spec.source_address and str(ip_address(spec.source_address)),
        port=179 if spec.peer_port is None else spec.peer_port,
        hold_time=hold,
        keepalive_time=keepalive,
        connect_time=_seconds(spec.connect_time),
        router_id=spec.router_id,
        nodes=matching(spec.node_selectors, ground.node_labels or {}) if spec.node_selectors else None,
        secret=spec.password_secret.name,
        bfd=spec.bfd_profile if spec.bfd_profile in profiles else "",
        graceful_restart=spec.enable_graceful_restart,
        multihop=spec.ebgp_multi_hop,
        vrf=spec.vrf,
        dual_stack=spec.dual_stack_address_family,
        origin=origin.name,
    )


def _whom(origin: Origin, spec: BGPPeerSpec) -> Iterator[Problem]:
    """To whom the session goes: one address or interface, one AS number or the wish to learn it."""
    if bool(spec.peer_address) == bool(spec.interface):
        what = "both peerAddress and interface are given" if spec.interface else "peerAddress is missing"
        reason = "contradiction" if spec.interface else "missing-key"
        yield origin.error("peerAddress", reason, what, "give one of peerAddress and interface")
    if bool(spec.peer_asn) == bool(spec.dynamic_asn):
        what = "both peerASN and dynamicASN are given" if spec.peer_asn else "peerASN is missing"
        reason = "contradiction" if spec.peer_asn else "missing-key"
        yield origin.error("peerASN", reason, what, "give one of peerASN and dynamicASN")
    if spec.dynamic_asn and spec.dynamic_asn not in DYNAMIC:
        what = f"{spec.dynamic_asn!r} is not one of {', '.join(DYNAMIC)}"
        yield origin.error("dynamicASN", "not-one-of", what, "write internal or external")
    if spec.ebgp_multi_hop and spec.peer_asn and spec.peer_asn == spec.my_asn:
        what = "the peer is of our own AS, where ebgpMultiHop means nothing"
        yield origin.error("ebgpMultiHop", "contradiction", what, "remove it")


def _numbers(origin: Origin, spec: BGPPeerSpec) -> Iterator[Problem]:
    if not spec.my_asn:
        yield origin.error("myASN", "missing-key", "myASN is missing", "write our own AS number")
    for field, number in (("myASN", spec.my_asn), ("peerASN", spec.peer_asn), ("localASN", spec.local_asn)):
        if number and number not in ASN:
            yield origin.error(field, "out-of-range", f"{number} is no AS number", "write 1 to 4294967295")
    if spec.peer_port is not None and spec.peer_port not in PORTS:
        yield origin.error("peerPort", "out-of-range", f"{spec.peer_port} is not 1 to 16384", "the usual one is 179")


def _addresses(origin: Origin, spec: BGPPeerSpec) -> Iterator[Problem]:
    for field, text in (("peerAddress", spec.peer_address), ("sourceAddress", spec.source_address)):
        if text and not _is(ip_address, text):
            what = f"{text!r} is no IP address"
            yield origin.error(field, "malformed-address", what, "write 192.0.2.1 or 2001:db8::1, not a host name")
    if spec.router_id and not _is(IPv4Address, spec.router_id):
        what = f"{spec.router_id!r} is no IPv4 address"
        yield origin.error("routerID", "malformed-address", what, "a router ID has the form 192.0.2.1, also for IPv6")


def _is(kind: Callable[[str], object], text: str) -> bool:
    """Whether it is an address; one with a zone is none that a session can be opened to."""
    try:
        kind(text)
    except ValueError:
        return False
    return "%" not in text


def _times(origin: Origin, spec: BGPPeerSpec) -> Iterator[Problem]:
    given = {
        "holdTime": spec.hold_time,
        "keepaliveTime": spec.keepalive_time,
        "connectTime": spec.connect_time,
    }
    malformed = [field for field, text in given.items() if text is not None and go_duration(text) is None]
    for field in malformed:
        yield origin.error(field, "malformed-time", f"{given[field]!r} is no time", "write 90s or 1m30s")
    if malformed:
        return
    hold, keepalive = _timers(spec)
    connect = _seconds(spec.connect_time)
    if hold and hold not in HOLD:
        what = f"{hold} s is neither 0 nor 3 to 65535 seconds"
        yield origin.error("holdTime", "out-of-range", what, "the usual one is 90s")
    elif hold is not None and keepalive is not None and keepalive > hold:
        what = f"{keepalive} s is more than holdTime, {hold} s"
        yield origin.error("keepaliveTime", "out-of-range", what, "a third of holdTime is usual")
    if connect is not None and not 1 <= connect < 1 << 16:
        yield origin.error("connectTime", "out-of-range", f"{connect} s is not 1 to 65535 seconds", "write 120s")


def _seconds(text: str | None) -> int | None:
    """Whole seconds, what is beyond them cut off, as in MetalLB."""
    found = None if text is None else go_duration(text)
    return None if found is None else int(found)


def _timers(spec: BGPPeerSpec) -> tuple[int | None, int | None]:
    """Hold and keepalive time; who gives the latter alone has three times that as hold time."""
    hold, keepalive = _seconds(spec.hold_time), _seconds(spec.keepalive_time)
    return (3 * keepalive if hold is None and keepalive is not None else hold), keepalive


def _secrets(origin: Origin, spec: BGPPeerSpec, known: Mapping[str, str]) -> Iterator[Problem]:
    """A Secret that is not known may come yet, and the session waits for it."""
    if spec.password and spec.password_secret.name:
        what = "both password and passwordSecret are given"
        yield origin.error("password", "contradiction", what, "keep passwordSecret")
    if spec.password and (fault := length_fault(len(spec.password.encode("utf-8", "surrogateescape")))):
        yield origin.error("password", "out-of-range", f"the peer {fault}", f"write {MOST_OCTETS} octets at most")
    fault = known.get(spec.password_secret.name, "")
    if fault and fault != MISSING:
        what = f"Secret {spec.password_secret.name} {fault}"
        yield origin.error("passwordSecret", "unsuitable-secret", what, f"make one of type {PASSWORD_TYPE}")


def _warnings(
    origin: Origin, spec: BGPPeerSpec, profiles: Collection[str], known: Mapping[str, str]
) -> Iterator[Problem]:
    if known.get(name := spec.password_secret.name) == MISSING:
        what = f"there is no Secret {name} here: no session is opened until there is"
        remedy = f"kubectl create secret generic {name} --type={PASSWORD_TYPE} --from-literal={PASSWORD}=..."
        yield origin.warning("passwordSecret", "missing-secret", what, remedy)
    if spec.bfd_profile and spec.bfd_profile not in profiles:
        guess = nearest(spec.bfd_profile, profiles)
        what = f"there is no BFDProfile {spec.bfd_profile} yet: the session does without BFD"
        remedy = f"did you mean {guess}?" if guess else "create it"
        yield origin.warning("bfdProfile", "unknown-bfd-profile", what, remedy)
    if spec.disable_mp:
        yield origin.warning("disableMP", "no-effect", "disableMP has had no effect for long", "remove it")
