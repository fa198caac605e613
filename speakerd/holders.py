"""Which Services' statuses name an address, brought up to date by what changed; pure."""

from speakerd.model import IP, Service


class Holders:
    """By Service and by address; an address that nobody has any more is forgotten once it was asked for."""

    def __init__(self) -> None:
        self._keys: dict[IP, tuple[str, ...]] = {}
        self._ips: dict[str, tuple[IP, ...]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._ips

    def note(self, key: str, service: Service | None) -> tuple[tuple[IP, ...], tuple[IP, ...]]:
        """The addresses that Service `key` had before, and those it has now; None: it has, or counts for, none."""
        before = self._ips.pop(key, ())
        now = tuple(dict.fromkeys(service.ips)) if service and service.ours else ()
        if now:
            self._ips[key] = now
        for ip in before:
            if ip not in now:
                self._keys[ip] = tuple(each for each in self._keys[ip] if each != key)
        for ip in now:
            if ip not in before:
                self._keys[ip] = (*self._keys.get(ip, ()), key)
        return before, now

    def of(self, ip: IP) -> tuple[str, ...]:
        """The keys of the Services that have an address now, in the order in which they came to."""
        keys = self._keys[ip]
        if not keys:
            del self._keys[ip]
        return keys
