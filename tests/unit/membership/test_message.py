"""A message is read as it was said, or not at all."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.membership import message
from speakerd.membership.envelope import Carrier, Envelope, Kind
from speakerd.membership.keys import Keyring
from speakerd.membership.message import MOST, MOST_BODY, Refusal
from speakerd.wire import DecodeError
from tests.unit.membership.mesh_keys import NEW, OLD, member

RING = Keyring((NEW, OLD), [member("n1", NEW), member("n2", OLD)])
(SIGNER,) = RING.signers("n1")
BEAT = Envelope("n2", 0x0102030405060708, "n1", Carrier.UDP, 0, 0x1112131415, Kind.HEARTBEAT, b"alive")
FRAME = replace(BEAT, carrier=Carrier.ETHERNET)

NAMES = st.text(min_size=1, max_size=253).filter(lambda text: len(text.encode()) <= 253)
ENVELOPES = st.builds(
    Envelope,
    sender=NAMES,
    boot=st.integers(1, 2**64 - 1),
    receiver=NAMES | st.just(""),
    carrier=st.sampled_from(Carrier),
    index=st.just(0),
    sequence=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(Kind),
    body=st.binary(max_size=MOST_BODY),
)


def refusal(data: bytes, carrier: Carrier = Carrier.UDP, ring: Keyring = RING) -> str:
    """Why it is refused; nothing where it is not."""
    try:
        message.decode(data, ring, carrier)
    except DecodeError as fault:
        return str(fault)
    return ""


def signed(data: bytes) -> bytes:
    """`data` with a right signature, whatever it says."""
    return data + SIGNER.tag(data)


def test_a_message_looks_as_its_figure_says() -> None:
    said = (
        bytes.fromhex("5a010101") + bytes.fromhex(NEW.id) + bytes.fromhex("0102030405060708 0000001112131415 02020005")
    )
    said += b"n2" + b"n1" + b"alive"
    key = hmac.new(bytes(32), NEW.material, hashlib.sha256).digest()
    key = hmac.new(key, b"speakerd mesh signature 1\x01", hashlib.sha256).digest()
    assert message.encode(BEAT, SIGNER) == said + hmac.new(key, said, hashlib.sha256).digest()[:16]


def test_golden_bytes() -> None:
    assert message.encode(BEAT, SIGNER).hex(" ", -4) == (
        "5a010101 38a1c049 01020304 05060708 00000011 12131415 02020005 6e326e31 616c6976 65352b19 ad50efa4 f4da273a "
        "ea2dadcb 48"
    )


@given(ENVELOPES)
def test_decode_gives_what_was_encoded(envelope: Envelope) -> None:
    data = message.encode(envelope, SIGNER)
    assert len(data) <= MOST
    heard = message.decode(data, RING, envelope.carrier, 3, 99)
    assert heard == replace(envelope, index=3, received=99)
    assert message.encode(heard, SIGNER) == data


@pytest.mark.parametrize("carrier", Carrier)
def test_every_truncation_is_refused(carrier: Carrier) -> None:
    data = message.encode(replace(BEAT, carrier=carrier), SIGNER)
    assert not refusal(data, carrier)
    assert all(refusal(data[:size], carrier) for size in range(len(data)))


@pytest.mark.parametrize("carrier", Carrier)
def test_every_bit_is_signed(carrier: Carrier) -> None:
    data = message.encode(replace(BEAT, carrier=carrier), SIGNER)
    for bit in range(8 * len(data)):
        damaged = (int.from_bytes(data) ^ 1 << bit).to_bytes(len(data))
        assert refusal(damaged, carrier), f"bit {bit}"


def test_what_follows_a_message_is_padding_in_a_frame_and_a_fault_in_a_datagram() -> None:
    assert message.decode(message.encode(FRAME, SIGNER) + bytes(18), RING, Carrier.ETHERNET) == FRAME
    assert refusal(message.encode(BEAT, SIGNER) + b"\0") == Refusal.MALFORMED


def test_what_was_said_by_one_carrier_cannot_be_said_again_by_the_other() -> None:
    assert refusal(message.encode(BEAT, SIGNER), Carrier.ETHERNET) == Refusal.OTHER_CARRIER
    data = bytearray(message.encode(BEAT, SIGNER))
    data[2] = Carrier.ETHERNET
    assert refusal(bytes(data), Carrier.ETHERNET) == Refusal.UNAUTHENTIC


def test_both_keys_in_use_are_believed_and_others_are_not() -> None:
    by_old = message.encode(BEAT, RING.signers("n2")[0])
    assert not refusal(by_old)
    assert message.key_of(by_old) == bytes.fromhex(OLD.id)
    assert refusal(by_old, ring=Keyring((NEW,))) == Refusal.UNAUTHENTIC
    assert refusal(by_old, ring=Keyring()) == Refusal.UNAUTHENTIC


def test_a_key_of_the_same_name_is_not_the_same_key() -> None:
    impostor = Keyring((replace(NEW, material=b"another"),))
    assert refusal(message.encode(BEAT, impostor.signers("")[0])) == Refusal.UNAUTHENTIC


@pytest.mark.parametrize(
    ("at", "value", "word"),
    [
        (0, 0x07, Refusal.FOREIGN),
        (1, 0, Refusal.OTHER_VERSION),
        (3, 0, Refusal.UNKNOWN_KIND),
        (3, 255, Refusal.UNKNOWN_KIND),
        (24, 0, Refusal.MALFORMED),
        (24, 255, Refusal.MALFORMED),
        (26, 255, Refusal.MALFORMED),
        (28, 0xFF, Refusal.MALFORMED),
    ],
    ids=["magic", "version", "no kind", "later kind", "no sender", "long sender", "long body", "no text"],
)
def test_signed_nonsense_is_refused_in_one_word(at: int, value: int, word: Refusal) -> None:
    data = bytearray(message.encode(BEAT, SIGNER)[:-16])
    data[at] = value
    if at == 24 and value == 0:
        del data[28:30]
    assert refusal(signed(bytes(data))) == word


def test_a_sender_without_a_life_is_refused() -> None:
    assert refusal(message.encode(replace(BEAT, boot=0), SIGNER)) == Refusal.MALFORMED


def test_nothing_and_what_others_say_on_that_port_is_foreign() -> None:
    memberlist_ping = bytes.fromhex("0082a55365714e6fce00000001a44e6f6465a26e31")
    assert {refusal(data) for data in (b"", memberlist_ping, bytes(1500))} == {Refusal.FOREIGN}


@pytest.mark.parametrize("receiver", ["", "n1", "n" * 253])
def test_the_longest_body_fits_exactly_and_one_longer_does_not(receiver: str) -> None:
    envelope = replace(BEAT, receiver=receiver, body=bytes(message.room(BEAT.sender, receiver)))
    assert len(message.encode(envelope, SIGNER)) == MOST
    with pytest.raises(ValueError, match="1201 octets"):
        message.encode(replace(envelope, body=envelope.body + b"\0"), SIGNER)


def test_a_longer_one_is_refused_however_well_signed() -> None:
    body = bytes(message.room("n2", "n1") + 1)
    head = message.HEAD.pack(message.MAGIC, 1, 2, 1, SIGNER.id, 1, 1, 2, 2, len(body))
    assert refusal(signed(head + b"n2n1" + body), Carrier.ETHERNET) == Refusal.MALFORMED


@given(st.binary(max_size=1300), st.sampled_from(Carrier))
def test_random_bytes_are_refused(data: bytes, carrier: Carrier) -> None:
    assert refusal(data, carrier)
    assert refusal(b"\x5a\x01" + bytes((carrier,)) + data, carrier)
