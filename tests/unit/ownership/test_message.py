"""Claims come back as they were told, in messages that fit, and strange bytes are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.exchange import Claim
from speakerd.ownership.message import (
    CAUSES,
    ROOM,
    Claims,
    Consent,
    Life,
    Offer,
    Row,
    claims_of,
    decode,
    encode,
    places,
    told,
)
from speakerd.wire import DecodeError

NAMES = st.sampled_from(["", "a", "worker-1", "n" * 253])
CLAIMS = st.builds(
    lambda ip, epoch, version, owner, heir, previous, cause: Claim(
        ip, epoch, owner, 5.0, cause, version=version, boot=9 if owner else 0, heir=heir, previous=previous
    ),
    st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16),
    st.integers(0, 2**40),
    st.integers(0, 1000),
    NAMES,
    NAMES,
    NAMES,
    st.sampled_from(CAUSES),
)


@given(st.lists(CLAIMS, max_size=80))
def test_claims_come_back_as_they_were_told_in_messages_that_fit(claims: list[Claim]) -> None:
    messages = list(told(claims, 3, yields=False))
    assert [each for message in messages for each in claims_of(message, 5.0)] == claims
    longest = 3 * (253 + 13)
    assert all(len(encode(message)) <= ROOM + longest for message in messages)
    assert all(len(encode(message)) <= ROOM for message in messages if len(message.rows) > 1)


def test_the_last_message_of_a_pull_says_so_even_when_there_is_nothing_to_tell() -> None:
    (message,) = told([], 1, yields=True, final=True)
    assert message == Claims((), (), 1, yields=True, final=True)


def test_a_row_that_points_nowhere_is_refused() -> None:
    row = Row(bytes(4), 1, 0, 1, -1, -1, 0)
    with pytest.raises(DecodeError):
        claims_of(Claims((Life("a", 1),), (row,)), 0.0)


TOLD = encode(Claims((Life("worker-1", 1),), (), 1, yields=True))


@pytest.mark.parametrize(
    "body", [Consent((bytes(3),)), Consent((bytes(17),)), Offer(1, -1, ()), Claims((), (), side=-1)]
)
def test_values_out_of_bounds_are_refused(body: Consent | Offer | Claims) -> None:
    with pytest.raises(DecodeError):
        decode(encode(body), type(body))


@given(st.binary(max_size=200))
def test_strange_bytes_are_refused_or_read(data: bytes) -> None:
    try:
        decode(data, Claims)
    except DecodeError:
        return


def test_addresses_go_in_as_many_lists_as_they_need() -> None:
    ips = [bytes((10, 0, 0, n)) for n in range(70)]
    assert [ip for part in places(ips) for ip in part] == ips


TOLD = encode(Claims((Life("worker-1", 1),), (), 1, yields=True))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            TOLD.replace(b"worker-1", b"worker-\xff"),
            id="a name that is no text",
        ),
        pytest.param(
            b"\x98" + TOLD[1:] + b"\x91" * 1100,
            id="nested without end",
        ),
    ],
)
def test_what_msgspec_gives_up_on_is_refused_like_any_other_nonsense(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body, Claims)
