"""What Services ask for by annotation and field, in every form: what is granted if it can be, and what is refused."""

from collections.abc import Mapping

from msgspec import Struct

from speakerd.model import Reason

NEW, OLD = "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"
TWO, MALFORMED, COMBINATION = Reason.TWO_REQUESTS, Reason.MALFORMED_ADDRESS, Reason.BAD_COMBINATION


class Asked(Struct, frozen=True):
    """Annotations and spec.loadBalancerIP of a Service."""

    annotations: Mapping[str, str] = {}
    field: str = ""


def note(text: str) -> Asked:
    """Asked by the annotation."""
    return Asked({NEW: text})


VALID: dict[str, Asked] = {
    "nothing": Asked(),
    "an empty annotation": note(""),
    "an address": note("10.0.0.1"),
    "an address with spaces": note(" 10.0.0.1\n"),
    "one of each family": note("10.0.0.1, 2001:db8::1"),
    "one of each family, the other way round": note("::1,255.255.255.255"),
    "in the old spelling": Asked({OLD: "10.0.0.1"}),
    "the new spelling wins": Asked({NEW: "10.0.0.1", OLD: "x"}),
    "the new spelling wins, even when it is empty": Asked({NEW: "", OLD: "x"}),
    "the field": Asked(field="10.0.0.1"),
    "the field, beside an empty annotation": Asked({NEW: ""}, "10.0.0.1"),
    "the field, beside the old spelling that does not count": Asked({NEW: "", OLD: "10.0.0.2"}, "10.0.0.1"),
    "the field with a pair": Asked(field="10.0.0.1,fd00::1"),
    "IPv6 in full": note("2001:DB8:0:0:0:0:0:1"),
    "IPv6 with one group left out": note("1:2:3:4:5:6:7::"),
    "IPv6 that ends as IPv4": note("64:ff9b::10.0.0.1"),
    "IPv6 in full that ends as IPv4": note("1:2:3:4:5:6:10.0.0.1"),
    "IPv4 written as IPv6, with one of IPv6": note("::ffff:10.0.0.1,fd00::1"),
}
INVALID: dict[str, tuple[Reason, Asked]] = {
    "annotation and field": (TWO, Asked({NEW: "10.0.0.1"}, "10.0.0.1")),
    "annotation in the old spelling and field": (TWO, Asked({OLD: "10.0.0.1"}, "10.0.0.2")),
    "annotation and field, neither an address": (TWO, Asked({NEW: "x"}, "y")),
    "a word": (MALFORMED, note("x")),
    "a word in the old spelling": (MALFORMED, Asked({OLD: "x"})),
    "a word in the field": (MALFORMED, Asked(field="host.example")),
    "a space": (MALFORMED, note(" ")),
    "a quote": (MALFORMED, note('"10.0.0.1\\')),
    "two lines": (MALFORMED, note("10.0.0.1\n10.0.0.2")),
    "digits and letters beyond ASCII": (MALFORMED, note("\u0661.0.0.1 \u00e4")),
    "a block": (MALFORMED, note("10.0.0.0/24")),
    "a comma too many": (MALFORMED, note("10.0.0.1,")),
    "one address of two": (MALFORMED, note("10.0.0.1,x")),
    "IPv4 of three parts": (MALFORMED, note("10.0.0")),
    "IPv4 with a number too large": (MALFORMED, note("10.0.0.256")),
    "IPv4 with leading zeros": (MALFORMED, note("10.0.0.01")),
    "IPv6 with a zone": (MALFORMED, note("fe80::1%eth0")),
    "IPv6 of seven groups": (MALFORMED, note("1:2:3:4:5:6:7")),
    "IPv6 of nine groups": (MALFORMED, note("1:2:3:4:5:6:7:8:9")),
    "IPv6 in full with more left out": (MALFORMED, note("1:2:3:4::5:6:7:8")),
    "IPv6 with too much before IPv4": (MALFORMED, note("1:2:3:4:5:6::10.0.0.1")),
    "IPv6 with groups left out twice": (MALFORMED, note("1::2::3")),
    "IPv6 with five digits": (MALFORMED, note("fd00::12345")),
    "very many zeros": (MALFORMED, note("0" * 10_000)),
    "two of IPv4": (COMBINATION, note("10.0.0.1,10.0.0.2")),
    "two of IPv4 in the field": (COMBINATION, Asked(field="10.0.0.1,10.0.0.2")),
    "two of IPv6": (COMBINATION, note("fd00::1,fd00::2")),
    "two of IPv4, one as IPv6": (COMBINATION, note("10.0.0.1,::ffff:10.0.0.2")),
    "two of IPv4, both as IPv6": (COMBINATION, note("0:0:0:0:0:ffff::,::FFFF:a00:1")),
    "three": (COMBINATION, note("10.0.0.1,fd00::1,fd00::2")),
    "three words": (COMBINATION, note("x,y,z")),
    "very many commas": (COMBINATION, note("," * 100_000)),
}
