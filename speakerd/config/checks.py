"""What a type cannot say about settings: names, addresses, patterns, and keys that depend on one another; pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, ip_address

from speakerd.config import addresses, file
from speakerd.config.document import Place
from speakerd.config.routing import routing
from speakerd.config.sides import NOTHING, Ground, given
from speakerd.config.words import INTERFACE, SUBDOMAIN
from speakerd.model import Problem
from speakerd.settings import Settings

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123 label, as Kubernetes wants it of namespaces."""
CLASS = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""A label's name, as Kubernetes wants it of Service.spec.loadBalancerClass."""
PATTERN_LENGTH = 256
"""Characters of a regular expression: room for any sane one."""
NOBODY = "0.0.0.0"  # noqa: S104  no address to listen on

Fault = tuple[str, str, str, str]
"""Dotted path, reason, what, remedy."""


def problems(settings: Settings, places: Mapping[str, Place]) -> list[Problem]:
    """Every fault of settings whose types are right; `places`: where each value stands, by dotted path."""
    checks = (_names, _paths, _addresses, _binds, _interfaces, _patterns, _scrapers, _iprange, _entries)
    faults = (fault for check in checks for fault in check(settings))
    return [*(_problem(*fault, places) for fault in faults), *_routing(settings)]


def _routing(settings: Settings) -> Iterator[Problem]:
    """Faults of the BGP entries, each by itself: what they refer to may be in the cluster."""
    own, found = file.resources(settings), list[Problem]()
    routing(given(NOTHING, own, found), Ground((), {}, None), found)
    yield from (each for each in found if each.severity == "error")


def _problem(path: str, reason: str, what: str, remedy: str, places: Mapping[str, Place]) -> Problem:
    return Problem(_place(path, places), path, reason, what, remedy)


def _place(path: str, places: Mapping[str, Place]) -> str:
    """Where the key stands, or the nearest section around it."""
    while path and path not in places:
        path = path.rpartition(".")[0]
    return str(places.get(path, "settings"))


def _names(settings: Settings) -> Iterator[Fault]:
    kubernetes = settings.kubernetes
    for path, name, form in (
        ("node.name", settings.node.name, SUBDOMAIN),
        ("kubernetes.namespace", kubernetes.namespace, LABEL),
        ("kubernetes.configMap", kubernetes.config_map, SUBDOMAIN),
    ):
        if not form.fullmatch(name):
            remedy = "use lower case letters, digits and dashes"
            if path == "node.name":
                remedy += ", as kubectl get nodes shows it"
            yield path, "malformed-name", f"{name!r} is no Kubernetes name", remedy
    if kubernetes.load_balancer_class and not CLASS.fullmatch(kubernetes.load_balancer_class):
        what = f"{kubernetes.load_balancer_class!r} is no load balancer class"
        yield "kubernetes.loadBalancerClass", "malformed-name", what, "write name or example.com/name"


def _paths(settings: Settings) -> Iterator[Fault]:
    metrics = settings.http.metrics
    required = {"paths.state": settings.paths.state, "paths.run": settings.paths.run}
    optional = {
        "kubernetes.kubeconfig": settings.kubernetes.kubeconfig.removeprefix("auto"),
        "membership.secretFile": settings.membership.secret_file,
        "http.metrics.certFile": metrics.cert_file,
        "http.metrics.keyFile": metrics.key_file,
        "http.metrics.tokenFile": metrics.token_file,
    }
    for path, text in {**required, **{path: text for path, text in optional.items() if text}}.items():
        if not text.startswith("/"):
            also = " or auto" if path == "kubernetes.kubeconfig" else ""
            yield path, "malformed-path", f"{text!r} is not an absolute path", f"begin with a slash{also}"


