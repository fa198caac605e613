"""What the annotations of a Service ask for, in either spelling; pure."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address

from speakerd.model import IP, Reason, Request

NEW, OLD = "metallb.io/", "metallb.universe.tf/"
PREFIXES = (NEW, OLD)
"""The new spelling wins even when its value is empty, as in MetalLB."""
POOL, ADDRESSES, SHARED = "address-pool", "loadBalancerIPs", "allow-shared-ip"
NO_REQUEST = Request()


def value(annotations: Mapping[str, str], name: str) -> str:
    """Of the annotation `name`, without its prefix; "" where there is none."""
    return next((annotations[prefix + name] for prefix in PREFIXES if prefix + name in annotations), "")


def deprecated(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Those that count and are spelled the old way."""
    names = (POOL, ADDRESSES, SHARED)
    return tuple(OLD + name for name in names if OLD + name in annotations and NEW + name not in annotations)


def request(annotations: Mapping[str, str], load_balancer_ip: str) -> Request:
    """What annotations and spec.loadBalancerIP ask for, or the reason why that cannot be read."""
    text, pool = value(annotations, ADDRESSES), value(annotations, POOL)
    if text and load_balancer_ip:
        message = "annotation metallb.io/loadBalancerIPs and spec.loadBalancerIP are both given"
        return Request((), pool, Reason.TWO_REQUESTS, message)
    wanted = text or load_balancer_ip
    if not (wanted or pool):
        return NO_REQUEST
    parts = [each.strip() for each in wanted.split(",", 2)] if wanted else []
    ips = addresses(parts)
    if len(ips) < len(parts) <= 2:
        return Request((), pool, Reason.MALFORMED_ADDRESS, f'"{wanted[:100]}" is not an address or a pair')
    if len(parts) > 2 or len({ip.version for ip in ips}) < len(ips):
        message = f'"{wanted[:100]}" is more than one address of each family'
        return Request((), pool, Reason.BAD_COMBINATION, message)
    return Request(ips, pool)


def addresses(texts: Iterable[str]) -> tuple[IP, ...]:
    """Those of `texts` that are addresses as the API writes them: no host name, no "None", no zone."""
    return tuple(ip for text in texts if (ip := _address(text)) is not None)


def _address(text: str) -> IP | None:
    try:
        found: IP = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    return None if found.scope_id else found.ipv4_mapped or found
