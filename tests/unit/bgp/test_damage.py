"""Whatever happens to a message on the way, it is one that makes sense, or refused by the package's own error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import message
from speakerd.bgp.error import SUBCODES, Fault
from speakerd.bgp.family import Negotiated
from speakerd.bgp.frame import HEAD, MOST, Frame, Kind, framed
from tests.unit.bgp.golden import GOLDENS, OLD, TERMS, frame, sensible

CHANGES = [1 << bit for bit in range(8)] + [0xFF]
"""What an octet is changed by: each bit, and all."""


def judged(data: bytes, negotiated: Negotiated = TERMS) -> str:
    """Why it is refused, nothing where it makes sense."""
    try:
        found = frame(data)
        if found:
            sensible(message.decode(found, negotiated))
    except Fault as fault:
        said = fault.notification
        assert said.subcode in set(SUBCODES[said.code])
        assert message.notification(said)
        return said.words
    return ""


@pytest.mark.parametrize("name", GOLDENS)
@pytest.mark.parametrize("negotiated", [TERMS, OLD], ids=["four", "two"])
def test_every_octet_changed_is_sense_or_a_fault(name: str, negotiated: Negotiated) -> None:
    data = GOLDENS[name]
    for at in range(len(data)):
        for change in CHANGES:
            judged(data[:at] + bytes((data[at] ^ change,)) + data[at + 1 :], negotiated)


@pytest.mark.parametrize("name", GOLDENS)
def test_every_truncation_under_a_right_length_is_sense_or_a_fault(name: str) -> None:
    data = GOLDENS[name]
    for size in range(HEAD.size, len(data)):
        judged(framed(Kind(data[18]), data[HEAD.size : size]))


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("plain", set()),
        ("capable", set()),
        ("extended", set()),
        ("announce", {43, 47}),
        ("withdraw", set()),
        ("announce six", set()),
        ("withdraw six", set()),
        ("announce four by six", set()),
        ("end of rib", set()),
        ("end of rib six", set()),
        ("rich", {102}),
        ("route refresh", set()),
    ],
)
def test_what_is_cut_elsewhere_than_between_prefixes_is_refused(name: str, whole: set[int]) -> None:
    data = GOLDENS[name]
    cuts = {size: framed(Kind(data[18]), data[HEAD.size : size]) for size in range(HEAD.size, len(data))}
    assert {size for size, cut in cuts.items() if not judged(cut)} == whole


@given(st.binary(max_size=200), st.sampled_from(Kind), st.booleans())
@settings(max_examples=200)
def test_random_bodies_are_sense_or_a_fault(body: bytes, kind: Kind, two: bool) -> None:
    judged(framed(kind, body), OLD if two else TERMS)


@given(st.binary(max_size=MOST))
@settings(max_examples=50)
def test_random_attributes_are_sense_or_a_fault(said: bytes) -> None:
    body = b"\0\0" + len(said).to_bytes(2) + said + b"\x08\x0a"
    try:
        sensible(message.decode(Frame(Kind.UPDATE, body), TERMS))
    except Fault as caught:
        fault = caught.notification
    else:
        return
    assert fault.code == 3
