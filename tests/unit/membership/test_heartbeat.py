"""What is said of life is read as a heartbeat, or refused."""

import pytest

from speakerd.membership.heartbeat import Vote, decode, encode
from speakerd.wire import DecodeError


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(encode(Vote("n1", 1, 2))[:-1], id="cut"),
        pytest.param(encode(Vote("n1", 1, 2)).replace(b"n1", b"n\xff"), id="a name that is no text"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body, Vote)


def test_a_body_with_more_than_it_should_have_is_refused_where_that_is_nested_without_end() -> None:
    with pytest.raises(DecodeError):
        decode(b"\x94" + encode(Vote("n1", 1, 2))[1:] + b"\x91" * 1100, Vote)