def _addresses(settings: Settings) -> Iterator[Fault]:
    wanted = {
        "membership.bind": settings.membership.bind,
        "layer2.quorumAddress": settings.layer2.quorum_address,
        **{f"membership.peers[{i}]": each or "?" for i, each in enumerate(settings.membership.peers)},
    }
    for path, text in wanted.items():
        if text and not _is(ip_address, text):
            yield path, "malformed-address", f"{text!r} is not an IP address", "write 192.0.2.1 or 2001:db8::1"
    if settings.bgp.router_id == NOBODY:
        yield (
            "bgp.routerID",
            "out-of-range",
            f"{NOBODY} is nobody's router ID (RFC 6286)",
            "leave it out, or write another",
        )
    elif settings.bgp.router_id and not _is(IPv4Address, settings.bgp.router_id):
        what = f"{settings.bgp.router_id!r} is not an IPv4 address"
        yield "bgp.routerID", "malformed-address", what, "a router ID has the form 192.0.2.1, also for IPv6"


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _binds(settings: Settings) -> Iterator[Fault]:
    for path, text in (("http.bind", settings.http.bind), ("http.metrics.bind", settings.http.metrics.bind)):
        host, _, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        bracketed = bare != host
        good_port = port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 1 << 16
        if text and not (good_port and _is(ip_address, bare) and bracketed == (":" in bare)):
            remedy = "write 127.0.0.1:7472, [::1]:7472 or 0.0.0.0:7472"
            yield path, "malformed-address", f"{text!r} is not ADDRESS:PORT", remedy


def _interfaces(settings: Settings) -> Iterator[Fault]:
    for i, name in enumerate(settings.layer2.interfaces):
        if not INTERFACE.fullmatch(name):
            remedy = "write a whole name as ip link shows it, such as eth0"
            yield f"layer2.interfaces[{i}]", "malformed-name", f"{name!r} is no interface name", remedy


def _patterns(settings: Settings) -> Iterator[Fault]:
    for i, pattern in enumerate(settings.layer2.exclude_interfaces):
        path = f"layer2.excludeInterfaces[{i}]"
        if not pattern or len(pattern) > PATTERN_LENGTH:
            what = f"a pattern has 1 to {PATTERN_LENGTH} characters"
            yield path, "malformed-pattern", what, "an empty one would exclude every interface"
            continue
        try:
            re.compile(pattern)
        except re.error as fault:
            what = f"{pattern!r} is no regular expression: {fault.msg}"
            remedy = "write a . before *, as in ^veth.*" if pattern.startswith("*") else "mind ( [ * + ? and \\"
            yield path, "malformed-pattern", what, remedy


def _scrapers(settings: Settings) -> Iterator[Fault]:
    metrics = settings.http.metrics
    if bool(metrics.cert_file) != bool(metrics.key_file):
        missing = "keyFile" if metrics.cert_file else "certFile"
        yield f"http.metrics.{missing}", "missing-key", "TLS needs certFile and keyFile", f"set {missing} too"


def _iprange(settings: Settings) -> Iterator[Fault]:
    for what, remedy in addresses.iprange_faults(settings.iprange):
        yield "iprange", "malformed-address", what, remedy


def _entries(settings: Settings) -> Iterator[Fault]:
    pools = [each.name for each in settings.address_pools]
    advertisements = [each.name for each in settings.l2_advertisements]
    yield from _named("addressPools", pools, taken="default" if settings.iprange else "")
    yield from _named("l2Advertisements", advertisements, taken="default" if settings.iprange else "")
    yield from _named("bgpPeers", [each.name for each in settings.bgp_peers])
    yield from _named("bgpAdvertisements", [each.name for each in settings.bgp_advertisements])
    yield from _named("bfdProfiles", [each.name for each in settings.bfd_profiles])
    yield from _named("communities", [each.name for each in settings.communities])
    for i, pool in enumerate(settings.address_pools):
        if not pool.addresses:
            what = f"pool {pool.name} has no addresses"
            yield f"addressPools[{i}]", "missing-key", what, "write addresses: [192.0.2.10-192.0.2.20]"
        for j, entry in enumerate(pool.addresses):
            try:
                addresses.parse(entry)
            except addresses.Malformed as fault:
                yield f"addressPools[{i}].addresses[{j}]", "malformed-address", fault.what, fault.remedy


def _named(path: str, names: Iterable[str], taken: str = "") -> Iterator[Fault]:
    seen = {taken: "iprange"} if taken else {}
    for i, name in enumerate(names):
        if name in seen:
            yield f"{path}[{i}].name", "duplicate-name", f"{name!r} is the name of {seen[name]} too", "choose another"
        elif not SUBDOMAIN.fullmatch(name):
            remedy = "use lower case letters, digits, dashes and dots"
            yield f"{path}[{i}].name", "malformed-name", f"{name!r} is no Kubernetes name", remedy
        seen.setdefault(name, f"{path}[{i}]")
